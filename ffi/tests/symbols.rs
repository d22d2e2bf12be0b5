//! The shared library exports what the header declares, and nothing else.
#![cfg(target_os = "linux")]

mod common;

use std::{collections::BTreeSet, process::Command};

use common::{output_of, shared_library};

/// Names of the functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = include_str!("../include/linnet.h");
    let code: String = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/', '#'])).collect();
    code.split('(')
        .filter_map(|before| before.rsplit([' ', '*']).next())
        // A type of functions is written (*linnet_…_t)(…).
        .filter(|name| name.starts_with("linnet_") && !name.ends_with(')'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_exported_symbols_are_those_of_the_header() {
    if Command::new("nm").arg("--version").output().is_err() {
        println!("skipped: nm is not installed");
        return;
    }
    let listing = output_of(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(shared_library()));
    let exported: BTreeSet<String> =
        listing.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert!(declared().len() > 20, "the header was not understood: {:?}", declared());
    assert_eq!(exported, declared());
}
