//! The words of an utterance.

use std::{ops::Range, time::Duration};

use super::{Alternative, Interpretation, confidence::Evidence, format::Written};

/// The words of one utterance as far as they are known.
///
/// Storage is reused by the stream; clone it to keep it.
#[derive(Debug, Default, PartialEq)]
pub struct Hypothesis {
    pub(crate) text: String,
    pub(crate) words: Vec<Word>,
    pub(crate) sequence: u64,
    pub(crate) confirmed: usize,
    pub(crate) start: Duration,
    pub(crate) end: Duration,
    pub(crate) speech_final: bool,
    pub(crate) from_finalize: bool,
    pub(crate) written: Option<Written>,
    pub(crate) interpretation: Option<Interpretation>,
    pub(crate) alternatives: Vec<Alternative>,
}

/// One word of a [`Hypothesis`].
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub(crate) span: Range<usize>,
    /// Where it starts in the stream.
    pub start: Duration,
    /// Where it ends in the stream.
    pub end: Duration,
    /// Probability that the word is right, 0 to 1.
    pub confidence: f32,
    /// What the confidence is made from.
    pub evidence: Evidence,
    /// Who says it, as a number from zero; `None` where the stream does not tell speakers apart
    /// ([`StreamConfig::speakers`](crate::StreamConfig::speakers)), or can't yet. It may change until
    /// [`Hypothesis::end`] is 2 s behind the word, and not any more then, nor in a final.
    pub speaker: Option<u8>,
}

impl Clone for Hypothesis {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    /// Copies into the storage that is there; allocates only when it is too small.
    fn clone_from(&mut self, source: &Self) {
        self.text.clone_from(&source.text);
        self.words.clone_from(&source.words);
        self.sequence = source.sequence;
        self.confirmed = source.confirmed;
        self.start = source.start;
        self.end = source.end;
        self.speech_final = source.speech_final;
        self.from_finalize = source.from_finalize;
        self.written.clone_from(&source.written);
        self.interpretation.clone_from(&source.interpretation);
        self.alternatives.clone_from(&source.alternatives);
    }
}

/// Storage that an utterance of ordinary length does not outgrow.
const TYPICAL_TEXT: usize = 1024;
const TYPICAL_WORDS: usize = 192;

impl Hypothesis {
    /// An empty one with storage for an utterance of ordinary length.
    pub(crate) fn roomy() -> Self {
        Self { text: String::with_capacity(TYPICAL_TEXT), words: Vec::with_capacity(TYPICAL_WORDS), ..Self::default() }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
        self.confirmed = 0;
        self.speech_final = false;
        self.from_finalize = false;
        self.interpretation = None;
        self.alternatives.clear();
    }

    /// The words, separated by single spaces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The words with times and confidences.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// The text of a word of this hypothesis.
    pub fn word_text(&self, word: &Word) -> &str {
        self.text.get(word.span.clone()).unwrap_or("")
    }

    /// Number of this hypothesis among all interims and finals of the stream, from 1.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The words as they are written, where the stream formats them
    /// ([`StreamConfig::format`](crate::StreamConfig::format)).
    pub fn written(&self) -> Option<&Written> {
        self.written.as_ref()
    }

    /// How many leading words will not change any more in this utterance. All of them in a final.
    pub fn confirmed(&self) -> usize {
        self.confirmed
    }

    /// Where the utterance starts in the stream: the end of the previous one.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// Up to where audio was taken into account.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Whether a pause ended the utterance (and not a limit or a host's request).
    pub fn speech_final(&self) -> bool {
        self.speech_final
    }

    /// Whether a host's `finalize` or `finish` made this final.
    pub fn from_finalize(&self) -> bool {
        self.from_finalize
    }

    /// What it means in the grammar of the stream; `None` in interims and without a grammar.
    pub fn interpretation(&self) -> Option<&Interpretation> {
        self.interpretation.as_ref()
    }

    /// Hypotheses of the whole utterance, what the final says first and then the likeliest, as many as
    /// [`StreamConfig::alternatives`](crate::StreamConfig::alternatives) asks for and the beam holds.
    pub fn alternatives(&self) -> &[Alternative] {
        &self.alternatives
    }

    /// Mean confidence of the words, that is the share of them that is expected to be right; 0 where there are none.
    pub fn confidence(&self) -> f32 {
        if self.words.is_empty() {
            return 0.0;
        }
        self.words.iter().map(|word| word.confidence).sum::<f32>() / self.words.len() as f32
    }
}
