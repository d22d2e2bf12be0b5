//! Finds phrases in recognized words, by spelling and by sound.
//!
//! A recognizer that does not know a name writes what it sounded like. So a window of words is compared with a phrase
//! twice: letter by letter, and by a code of the consonants that English spelling stands for, in which voiced and
//! unvoiced ones, and all vowels, count as the same. Both comparisons are one minus the edit distance (V. I.
//! Levenshtein 1966) over the length of the longer.

use std::time::Duration;

use super::Hypothesis;

/// Least similarity of a hit.
const LEAST: f32 = 0.7;

/// Weight of the sound; the rest is for the spelling.
const SOUND: f32 = 0.5;

/// A word to search in.
#[derive(Clone, Copy, Debug)]
pub struct SearchWord<'a> {
    /// Its text.
    pub text: &'a str,
    /// Where it starts.
    pub start: Duration,
    /// Where it ends.
    pub end: Duration,
    /// Probability that it is right.
    pub confidence: f32,
}

/// A place where a phrase may have been said.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Similarity of the words times their mean confidence, 0 to 1.
    pub confidence: f32,
    /// Start of the first word.
    pub start: Duration,
    /// End of the last word.
    pub end: Duration,
    /// The words that were recognized there.
    pub snippet: String,
}

/// A phrase to look for.
#[derive(Clone, Debug)]
pub struct Search {
    query: String,
    letters: Vec<u8>,
    sound: Vec<u8>,
    words: usize,
}

impl Search {
    /// A search for a phrase of one or more words.
    pub fn new(query: &str) -> Self {
        let words = query.split_whitespace().count();
        Self { letters: letters(query), sound: sound(query), query: query.to_owned(), words }
    }

    /// The phrase.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Where it may have been said, in the order of time. No two hits share a word.
    pub fn hits(&self, words: &[SearchWord<'_>]) -> Vec<Hit> {
        if self.letters.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(f32, usize, usize)> = Vec::new();
        for length in self.words.saturating_sub(1).max(1)..=self.words + 1 {
            for (start, window) in words.windows(length).enumerate() {
                let similarity = self.similarity(window);
                if similarity >= LEAST {
                    found.push((similarity, start, start + length));
                }
            }
        }
        found.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut taken: Vec<(f32, usize, usize)> = Vec::new();
        for hit in found {
            if taken.iter().all(|other| hit.2 <= other.1 || other.2 <= hit.1) {
                taken.push(hit);
            }
        }
        taken.sort_by_key(|hit| hit.1);
        taken.into_iter().map(|(similarity, from, to)| hit(&words[from..to], similarity)).collect()
    }

    /// As [`Search::hits`], in the words of a hypothesis.
    pub fn in_hypothesis(&self, hypothesis: &Hypothesis) -> Vec<Hit> {
        let words: Vec<_> = hypothesis
            .words()
            .iter()
            .map(|word| SearchWord {
                text: hypothesis.word_text(word),
                start: word.start,
                end: word.end,
                confidence: word.confidence,
            })
            .collect();
        self.hits(&words)
    }

    fn similarity(&self, window: &[SearchWord<'_>]) -> f32 {
        let text = window.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
        let spelling = likeness(&self.letters, &letters(&text));
        // The sound can't be more alike than this.
        if SOUND + (1.0 - SOUND) * spelling < LEAST {
            return 0.0;
        }
        SOUND * likeness(&self.sound, &sound(&text)) + (1.0 - SOUND) * spelling
    }
}

fn hit(words: &[SearchWord<'_>], similarity: f32) -> Hit {
    let mean = words.iter().map(|word| word.confidence).sum::<f32>() / words.len().max(1) as f32;
    Hit {
        confidence: similarity * mean,
        start: words.first().map_or(Duration::ZERO, |word| word.start),
        end: words.last().map_or(Duration::ZERO, |word| word.end),
        snippet: words.iter().map(|word| word.text).collect::<Vec<_>>().join(" "),
    }
}

/// Letters and digits in lower case, without spaces: recognizers part words in their own ways.
fn letters(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).collect()
}

/// The code of the sounds that the letters of some words stand for.
fn sound(text: &str) -> Vec<u8> {
    let mut code = Vec::new();
    for word in text.split_whitespace() {
        let word = letters(word);
        let mut i = 0;
        while i < word.len() {
            let (sounds, length) = sound_at(&word, i);
            for &sound in sounds {
                if code.last() != Some(&sound) {
                    code.push(sound);
                }
            }
            i += length;
        }
    }
    code
}

/// The sounds of the letters at a place, and how many letters they take.
fn sound_at(word: &[u8], i: usize) -> (&'static [u8], usize) {
    let rest = &word[i..];
    let next = rest.get(1).copied().unwrap_or(0);
    let soft = matches!(next, b'e' | b'i' | b'y');
    match rest {
        [b'k', b'n', ..] | [b'g', b'n', ..] if i == 0 => (b"n", 2),
        [b'w', b'r', ..] if i == 0 => (b"r", 2),
        [b'p', b'h', ..] => (b"f", 2),
        [b't', b'c', b'h', ..] => (b"j", 3),
        [b'c', b'h', ..] | [b'd', b'g', ..] => (b"j", 2),
        [b's', b'h', ..] => (b"x", 2),
        [b't', b'h', ..] => (b"0", 2),
        [b'g', b'h', ..] if i > 0 => (b"", 2),
        [b'q', b'u', ..] => (b"kw", 2),
        [b'c', b'k', ..] => (b"k", 2),
        [b'm', b'b'] => (b"m", 2),
        [b'x', ..] => (b"ks", 1),
        [b'c', ..] if soft => (b"s", 1),
        [b'g', ..] if soft => (b"j", 1),
        [b'c' | b'k' | b'q' | b'g', ..] => (b"k", 1),
        [b'b' | b'p', ..] => (b"p", 1),
        [b'd' | b't', ..] => (b"t", 1),
        [b'f' | b'v', ..] => (b"f", 1),
        [b's' | b'z', ..] => (b"s", 1),
        [b'j', ..] => (b"j", 1),
        [b'l', ..] => (b"l", 1),
        [b'm', ..] => (b"m", 1),
        [b'n', ..] => (b"n", 1),
        [b'r', ..] => (b"r", 1),
        [b'h' | b'w' | b'y', ..] if i > 0 => (b"", 1),
        [b'h', ..] => (b"h", 1),
        [b'w', ..] => (b"w", 1),
        // An e at the end of a word is mostly silent.
        [b'e'] if i > 1 => (b"", 1),
        [b'0', ..] => (b"O", 1),
        [b'1', ..] => (b"1", 1),
        [b'2'..=b'9', ..] => (b"2", 1),
        _ => (b"a", 1),
    }
}

/// One minus the edit distance over the length of the longer.
fn likeness(one: &[u8], other: &[u8]) -> f32 {
    let longer = one.len().max(other.len());
    if longer == 0 {
        return 0.0;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    1.0 - row[other.len()] as f32 / longer as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippets(query: &str, text: &str) -> Vec<String> {
        let words: Vec<_> = (0..)
            .zip(text.split_whitespace())
            .map(|(i, text)| SearchWord {
                text,
                start: Duration::from_secs(i),
                end: Duration::from_secs(i + 1),
                confidence: 0.5,
            })
            .collect();
        let hits = Search::new(query).hits(&words);
        assert!(hits.iter().all(|hit| hit.confidence <= 0.5 && hit.start < hit.end));
        hits.into_iter().map(|hit| hit.snippet).collect()
    }

    #[test]
    fn what_was_said_is_found() {
        assert_eq!(snippets("large latte", "two large latte and a Large latte"), ["large latte", "Large latte"]);
        assert_eq!(snippets("tea", "a cup of tea"), ["tea"]);
        let exact = Search::new("tea").hits(&[SearchWord {
            text: "tea",
            start: Duration::ZERO,
            end: Duration::from_secs(1),
            confidence: 0.75,
        }]);
        assert_eq!(exact[0].confidence, 0.75);
    }

    #[test]
    fn what_sounds_like_it_is_found_too() {
        for (query, text, found) in [
            ("quilter", "mister kwilter is here", "kwilter"),
            ("knight", "the night was long", "night"),
            ("cappuccino", "a cap puccino please", "cap puccino"),
            ("macchiato", "one makiato please", "makiato"),
            ("jeffrey", "ask geoffrey about it", "geoffrey"),
        ] {
            assert_eq!(snippets(query, text), [found], "{query} in {text}");
        }
    }

    #[test]
    fn other_words_are_not() {
        for (query, text) in [
            ("latte", "the weather is fine today"),
            ("tea", "two coffees to go"),
            ("quilter", "we are glad to welcome his gospel"),
            ("", "anything at all"),
            ("!?", "anything at all"),
            ("a longer phrase of many words", "short"),
        ] {
            assert!(snippets(query, text).is_empty(), "{query} in {text}");
        }
    }
}
