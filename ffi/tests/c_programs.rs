//! Compiles the programs of `tests/c` with the system's compilers, links them with the library that cargo built, and
//! runs them: as they are, under sanitizers, and under valgrind.
#![cfg(unix)]

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use common::{CLIP, Library, compile, compiler_takes, model, output_of, root};
use linnet::{AudioFormat, Engine, audio::AudioFile};

const PROGRAMS: [&str; 8] =
    ["recognize.c", "settings.c", "misuse.c", "threads.c", "live.c", "cycles.c", "start.c", "recognize.cpp"];

/// Cycles of `cycles.c` when `LINNET_CYCLES` asks for no other number.
const CYCLES: &str = "200";

const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// `recognize.c` finds by each of its ways what the engine finds in Rust.
fn check_recognize(program: PathBuf) {
    let clip = root().join(CLIP);
    let expected = transcribe(&clip);
    assert!(!expected.is_empty(), "nothing was recognized in {CLIP}");
    let printed = output_of(Command::new(program).arg(model()).arg(clip));
    assert_eq!(printed, format!("{expected}\n{expected}\n{expected}\n{expected}\n\n"));
}

fn transcribe(path: &Path) -> String {
    let mut file = AudioFile::open(path).unwrap();
    let format = AudioFormat { rate_hz: file.rate_hz(), channels: file.channels() as u16 };
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend_from_slice(block);
    }
    Engine::open(model()).unwrap().transcribe(&samples, format).unwrap().text().to_owned()
}

#[test]
fn programs_pass_with_the_shared_library() {
    for source in PROGRAMS {
        if !compiler_takes(source, &[]) {
            println!("skipped: {source}: its compiler is not installed");
            continue;
        }
        let program = compile(source, Library::Shared, &[], "shared");
        match source {
            "recognize.c" => check_recognize(program),
            "cycles.c" => {
                let cycles = std::env::var("LINNET_CYCLES").unwrap_or_else(|_| CYCLES.into());
                let growth = output_of(Command::new(program).arg(model()).arg(&cycles));
                println!("growth of resident memory over {cycles} cycles: {} KiB", growth.trim());
            }
            _ => run(source, Command::new(program).arg(model())),
        }
    }
}

/// Runs a program with what it takes besides the model.
fn run(source: &str, program: &mut Command) {
    if matches!(source, "settings.c" | "start.c" | "recognize.c") {
        program.arg(root().join(CLIP));
    }
    let printed = output_of(program);
    if source == "start.c" {
        println!("µs to open the model, to make a stream, from there to the first words, in all: {}", printed.trim());
    }
}

#[test]
fn a_program_passes_with_the_static_library() {
    check_recognize(compile("recognize.c", Library::Static, &[], "static"));
}

#[test]
fn programs_pass_under_sanitizers() {
    // cycles.c measures memory, of which sanitizers hold some back.
    for source in PROGRAMS.into_iter().filter(|&source| source != "cycles.c") {
        if !compiler_takes(source, SANITIZERS) {
            println!("skipped: {source}: its compiler has no address and undefined-behaviour sanitizers");
            continue;
        }
        let program = compile(source, Library::Shared, SANITIZERS, "sanitized");
        match source {
            "recognize.c" => check_recognize(program),
            _ => run(source, Command::new(program).arg(model())),
        }
    }
}

#[test]
fn programs_pass_under_valgrind() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return;
    }
    // Recognition takes minutes there.
    let all = std::env::var_os("LINNET_VALGRIND").is_some();
    let sources =
        if all { &["misuse.c", "recognize.c", "settings.c", "threads.c", "live.c"][..] } else { &["misuse.c"] };
    for &source in sources {
        let program = compile(source, Library::Shared, &[], "valgrind");
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
        valgrind.arg("--errors-for-leak-kinds=definite,possible");
        run(source, valgrind.arg(program).arg(model()));
    }
}
