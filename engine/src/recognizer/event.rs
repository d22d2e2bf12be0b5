//! What a stream tells its host.

use std::time::Duration;

use crate::transcript::Hypothesis;

/// Something that happened in the stream. Borrowed from the stream, which reuses its storage; clone the
/// [`Hypothesis`] to keep it.
///
/// All times are positions in the stream's audio, zero at its first sample.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The first word of an utterance was recognized.
    SpeechStarted {
        /// Start of that word.
        at: Duration,
    },
    /// The words of the running utterance so far. Never the same twice in a row; words below
    /// [`Hypothesis::confirmed`] don't change any more.
    Interim(&'a Hypothesis),
    /// The words of a finished utterance.
    Final(&'a Hypothesis),
    /// The utterance is over.
    UtteranceEnd {
        /// End of its last word.
        last_word_end: Duration,
    },
    /// Audio was lost before it reached the recognizer.
    Gap {
        /// Where it begins.
        at: Duration,
        /// How much is missing.
        length: Duration,
    },
}
