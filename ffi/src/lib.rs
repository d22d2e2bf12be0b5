//! The C ABI of Linnet: `include/linnet.h`, which cbindgen makes from this crate.
//!
//! Every function goes through the same gate: arguments are checked (`memory`), handles are looked up in a table with
//! generations (`handles`), panics and errors become a status and a thread-local message (`error`). Names are those of
//! the header.
#![allow(non_camel_case_types, reason = "types are named as in the header that is generated from them")]
#![allow(
    clippy::missing_safety_doc,
    reason = "documentation is the header's, for callers in C: what they owe is said there in C's terms"
)]

mod config;
mod delivery;
mod engine;
mod error;
mod event;
mod handles;
mod live;
mod memory;
mod metrics;
mod stream;
mod transcript;
mod version;

pub use config::*;
pub use engine::*;
pub use error::{linnet_last_error, linnet_status_name, linnet_status_t};
pub use event::*;
pub use live::*;
pub use metrics::*;
pub use stream::*;
pub use transcript::*;
pub use version::*;
