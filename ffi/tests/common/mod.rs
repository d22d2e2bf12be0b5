//! What the integration tests share: the model, and the libraries that cargo built for this test.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A speech clip (16 kHz mono 16-bit WAV), from the root of the repository.
pub const CLIP: &str = "engine/tests/data/speech/formats/speech.wav";

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The default model.
pub fn model() -> PathBuf {
    root().join("models/linnet-en.linnet")
}

/// A folder for what tests make.
pub fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The library to link a program with.
#[derive(Clone, Copy)]
pub enum Library<'a> {
    Shared,
    Static,
    /// Another shared one.
    At(&'a Path),
}

/// Where cargo put the libraries: the folder of this test.
pub fn library_folder() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// The shared library.
pub fn shared_library() -> PathBuf {
    library_folder().join(format!("{}linnet_ffi{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX))
}

/// Compiles a program of `tests/c`, and returns its path.
pub fn compile(source: &str, library: Library<'_>, flags: &[&str], name: &str) -> PathBuf {
    compile_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(source), library, flags, name)
}

/// Compiles a program as C11 or C++17 without warnings, and returns its path.
pub fn compile_from(source: &Path, library: Library<'_>, flags: &[&str], name: &str) -> PathBuf {
    let file_name = source.file_name().unwrap().to_str().unwrap();
    let program = scratch().join(format!("{}-{name}", file_name.replace('.', "_")));
    let mut compiler = compiler(file_name);
    compiler.args(["-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-function", "-Werror"]).args(flags);
    compiler.arg("-I").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("include")).arg("-o").arg(&program).arg(source);
    match library {
        Library::Shared => {
            let folder = library_folder();
            compiler.arg(shared_library()).arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        Library::At(path) => {
            compiler.arg(path).arg(format!("-Wl,-rpath,{}", path.parent().unwrap().display()));
        }
        Library::Static => {
            compiler.arg(library_folder().join("liblinnet_ffi.a"));
        }
    }
    let system: &[&str] = if cfg!(target_os = "macos") { &["-lm"] } else { &["-lm", "-lpthread", "-ldl"] };
    output_of(compiler.args(system));
    program
}

/// Compiles a program of `tests/c` without linking it, and returns the path of the object.
pub fn compile_object(source: &str, flags: &[&str], name: &str) -> PathBuf {
    let object = scratch().join(format!("{}-{name}.o", source.replace('.', "_")));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = compiler(source);
    compiler.args(["-O1", "-g", "-c"]).args(flags).arg("-I").arg(folder.join("include")).arg("-o").arg(&object);
    output_of(compiler.arg(folder.join("tests/c").join(source)));
    object
}

/// Whether there is a compiler for this source, and programs that it makes with these flags run.
pub fn compiler_takes(source: &str, flags: &[&str]) -> bool {
    let probe = scratch().join(format!("probe-{}-{source}", flags.len()));
    fs::write(&probe, "int main(void) { return 0; }\n").unwrap();
    let program = probe.with_extension("");
    let made = compiler(source).args(flags).arg("-o").arg(&program).arg(&probe).output();
    made.is_ok_and(|output| output.status.success()) && Command::new(program).status().is_ok_and(|run| run.success())
}

fn compiler(source: &str) -> Command {
    let (variable, default, standard) =
        if source.ends_with(".cpp") { ("CXX", "c++", "-std=c++17") } else { ("CC", "cc", "-std=gnu11") };
    let mut compiler = Command::new(env::var_os(variable).unwrap_or_else(|| default.into()));
    compiler.arg(standard);
    compiler
}

/// Runs a command, which must succeed, and returns what it printed.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}
