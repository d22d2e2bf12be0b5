//! The scripts of `packaging`: their plans on any system, and on Linux the library that they link.
#![cfg(unix)]

mod common;

use std::{fs, process::Command};

use common::{CLIP, Library, library_folder, model, output_of, root, scratch};

fn plan(script: &str) -> String {
    let mut plan = Command::new("bash");
    plan.arg(root().join("ffi/packaging").join(script)).args([
        "--dry-run",
        "--features",
        "capture",
        "--out",
        "/nowhere",
    ]);
    plan.env_remove("ANDROID_NDK_HOME").env_remove("CARGO_TARGET_DIR").env("CARGO_TERM_COLOR", "never");
    output_of(&mut plan)
}

#[test]
fn plans_name_what_is_built_and_made() {
    for (script, parts) in [
        ("linux.sh", &["-soname", "--version-script", "linnet.pc", "linnet-config.cmake", "-lasound"][..]),
        (
            "android.sh",
            &["max-page-size=16384", "aarch64-linux-android", "x86_64-linux-android", "classes.jar", ".aar"],
        ),
        ("apple.sh", &["aarch64-apple-ios-sim", "lipo", "-create-xcframework", "module.modulemap", ".zip"]),
        ("windows.sh", &["x86_64-pc-windows", "linnet_ffi.dll", ".zip"]),
    ] {
        let plan = plan(script);
        for part in ["--profile embedded", "--features capture", "linnet.h"].iter().chain(parts) {
            let by_hand = *part == "linnet.h" && script == "android.sh";
            assert!(by_hand || plan.contains(part), "{script} has no {part}:\n{plan}");
        }
        assert!(plan.contains(env!("CARGO_PKG_VERSION")) || script == "apple.sh", "{plan}");
    }
    let unknown = Command::new("bash").arg(root().join("ffi/packaging/linux.sh")).arg("--dry").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(!std::path::Path::new("/nowhere").exists());
}

#[test]
fn scripts_pass_shellcheck() {
    if Command::new("shellcheck").arg("--version").output().is_err() {
        println!("skipped: shellcheck is not installed");
        return;
    }
    let scripts = fs::read_dir(root().join("ffi/packaging")).unwrap().map(|entry| entry.unwrap().path());
    let mut check = Command::new("shellcheck");
    check.arg("--external-sources").current_dir(root());
    output_of(check.args(scripts.filter(|path| path.extension().is_some_and(|extension| extension == "sh"))));
}

/// The library as `linux.sh` links it, of the archive that cargo built for this test.
#[test]
#[cfg(target_os = "linux")]
fn symbols_have_versions_and_the_library_a_soname() {
    if Command::new("readelf").arg("--version").output().is_err() {
        println!("skipped: readelf is not installed");
        return;
    }
    let library = scratch().join("liblinnet.so.2");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-Wl,-soname,liblinnet.so.2", "-Wl,--gc-sections", "-Wl,--no-undefined", "-o"]).arg(&library);
    cc.arg(format!("-Wl,--version-script={}", root().join("ffi/packaging/linnet.map").display()));
    cc.arg("-Wl,--whole-archive").arg(library_folder().join("liblinnet_ffi.a")).arg("-Wl,--no-whole-archive");
    output_of(cc.args(["-lm", "-lpthread", "-ldl"]));
    let symbols = output_of(Command::new("readelf").args(["--dyn-syms", "--wide"]).arg(&library));
    let exported: Vec<&str> = symbols
        .lines()
        .filter(|line| line.contains(" GLOBAL ") && !line.contains(" UND "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert!(exported.contains(&"linnet_engine_open@@LINNET_2"), "{exported:?}");
    let foreign: Vec<_> = exported
        .iter()
        .filter(|name| !(name.starts_with("linnet_") && name.ends_with("@@LINNET_2") || **name == "LINNET_2"))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");

    // A program against it runs.
    let program = common::compile("recognize.c", Library::At(&library), &[], "packaged");
    assert!(!output_of(Command::new(program).arg(model()).arg(root().join(CLIP))).trim().is_empty());
}
