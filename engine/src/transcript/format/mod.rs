//! Spoken words to written ones: numbers, money, times, and what a host replaces or hides.
//!
//! A [`Formatter`] goes through an utterance from left to right. At each place the first rule that recognizes the words
//! there writes them as one group; a word that no rule takes is written as it is. A rule sees words only through a
//! `reader::Reader`, which notes the furthest one that it asked for: a group is confirmed once all the words that it
//! was decided by are. So a confirmed group can't change, whatever comes, by construction. Nothing is allocated once
//! the storage has grown to the length of an utterance.

mod calendar;
mod clock;
mod config;
mod digits;
mod number;
mod profanity;
mod quantity;
mod reader;
mod redact;
mod rules;
mod spelling;
mod written;

use super::Hypothesis;
pub use config::{FormatConfig, Redaction};
use reader::{Reader, Spoken, split_marks};
pub use written::{Written, WrittenWord};

/// Writes the words of utterances.
#[derive(Debug, Default)]
pub struct Formatter {
    config: FormatConfig,
    /// Phrases to replace, as words.
    replace: Vec<(Vec<String>, String)>,
    spoken: Spoken,
    written: Written,
    /// The utterance before was cut, so that this one goes on with its sentence.
    in_sentence: bool,
}

impl Formatter {
    /// A formatter at the start of a stream.
    pub fn new(config: FormatConfig) -> Self {
        let replace = config
            .replace
            .iter()
            .map(|(find, with)| (find.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>(), with.clone()))
            .filter(|(find, _)| !find.is_empty())
            .collect();
        Self { config, replace, ..Self::default() }
    }

    /// What it does.
    pub fn config(&self) -> &FormatConfig {
        &self.config
    }

    /// Starts a new stream.
    pub fn reset(&mut self) {
        self.in_sentence = false;
    }

    /// Writes an interim hypothesis. Words below [`Written::confirmed`] stay the same in all later ones of the
    /// utterance, and in its final.
    pub fn interim(&mut self, hypothesis: &Hypothesis) -> &Written {
        self.write(hypothesis, hypothesis.confirmed(), false);
        if self.config.punctuate {
            // A full stop may follow.
            self.written.confirmed = self.written.confirmed.min(self.written.words.len().saturating_sub(1));
        }
        &self.written
    }

    /// Writes a final hypothesis, and goes on to the next utterance.
    pub fn final_(&mut self, hypothesis: &Hypothesis) -> &Written {
        let ended = hypothesis.speech_final() || hypothesis.from_finalize();
        self.write(hypothesis, hypothesis.words().len(), true);
        if self.config.punctuate && ended {
            self.end_sentence();
        }
        self.in_sentence = !ended && (self.in_sentence || !hypothesis.words().is_empty());
        self.written.confirmed = self.written.words.len();
        &self.written
    }

    fn write(&mut self, hypothesis: &Hypothesis, confirmed: usize, is_final: bool) {
        self.spoken.clear();
        self.written.clear();
        let mut cased = false;
        for word in hypothesis.words() {
            let text = hypothesis.word_text(word);
            cased |= text.chars().any(char::is_uppercase);
            self.spoken.push(text);
        }
        let punctuate = self.config.punctuate && !cased;
        // Taken out while groups are written, and put back with its storage.
        let spoken = std::mem::take(&mut self.spoken);
        let mut settled = true;
        let mut i = 0;
        while i < spoken.len() {
            let reader = Reader::new(&spoken, i);
            let before = self.written.text.len();
            if before > 0 {
                self.written.text.push(' ');
            }
            let start = self.written.text.len();
            let end = match self.group(&reader, i) {
                Some(end) => {
                    // What the model wrote behind the last word of a group stands behind the group.
                    let last = hypothesis.words().get(end - 1).map_or("", |word| hypothesis.word_text(word));
                    if self.written.text.len() > start {
                        self.written.text.push_str(split_marks(last).1);
                    }
                    end
                }
                None => {
                    let word = hypothesis.words().get(i).map_or("", |word| hypothesis.word_text(word));
                    self.single(&reader, i, word, punctuate);
                    i + 1
                }
            };
            settled &= is_final || reader.seen() <= confirmed;
            if self.written.text.len() == start {
                self.written.text.truncate(before);
            } else {
                self.push_word(hypothesis, start, i..end);
                if settled {
                    self.written.confirmed = self.written.words.len();
                }
            }
            i = end;
        }
        self.spoken = spoken;
        if !self.config.redact.is_none() {
            let stable = redact::redact(&mut self.written, self.config.redact);
            self.written.confirmed = self.written.confirmed.min(stable);
        }
    }

    /// Writes what a rule recognizes at a place. Returns the place behind it.
    fn group(&mut self, r: &Reader, i: usize) -> Option<usize> {
        let Self { config, replace, written, .. } = self;
        let out = &mut written.text;
        if let Some(end) = replaced(replace, r, i, out) {
            return Some(end);
        }
        if config.smart
            && let Some(end) =
                rules::attempt(spelling::site, r, i, out).or_else(|| rules::attempt(spelling::letters, r, i, out))
        {
            return Some(end);
        }
        if config.numerals || config.smart || !config.redact.is_none() {
            return rules::apply(r, i, config.smart, out);
        }
        None
    }

    /// Writes a word that no rule takes.
    fn single(&mut self, r: &Reader, i: usize, word: &str, punctuate: bool) {
        let out = &mut self.written.text;
        if self.config.profanity_filter && profanity::is_profane(r.get(i)) {
            out.push_str("****");
            out.push_str(split_marks(word).1);
        } else if punctuate {
            write_cased(word, i == 0 && !self.in_sentence, out);
        } else {
            out.push_str(word);
        }
    }

    fn push_word(&mut self, hypothesis: &Hypothesis, start: usize, source: std::ops::Range<usize>) {
        let words = &hypothesis.words()[source.clone()];
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let confidence = words.iter().fold(1.0f32, |least, word| least.min(word.confidence));
        let (begin, end) = (first.start, last.end);
        let span = start..self.written.text.len();
        self.written.words.push(WrittenWord { span, source, start: begin, end, confidence });
    }

    fn end_sentence(&mut self) {
        let Written { text, words, .. } = &mut self.written;
        if let Some(word) = words.last_mut()
            && text.ends_with(char::is_alphanumeric)
        {
            text.push('.');
            word.span.end = text.len();
        }
    }
}

/// The longest phrase to replace that starts at a place.
fn replaced(replace: &[(Vec<String>, String)], r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let matches = |find: &Vec<String>| find.iter().enumerate().all(|(offset, word)| r.get(i + offset) == word);
    let (find, with) = replace.iter().filter(|(find, _)| matches(find)).max_by_key(|(find, _)| find.len())?;
    out.push_str(with);
    Some(i + find.len())
}

/// A word with the capital that English gives it.
fn write_cased(word: &str, starts_sentence: bool, out: &mut String) {
    let name = calendar::proper_name(word);
    let is_i = word == "i" || word.starts_with("i'");
    match (name, starts_sentence || is_i) {
        (Some(name), _) => out.push_str(name),
        (None, true) => {
            let mut chars = word.chars();
            out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
            out.push_str(chars.as_str());
        }
        (None, false) => out.push_str(word),
    }
}

#[cfg(test)]
mod tests;
