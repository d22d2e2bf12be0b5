//! Transducer decoding: encoder frames to tokens.
//!
//! [`Greedy`] takes encoder frames as they come and appends the [`Token`]s they emit. What a token means is the
//! [`transcript`](crate::transcript)'s business.

mod greedy;

pub use greedy::{Greedy, Token};
