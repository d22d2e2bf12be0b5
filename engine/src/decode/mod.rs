//! Transducer decoding: encoder frames to tokens.
//!
//! A search takes encoder frames as they come and gives out [`Token`]s: [`Greedy`] follows the best one. [`Hotwords`]
//! bias it towards phrases that the host expects. What a token means is the [`transcript`](crate::transcript)'s
//! business.

mod greedy;
mod hotwords;
mod spelling;
mod token;

pub use greedy::Greedy;
pub use hotwords::{Hotword, HotwordError, Hotwords, RejectedHotword};
pub use spelling::SpellingError;
pub use token::{Decoded, Token};
