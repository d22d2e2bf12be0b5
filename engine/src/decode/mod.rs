//! Transducer decoding: encoder frames to tokens.
//!
//! A search takes encoder frames as they come and gives out [`Token`]s: [`Greedy`] follows the best one, [`Beam`] the
//! best few hypotheses. [`Hotwords`] bias either towards phrases that the host expects; a [`Grammar`] keeps the beam to
//! what can be said and fills slots; a [`LanguageModel`] tells it which texts are likely. What a token means is the [`transcript`](crate::transcript)'s business.

mod beam;
mod grammar;
mod greedy;
mod hotwords;
mod ngram;
mod search;
mod spelling;
#[cfg(test)]
mod testing;
mod token;

pub use beam::{Beam, BeamConfig};
pub use grammar::{Grammar, GrammarError, Parse, SlotValue};
pub use greedy::Greedy;
pub use hotwords::{Hotword, HotwordError, Hotwords, RejectedHotword};
pub use ngram::{LanguageModel, NgramError};
pub(crate) use search::{Search, SearchConfig};
pub use spelling::{Speller, SpellingError};
pub use token::{Decoded, Token};
