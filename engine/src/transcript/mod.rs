//! Tokens to words, words to interim and final text.
//!
//! The assembler turns the tokens of the search into the words of a [`Hypothesis`]: subword pieces are joined,
//! frames become times, token posteriors become word confidences. [`mod@format`] writes those words as a reader expects them.

mod assembler;
pub mod confidence;
pub mod format;
mod hypothesis;
mod interpretation;
pub mod search;

pub(crate) use assembler::Assembler;
pub use hypothesis::{Hypothesis, Word};
pub use interpretation::{Alternative, Interpretation, Slot};
