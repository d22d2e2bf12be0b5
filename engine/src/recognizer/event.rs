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
    /// Somebody began to speak. It may turn out that no words come of it; the utterance then never ends either.
    SpeechStarted {
        /// Where voice activity begins, or the first word of the utterance where that was noticed earlier.
        at: Duration,
    },
    /// The words of the running utterance so far. Never the same twice in a row; words below
    /// [`Hypothesis::confirmed`] don't change any more. One without words takes back what turned out to be noise: no
    /// final comes of it.
    Interim(&'a Hypothesis),
    /// The words of a finished utterance.
    Final(&'a Hypothesis),
    /// The utterance is over: once for each utterance with words, behind its last final.
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
