//! Compiles the programs of `tests/c` with the system's compilers, links them with the library that cargo built, and
//! runs them: as they are, under sanitizers, and under valgrind.
#![cfg(unix)]

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use common::{CLIP, Library, compile, compile_object, compiler_takes, model, output_of, root, scratch};
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

/// The programs that call from several threads, under the thread sanitizer, with a library and a standard library that are
/// built for it: only with `LINNET_TSAN=1`, since that takes minutes and a nightly compiler with its sources.
#[test]
#[cfg(target_os = "linux")]
fn threaded_programs_pass_under_the_thread_sanitizer() {
    if std::env::var_os("LINNET_TSAN").is_none() {
        println!("skipped: LINNET_TSAN is not set");
        return;
    }
    let Some(nightly) = Nightly::find() else {
        println!("skipped: no nightly compiler with its sources (rustup component add rust-src --toolchain nightly)");
        return;
    };
    let Some(runtime) = &nightly.thread_sanitizer else {
        println!("skipped: there is no thread sanitizer for {}", nightly.host);
        return;
    };
    let library = nightly.build_for_the_thread_sanitizer();
    for source in ["threads.c", "live.c", "settings.c"] {
        let object = compile_object(source, &["-fsanitize=thread"], "tsan");
        let program = object.with_extension("");
        // The runtime of the Rust compiler, which a library in Rust needs: that of the C compiler may be older.
        let mut link = Command::new("cc");
        link.arg("-o").arg(&program).arg(&object).arg("-Wl,--export-dynamic,--whole-archive").arg(runtime);
        link.arg("-Wl,--no-whole-archive").arg(&library);
        link.arg(format!("-Wl,-rpath,{}", library.parent().unwrap().display()));
        output_of(link.args(["-lm", "-lpthread", "-ldl", "-lrt"]));
        run(source, Command::new(program).arg(model()).env("TSAN_OPTIONS", "halt_on_error=1:exitcode=66"));
        println!("{source}: no data race");
    }
}

/// The nightly compiler, which alone can build a standard library with a sanitizer.
#[cfg(target_os = "linux")]
struct Nightly {
    host: String,
    /// The runtime of its thread sanitizer, where there is one for this machine.
    thread_sanitizer: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
impl Nightly {
    fn find() -> Option<Self> {
        let said = |arguments: &[&str]| {
            let output = Self::run("rustc").args(arguments).output().ok()?;
            String::from_utf8(output.stdout).ok()
        };
        let host = said(&["-vV"])?.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        let rustlib = Path::new(said(&["--print", "sysroot"])?.trim()).join("lib/rustlib");
        rustlib.join("src/rust/library").is_dir().then(|| Self {
            thread_sanitizer: Some(rustlib.join(&host).join("lib/librustc-nightly_rt.tsan.a"))
                .filter(|path| path.is_file()),
            host,
        })
    }

    /// A program of it, without what cargo says about the compiler that built this test.
    fn run(program: &str) -> Command {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", program]);
        for variable in ["CARGO", "RUSTC", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN"] {
            command.env_remove(variable);
        }
        command
    }

    fn build_for_the_thread_sanitizer(&self) -> PathBuf {
        let folder = scratch().join("tsan");
        let mut build = Self::run("cargo");
        build.args(["build", "-Zbuild-std", "-p", "linnet-ffi", "--lib", "--target", &self.host]).current_dir(root());
        // Dependencies take the most time to build, and little to run; decoders of files have no threads.
        build.args(["--no-default-features", "--features", "realtime"]);
        build.args(["--config", "profile.dev.package.'*'.opt-level=1"]);
        for unused in ["candle-core", "tokenizers", "gemm-f32", "gemm-f64", "gemm-c32", "gemm-c64", "gemm-f16"] {
            build.arg("--config").arg(format!("profile.dev.package.{unused}.opt-level=0"));
        }
        output_of(build.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", "-Zsanitizer=thread"));
        folder.join(&self.host).join("debug/liblinnet_ffi.so")
    }
}
