//! The bindings of `examples` on the library that cargo built for this test: their own tests, run by what they are
//! written for. What the system lacks is skipped with a message.
#![cfg(unix)]

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{CLIP, library_folder, model, output_of, root, scratch, shared_library};

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

#[test]
fn python() {
    if !is_there("python3") {
        return;
    }
    let mut tests = Command::new("python3");
    tests.args(["-m", "unittest", "discover", "-s", "examples/python/tests"]).current_dir(root());
    output_of(tests.env("LINNET_LIBRARY", shared_library()).env("PYTHONDONTWRITEBYTECODE", "1"));
}

#[test]
fn node() {
    let folder = root().join("examples/node");
    if !is_there("node") {
        return;
    }
    let koffi = Command::new("node").args(["-e", "require('koffi')"]).current_dir(&folder).output().unwrap();
    if !koffi.status.success() && !install_koffi(&folder) {
        println!(
            "skipped: koffi is not installed, and npm can't install it here (npm install in {})",
            folder.display()
        );
        return;
    }
    let mut tests = Command::new("node");
    tests.args(["--test", "test/"]).current_dir(&folder).env("LINNET_LIBRARY", shared_library());
    output_of(&mut tests);
    let mut program = Command::new("node");
    program.arg("transcribe.js").arg(model()).arg(root().join(CLIP)).current_dir(&folder);
    assert!(!output_of(program.env("LINNET_LIBRARY", shared_library())).trim().is_empty());
}

fn install_koffi(folder: &Path) -> bool {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=0", "--fetch-timeout=20000"]);
    npm.current_dir(folder).output().is_ok_and(|output| output.status.success())
}

/// The Java class and the JNI library of `examples/android`, on a desktop JVM that checks what the library does.
#[test]
fn java() {
    if !is_there("javac") || !is_there("java") {
        return;
    }
    let Some(home) = java_home().filter(|home| home.join("include/jni.h").is_file()) else {
        println!("skipped: the JDK has no jni.h");
        return;
    };
    let (android, out) = (root().join("examples/android"), scratch().join("java"));
    fs::create_dir_all(&out).unwrap();
    let mut javac = Command::new("javac");
    javac.args(["--release", "11", "-Xlint:all,-options", "-Werror", "-d"]).arg(&out);
    javac.arg(android.join("linnet/src/main/java/org/linnet/Linnet.java"));
    output_of(javac.arg(android.join("test/org/linnet/LinnetTest.java")));

    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let library = out.join(format!("{}linnet_jni{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX));
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-fPIC", "-shared", "-I"]);
    cc.arg(home.join("include")).arg("-I").arg(home.join("include").join(system));
    cc.arg("-I").arg(root().join("ffi/include")).arg("-o").arg(&library);
    cc.arg(android.join("linnet/src/main/cpp/linnet_jni.c")).arg(shared_library());
    output_of(cc.arg(format!("-Wl,-rpath,{}", library_folder().display())));

    let mut java = Command::new("java");
    java.args(["-Xcheck:jni", "-cp"]).arg(&out).arg(format!("-Djava.library.path={}", out.display()));
    let printed = output_of(java.arg("org.linnet.LinnetTest").arg(model()).arg(root().join(CLIP)));
    assert!(!printed.contains("WARNING"), "{printed}");
    assert!(printed.starts_with(env!("CARGO_PKG_VERSION")), "{printed}");
}

/// Where the JDK is that `javac` belongs to.
fn java_home() -> Option<PathBuf> {
    if let Some(home) = env::var_os("JAVA_HOME") {
        return Some(home.into());
    }
    let javac =
        env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join("javac")).find(|file| file.is_file())?;
    Some(fs::canonicalize(javac).ok()?.parent()?.parent()?.to_owned())
}

/// The header as the Clang module that Swift imports.
#[test]
fn clang_module() {
    if !is_there("clang") {
        return;
    }
    let folder = scratch().join("module");
    fs::create_dir_all(&folder).unwrap();
    for file in ["include/linnet.h", "packaging/module.modulemap"] {
        let file = root().join("ffi").join(file);
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let source = folder.join("import.m");
    // Swift compares statuses with their constants: both must be of one type.
    let program = "int main(void) {\n\
                   _Static_assert(__builtin_types_compatible_p(linnet_status_t, enum linnet_status_t), \"one type\");\n\
                   _Static_assert(sizeof(linnet_event_kind_t) == 4, \"as in C\");\n\
                   return (int)linnet_abi_version() - LINNET_ABI_VERSION;\n}\n";
    fs::write(&source, format!("@import CLinnet;\n{program}")).unwrap();
    let mut clang = Command::new("clang");
    clang.args(["-fmodules", "-fsyntax-only", "-Wall", "-Werror", "-x", "objective-c", "-I"]).arg(&folder);
    output_of(clang.arg(format!("-fmodules-cache-path={}", folder.join("cache").display())).arg(source));
    // On Linux Swift reads the header as C.
    let source = folder.join("import.c");
    fs::write(&source, format!("#include <linnet.h>\n{program}")).unwrap();
    let mut clang = Command::new("clang");
    output_of(clang.args(["-std=gnu11", "-fsyntax-only", "-D__swift__=60000", "-I"]).arg(&folder).arg(source));
}
