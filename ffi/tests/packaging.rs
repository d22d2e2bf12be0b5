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

/// What `linux.sh` makes of the archive that cargo built for this test, unpacked somewhere else: a program finds it through
/// pkg-config, others through CMake.
#[test]
#[cfg(target_os = "linux")]
fn programs_find_the_package() {
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !["cargo", "strip", "tar", "pkg-config"].into_iter().all(there) {
        println!("skipped: cargo, strip, tar or pkg-config is not installed");
        return;
    }
    let out = scratch().join("package");
    let _ = fs::remove_dir_all(&out);
    let mut script = Command::new("bash");
    script.arg(root().join("ffi/packaging/linux.sh")).arg("--out").arg(&out);
    script.env("STATIC_LIBRARY", library_folder().join("liblinnet_ffi.a"));
    let printed = output_of(&mut script);
    let archive = printed.lines().last().unwrap();
    let clean = out.join("clean");
    fs::create_dir(&clean).unwrap();
    output_of(Command::new("tar").args(["--strip-components=1", "-xzf", archive, "-C"]).arg(&clean));

    let mut found = Command::new("pkg-config");
    found.args(["--cflags", "--libs", "linnet"]).env("PKG_CONFIG_PATH", clean.join("lib/pkgconfig"));
    let flags = output_of(&mut found);
    let program = out.join("transcribe");
    let mut cc = Command::new("cc");
    cc.arg("-o").arg(&program).arg(root().join("examples/c/transcribe.c")).args(flags.split_whitespace());
    output_of(cc.arg("-lm").arg(format!("-Wl,-rpath,{}", clean.join("lib").display())));
    let needed = output_of(Command::new(&program).arg(model()).arg(root().join(CLIP)));
    assert!(!needed.trim().is_empty());

    if !there("cmake") {
        println!("skipped: cmake is not installed");
        return;
    }
    let source = out.join("cmake");
    fs::create_dir(&source).unwrap();
    fs::copy(root().join("examples/c/transcribe.c"), source.join("transcribe.c")).unwrap();
    let lists = "cmake_minimum_required(VERSION 3.16)\nproject(program C)\nfind_package(linnet REQUIRED)\n\
                 add_executable(shared transcribe.c)\ntarget_link_libraries(shared PRIVATE linnet::linnet m)\n\
                 add_executable(static transcribe.c)\ntarget_link_libraries(static PRIVATE linnet::static m)\n";
    fs::write(source.join("CMakeLists.txt"), lists).unwrap();
    let build = source.join("build");
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", clean.display());
    output_of(Command::new("cmake").arg("-S").arg(&source).arg("-B").arg(&build).arg(prefix));
    output_of(Command::new("cmake").arg("--build").arg(&build));
    for name in ["shared", "static"] {
        let said = output_of(Command::new(build.join(name)).arg(model()).arg(root().join(CLIP)));
        assert_eq!(said, needed, "{name}");
    }
}
