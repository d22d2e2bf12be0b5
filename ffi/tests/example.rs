//! The C example transcribes a file and standard input.
#![cfg(unix)]

mod common;

use std::{
    fs::{self, File},
    process::Command,
};

use common::{CLIP, Library, compile_from, model, output_of, root, scratch};

#[test]
fn the_microphone_example_lists_or_says_why_not() {
    let program = compile_from(&root().join("examples/c/microphone.c"), Library::Shared, &[], "example");
    let listed = Command::new(&program).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success() || said.contains("capture") || said.contains("sound"), "{said}");
    let failed = Command::new(&program).arg("no-such-model").output().unwrap();
    assert!(String::from_utf8_lossy(&failed.stderr).contains("model error"));
}

#[test]
fn the_example_transcribes_a_file_and_standard_input() {
    let source = root().join("examples/c/transcribe.c");
    let program = compile_from(&source, Library::Shared, &[], "example");
    let clip = root().join(CLIP);
    let of_file = output_of(Command::new(&program).arg(model()).arg(&clip));
    let text = of_file.lines().next().unwrap_or_default();
    let words: Vec<&str> = of_file.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
    assert!(!text.is_empty(), "nothing was recognized in {CLIP}");
    assert_eq!(words.join(" "), text);

    // The samples begin behind the 44 bytes of the header.
    let raw = scratch().join("example.raw");
    fs::write(&raw, &fs::read(&clip).unwrap()[44..]).unwrap();
    let of_stream = output_of(Command::new(&program).arg(model()).arg("-").stdin(File::open(raw).unwrap()));
    assert!(of_stream.lines().count() > 0);
    assert!(of_stream.lines().all(|line| line.starts_with('[') && line.contains(" s] ")), "{of_stream}");

    let failed = Command::new(&program).args(["no-such-model", "-"]).output().unwrap();
    assert!(!failed.status.success());
    assert!(String::from_utf8_lossy(&failed.stderr).contains("model error"));
}
