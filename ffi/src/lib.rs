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
mod devices;
mod engine;
mod error;
mod event;
mod format;
mod grammar;
mod handles;
mod hotwords;
mod language_model;
mod live;
mod logging;
mod memory;
mod metrics;
mod policy;
mod stream;
mod transcript;
mod value;
mod version;

pub use config::{linnet_stream_config_init, linnet_stream_config_t};
pub use devices::*;
pub use engine::*;
pub use error::{linnet_last_error, linnet_status_name, linnet_status_t};
pub use event::*;
pub use format::*;
pub use grammar::*;
pub use hotwords::*;
pub use language_model::*;
pub use live::*;
pub use logging::*;
pub use metrics::*;
pub use policy::*;
pub use stream::*;
pub use transcript::*;
pub use version::*;
