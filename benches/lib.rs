//! Shared helpers of the benchmarks: the model and the speech that they run on.

pub mod soak;

use std::path::{Path, PathBuf};

use linnet::{Engine, audio::formats::AudioFile};

/// Samples per second of the benchmark audio, which is mono.
pub const RATE_HZ: usize = 16_000;

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The model to measure: `LINNET_MODEL`, or the default one.
pub fn model_path() -> PathBuf {
    std::env::var_os("LINNET_MODEL").map_or_else(|| root().join("models/linnet-en.linnet"), PathBuf::from)
}

/// The engine of [`model_path`].
///
/// # Panics
/// When the model can't be opened: there is nothing to measure then.
pub fn engine() -> Engine {
    let path = model_path();
    Engine::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Speech at 16 kHz mono: the clips of the test suite one after the other, from the start again until it is long
/// enough.
///
/// # Panics
/// When the clips are not there.
pub fn speech(seconds: usize) -> Vec<f32> {
    let folder = root().join("engine/tests/data/speech");
    let table = std::fs::read_to_string(folder.join("transcripts.tsv")).expect("the clips have a transcripts.tsv");
    let clips: Vec<f32> =
        table.lines().skip(1).flat_map(|row| decode(&folder.join(row.split('\t').next().unwrap_or("")))).collect();
    assert!(!clips.is_empty(), "the clips hold no audio");
    clips.iter().copied().cycle().take(seconds * RATE_HZ).collect()
}

fn decode(path: &Path) -> Vec<f32> {
    let mut file = AudioFile::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!((file.rate_hz() as usize, file.channels()), (RATE_HZ, 1), "{}", path.display());
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
        samples.extend_from_slice(block);
    }
    samples
}

/// Resident memory of this process in MB of 10⁶ bytes, where the system tells: all of it, and the part that is its own
/// and not mapped from files.
pub fn resident_mb() -> Option<(f64, f64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024.0 / 1e6)
    };
    Some((field("VmRSS:")?, field("RssAnon:")?))
}
