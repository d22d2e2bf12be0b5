//! What an utterance means to a host that gave a grammar.

use std::time::Duration;

/// Meaning of an utterance in the grammar of its stream.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Interpretation {
    /// Name of the public rule that was said; `None` when nothing in the grammar fits.
    pub intent: Option<String>,
    /// The slots that were filled, in the order of the words.
    pub slots: Vec<Slot>,
    /// How much better the grammar explains the utterance than free speech does: logarithm of a ratio of
    /// probabilities for each token. Near 0 when it fits, far below when not.
    pub margin: f32,
    /// Whether the utterance counts as said in the grammar. When not, the words of the hypothesis are those of free
    /// speech, and intent and slots are the best guess: ask again.
    pub accepted: bool,
}

/// A filled slot of an [`Interpretation`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Slot {
    /// Name of the slot.
    pub name: String,
    /// Value of its tag in the grammar, or the words that were said.
    pub value: String,
    /// Where it starts in the stream.
    pub start: Duration,
    /// Where it ends in the stream.
    pub end: Duration,
    /// How sure the value is among all readings in the grammar, 0 to 1.
    pub confidence: f32,
}

/// Another hypothesis of a finished utterance.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alternative {
    /// Its words.
    pub text: String,
    /// Logarithm of its probability, what is fused in included, relative to the others.
    pub score: f32,
}
