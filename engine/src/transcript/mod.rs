//! Tokens to words, words to interim and final text.

mod hypothesis;

pub use hypothesis::{Hypothesis, Word};
