//! Linker settings that depend on the target.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Android devices with 16 KB pages load only libraries whose segments are aligned to them.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("android") {
        println!("cargo::rustc-link-arg-cdylib=-Wl,-z,max-page-size=16384");
    }
}
