//! What the tests of the command share.
#![allow(dead_code)] // each test binary uses a part

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The command with its arguments, not yet run.
pub fn linnet<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linnet"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub fn run<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    linnet(args).output().unwrap()
}

/// Runs the command with bytes on standard input.
pub fn run_with_input<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Output {
    let mut child = linnet(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // The command may refuse its arguments and not read at all.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    })
}

/// The exit code.
pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The speech clips of the test suite.
pub fn speech() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/tests/data/speech")
}

/// The names in a folder's transcripts.tsv.
pub fn clips() -> Vec<PathBuf> {
    let table = std::fs::read_to_string(speech().join("transcripts.tsv")).unwrap();
    table.lines().skip(1).map(|line| speech().join(line.split('\t').next().unwrap())).collect()
}

/// A tone of some seconds as 16-bit little-endian samples at 16 kHz: audio without words.
pub fn tone(seconds: f32) -> Vec<u8> {
    (0..(seconds * 16_000.0) as usize)
        .map(|i| ((i as f32 * 0.17).sin() * 3000.0) as i16)
        .flat_map(i16::to_le_bytes)
        .collect()
}

/// A 16 kHz mono WAV file around samples.
pub fn wav(samples: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(44 + samples.len());
    let length = u32::try_from(samples.len()).unwrap();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + length).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&16_000_u32.to_le_bytes());
    bytes.extend_from_slice(&32_000_u32.to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(samples);
    bytes
}

/// The objects of JSON lines.
pub fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
