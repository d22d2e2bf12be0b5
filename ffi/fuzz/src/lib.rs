//! What a hostile or confused host does to the C ABI. Each module is a target: `run` takes any bytes, does with them what
//! they say, and panics when the library answers otherwise than its header promises; `seeds` are inputs to start from.
//!
//! `cargo fuzz` runs them guided by coverage; `tests/fuzz.rs` of the crate runs the same over the seeds and their
//! mutations, without it.
#![allow(missing_docs, reason = "the targets are all alike: see above")]

pub mod audio;
pub mod calls;
pub mod config;
pub mod file;
pub mod model;

mod host;

/// A target: its name, what it runs, and its seeds.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

pub const TARGETS: [Target; 5] = [
    ("audio", audio::run, audio::seeds),
    ("calls", calls::run, calls::seeds),
    ("config", config::run, config::seeds),
    ("file", file::run, file::seeds),
    ("model", model::run, model::seeds),
];
