//! The fuzz targets of `fuzz`, without a fuzzer: every seed, and thousands of inputs that are made of them by chance, the
//! same ones each time. `LINNET_FUZZ_RUNS` sets another number of inputs for each target; `LINNET_FUZZ_SEEDS` names a folder
//! to write the seeds to, for a fuzzer.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use fuzz::TARGETS;

/// Inputs of each target when nothing else is asked for.
const RUNS: usize = 2000;

/// Longest input that is made of nothing.
const LONGEST: usize = 512;

/// An input made of a seed, or of nothing.
fn input(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    if random.u8(..8) == 0 {
        return (0..random.usize(..LONGEST)).map(|_| random.u8(..)).collect();
    }
    let mut bytes = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..bytes.len().max(1));
        match random.u8(..6) {
            0 => bytes.truncate(at),
            1 => bytes.splice(at..at, (0..random.usize(..16)).map(|_| random.u8(..))).for_each(drop),
            2 => bytes.drain(at..(at + random.usize(..16)).min(bytes.len())).for_each(drop),
            3 => {
                let other = &seeds[random.usize(..seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.usize(..other.len().max(1)).min(other.len())..]);
            }
            4 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = [0, 0xFF, 0x7F, 0x80][random.usize(..4)]),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.u8(..)),
        }
    }
    bytes
}

fn run(name: &str) {
    let runs = std::env::var("LINNET_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let (_, target, seeds) = TARGETS.into_iter().find(|target| target.0 == name).unwrap();
    let (seeds, mut random) = (seeds(), fastrand::Rng::with_seed(20_26));
    assert!(!seeds.is_empty());
    if let Some(folder) = std::env::var_os("LINNET_FUZZ_SEEDS") {
        let folder = std::path::PathBuf::from(folder).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
    }
    let began = Instant::now();
    let made = (0..runs).map(|_| input(&mut random, &seeds));
    for bytes in seeds.iter().cloned().chain(made) {
        if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
            let path = std::env::temp_dir().join(format!("linnet-fuzz-{name}"));
            std::fs::write(&path, &bytes).unwrap();
            panic!("the target {name} failed on {} bytes, kept in {}", bytes.len(), path.display());
        }
    }
    println!("{name}: {} inputs in {:.1} s", seeds.len() + runs, began.elapsed().as_secs_f64());
}

#[test]
fn audio() {
    run("audio");
}

#[test]
fn calls() {
    run("calls");
}

#[test]
fn config() {
    run("config");
}

#[test]
fn file() {
    run("file");
}

#[test]
fn model() {
    run("model");
}
