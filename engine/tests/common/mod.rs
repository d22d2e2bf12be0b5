//! What the integration tests share: the default model, the speech clips and their transcripts.
#![allow(dead_code)] // each test binary uses a part

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use linnet::{Engine, audio::AudioFile};

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The committed default model.
pub fn default_engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::open(root().join("models/linnet-en.linnet")).unwrap()).clone()
}

/// File names and transcripts of the speech clips.
pub fn transcripts() -> Vec<(String, String)> {
    read_transcripts(&root().join("engine/tests/data/speech"))
}

/// The rows of a folder's `transcripts.tsv`.
pub fn read_transcripts(folder: &Path) -> Vec<(String, String)> {
    let table = std::fs::read_to_string(folder.join("transcripts.tsv")).unwrap();
    table
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|row| (row[0].into(), row[2].into()))
        .collect()
}

/// A speech clip at 16 kHz mono.
pub fn clip(file: &str) -> Vec<f32> {
    read_audio(&root().join("engine/tests/data/speech").join(file))
}

/// An audio file that is 16 kHz mono.
pub fn read_audio(path: &Path) -> Vec<f32> {
    let mut file = AudioFile::open(path).unwrap();
    assert_eq!((file.rate_hz(), file.channels()), (16_000, 1));
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend_from_slice(block);
    }
    samples
}

/// Levenshtein distance over words.
pub fn word_errors(reference: &str, hypothesis: &str) -> usize {
    let hypothesis: Vec<_> = hypothesis.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=hypothesis.len()).collect();
    for (i, said) in reference.split_whitespace().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, heard) in hypothesis.iter().enumerate() {
            let substituted = diagonal + usize::from(said != *heard);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[hypothesis.len()]
}
