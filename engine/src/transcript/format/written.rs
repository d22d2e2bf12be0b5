//! Words as they are written.

use std::{ops::Range, time::Duration};

/// The written form of an utterance.
#[derive(Debug, Default, PartialEq)]
pub struct Written {
    pub(super) text: String,
    pub(super) words: Vec<WrittenWord>,
    pub(super) confirmed: usize,
}

/// A written word: often one spoken word, several for a number, none of its own for what was deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenWord {
    pub(super) span: Range<usize>,
    /// The spoken words that it stands for, as indices into [`Hypothesis::words`](crate::Hypothesis::words).
    pub source: Range<usize>,
    /// Start of the first of them.
    pub start: Duration,
    /// End of the last of them.
    pub end: Duration,
    /// Least confidence of them.
    pub confidence: f32,
}

impl Clone for Written {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    /// Copies into the storage that is there.
    fn clone_from(&mut self, source: &Self) {
        self.text.clone_from(&source.text);
        self.words.clone_from(&source.words);
        self.confirmed = source.confirmed;
    }
}

impl Written {
    /// The words, separated by single spaces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The words with times.
    pub fn words(&self) -> &[WrittenWord] {
        &self.words
    }

    /// The text of a word. It may hold spaces: "5 PM" is one.
    pub fn word_text(&self, word: &WrittenWord) -> &str {
        self.text.get(word.span.clone()).unwrap_or("")
    }

    /// How many leading words will not change any more in this utterance. All of them in a final.
    pub fn confirmed(&self) -> usize {
        self.confirmed
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
        self.confirmed = 0;
    }
}
