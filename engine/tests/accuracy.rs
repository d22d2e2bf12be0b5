//! The gate on accuracy: the default model's word error rate may not rise by more than one point over
//! `models/baseline.json` unless that file is changed in the same commit.

mod common;

use std::{collections::BTreeMap, path::Path};

use common::{default_engine, read_audio, read_transcripts, root, word_errors};
use linnet::AudioFormat;

/// Clips of each development set that the gate listens to.
const CLIPS: usize = 40;

/// Points of word error rate that a set may be above its baseline.
const TOLERANCE: f64 = 1.0;

/// Words that may change with the rounding of another instruction set, which are more than a point of a small set.
const ROUNDING_WORDS: f64 = 2.0;

/// Word error rate in percent, and what a word counts.
fn word_error_rate(folder: &Path) -> (f64, f64) {
    let engine = default_engine();
    let (mut errors, mut words) = (0, 0);
    for (file, reference) in read_transcripts(folder).iter().take(CLIPS) {
        let heard = engine.transcribe(&read_audio(&folder.join(file)), AudioFormat::default()).unwrap();
        errors += word_errors(reference, heard.text());
        words += reference.split_whitespace().count();
    }
    (100.0 * errors as f64 / words as f64, 100.0 / words as f64)
}

#[test]
fn word_error_rate_is_within_a_point_of_the_baseline() {
    let path = root().join("models/baseline.json");
    let baseline: BTreeMap<String, f64> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(baseline.contains_key("fixture"));
    for (set, &expected) in &baseline {
        let folder = match set.strip_prefix("dev/") {
            Some(name) => root().join("../shared/data/dev").join(name),
            None => root().join("engine/tests/data/speech"),
        };
        if !folder.is_dir() {
            println!("skipped {set}: {} is not here", folder.display());
            continue;
        }
        let (measured, word) = word_error_rate(&folder);
        println!("{set}: {measured:.2} % WER, baseline {expected:.2} %");
        assert!(
            measured <= expected + TOLERANCE.max(ROUNDING_WORDS * word),
            "{set}: {measured:.2} % WER against {expected:.2} % in {}; if that is meant, change it in the same commit",
            path.display()
        );
    }
}
