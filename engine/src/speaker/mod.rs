//! Who speaks: online diarization.
//!
//! A small [network](Network) runs over the log-mel features, once, and keeps sums of its channels from which any stretch
//! can be embedded. Stretches of 1.7 s are clustered as they come into a bounded number of voices; a label is settled
//! 1.9 s after its audio. Voices have numbers from zero in the order in which they are first heard, and no names.
//!
//! A stream does this when [`StreamConfig::speakers`](crate::StreamConfig::speakers) asks for it, and labels its words
//! ([`Word::speaker`](crate::Word::speaker)). A [`Diarizer`] does it without recognizing words.

mod cluster;
mod diarizer;
mod network;
mod tracker;

pub use diarizer::{Diarizer, SpeakerTurn};
pub use network::{Network, NetworkState, Sums};
pub(crate) use tracker::Tracker;

/// How speakers are told apart. Start from [`SpeakerConfig::default`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpeakerConfig {
    /// Most speakers, 1 to [`SpeakerConfig::MOST`]. When there are as many, everybody else counts as the one they sound
    /// most like. A host that knows how many there can be gets fewer errors by saying so.
    pub most: usize,
    /// Cosine between voices below which they are two people's; `None` takes the one that the model was measured with.
    /// Lower makes fewer speakers.
    pub threshold: Option<f32>,
}

impl SpeakerConfig {
    /// As many speakers as can be told apart in a stream.
    pub const MOST: usize = 16;
}

impl Default for SpeakerConfig {
    /// Up to 4 speakers, by the threshold of the model.
    fn default() -> Self {
        Self { most: 4, threshold: None }
    }
}
