//! Endpointing: hears in the log-mel frames when somebody speaks and when an utterance is over, and closes the gate of
//! the encoder in between.
//!
//! ```text
//! log-mel ─► Network ─► P(speech) ─► Activity ─► speech started, silence ─┐
//!    │          └─────► P(end) ───────────────────────────────────────────┼─► Policy ─► the utterance is over
//!    └────────► Gate ─► encoder ─► decoder ─► words ──────────────────────┘
//! ```
//!
//! The network runs on features alone, so that it costs next to nothing and works while the encoder rests. A model
//! without one falls back to the silence after the last word.

mod activity;
mod endpointer;
mod gate;
mod history;
mod network;
mod phrase;
mod policy;

pub(crate) use endpointer::Endpointer;

pub use activity::Activity;
pub use gate::Gate;
pub use history::History;
pub use network::{Network, NetworkState, Scores};
pub use phrase::is_unfinished;
pub use policy::Policy;
