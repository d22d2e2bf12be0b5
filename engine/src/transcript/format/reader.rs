//! Spoken words, and how far a rule had to look.

use std::{cell::Cell, ops::Range};

/// The words of an utterance in lower case, without the punctuation around them.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    lower: String,
    words: Vec<SpokenWord>,
}

#[derive(Debug)]
struct SpokenWord {
    core: Range<usize>,
    /// The model wrote punctuation behind it: no rule reaches over that.
    break_after: bool,
}

/// Punctuation that a model may write around a word.
fn is_mark(c: char) -> bool {
    matches!(c, '.' | ',' | '?' | '!' | ';' | ':' | '"' | '(' | ')' | '…' | '“' | '”')
}

/// A word without the punctuation behind it, and that punctuation.
pub(super) fn split_marks(word: &str) -> (&str, &str) {
    let core = word.trim_end_matches(is_mark);
    // Abbreviations such as "p.m." keep their dots.
    if core.contains('.') && word[core.len()..].starts_with('.') {
        return word.split_at(core.len() + 1);
    }
    if core.is_empty() { (word, "") } else { word.split_at(core.len()) }
}

impl Spoken {
    pub(super) fn clear(&mut self) {
        self.lower.clear();
        self.words.clear();
    }

    pub(super) fn push(&mut self, word: &str) {
        let (core, marks) = split_marks(word);
        let start = self.lower.len();
        for c in core.trim_start_matches(is_mark).chars() {
            self.lower.extend(c.to_lowercase());
        }
        self.words.push(SpokenWord { core: start..self.lower.len(), break_after: !marks.is_empty() });
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }
}

/// Reads words for one group, and remembers the furthest one that was asked for: whatever was decided depends on no
/// word behind that, so more words can't change it.
pub(super) struct Reader<'a> {
    spoken: &'a Spoken,
    start: usize,
    seen: Cell<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(spoken: &'a Spoken, start: usize) -> Self {
        Self { spoken, start, seen: Cell::new(start + 1) }
    }

    /// Number of words, from the first one of the utterance, that were needed to decide.
    pub(super) fn seen(&self) -> usize {
        self.seen.get()
    }

    /// A word of the group or behind it; empty where there is none, or where punctuation parts it from the group.
    pub(super) fn get(&self, index: usize) -> &'a str {
        if index > self.start && self.spoken.words.get(index - 1).is_some_and(|word| word.break_after) {
            return "";
        }
        self.seen.set(self.seen.get().max(index + 1));
        self.spoken.words.get(index).map_or("", |word| &self.spoken.lower[word.core.clone()])
    }

    /// The word before the group; empty at the start of the utterance.
    pub(super) fn before(&self) -> &'a str {
        let Some(word) = self.start.checked_sub(1).and_then(|index| self.spoken.words.get(index)) else { return "" };
        if word.break_after { "" } else { &self.spoken.lower[word.core.clone()] }
    }

    /// Whether these words come next.
    pub(super) fn are(&self, index: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, &word)| self.get(index + offset) == word)
    }
}
