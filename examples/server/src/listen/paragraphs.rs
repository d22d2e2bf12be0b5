//! Words of a recording, grouped by the pauses between them.
//!
//! The model writes no punctuation that sentences could be told by, so a sentence here is what was said between two
//! pauses.

use std::time::Duration;

use serde::Serialize;

use super::messages::seconds;
use crate::recognition::Word;

/// Pause between sentences.
const SENTENCE_PAUSE: Duration = Duration::from_millis(700);

/// Pause between paragraphs.
const PARAGRAPH_PAUSE: Duration = Duration::from_secs(2);

/// Sentences after which the next one starts a new paragraph.
const LONGEST_PARAGRAPH: usize = 5;

/// All paragraphs of a channel.
#[derive(Debug, Serialize)]
pub struct Paragraphs {
    /// Sentences on one line each paragraph, with an empty line between paragraphs.
    pub transcript: String,
    /// With times.
    pub paragraphs: Vec<Paragraph>,
}

/// Sentences that belong together.
#[derive(Debug, Serialize)]
pub struct Paragraph {
    sentences: Vec<Sentence>,
    num_words: usize,
    start: f64,
    end: f64,
}

#[derive(Debug, Serialize)]
struct Sentence {
    text: String,
    start: f64,
    end: f64,
}

/// Splits words where the gap between two of them is at least `pause`.
pub fn split(words: &[Word], pause: Duration) -> impl Iterator<Item = &[Word]> {
    words.chunk_by(move |one, next| next.start.saturating_sub(one.end) < pause)
}

/// The words with spaces between.
pub fn text(words: &[Word]) -> String {
    words.iter().map(|word| word.word.as_str()).collect::<Vec<_>>().join(" ")
}

/// First start and last end, in seconds.
pub fn times(words: &[Word]) -> (f64, f64) {
    let start = words.first().map_or(Duration::ZERO, |word| word.start);
    let end = words.last().map_or(Duration::ZERO, |word| word.end);
    (seconds(start), seconds(end))
}

/// Groups the words of a channel.
pub fn paragraphs(words: &[Word]) -> Paragraphs {
    let mut paragraphs = Vec::new();
    for block in split(words, PARAGRAPH_PAUSE) {
        let sentences: Vec<&[Word]> = split(block, SENTENCE_PAUSE).collect();
        for group in sentences.chunks(LONGEST_PARAGRAPH) {
            let (start, _) = times(group[0]);
            let (_, end) = times(group[group.len() - 1]);
            let num_words = group.iter().map(|sentence| sentence.len()).sum();
            let sentences = group.iter().map(|words| sentence(words)).collect();
            paragraphs.push(Paragraph { sentences, num_words, start, end });
        }
    }
    let transcript: Vec<String> = paragraphs
        .iter()
        .map(|paragraph| paragraph.sentences.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    Paragraphs { transcript: transcript.join("\n\n"), paragraphs }
}

fn sentence(words: &[Word]) -> Sentence {
    let (start, end) = times(words);
    Sentence { text: text(words), start, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of 100 ms, each after a pause.
    fn words(pauses_ms: &[(u64, &str)]) -> Vec<Word> {
        let mut at = Duration::ZERO;
        pauses_ms
            .iter()
            .map(|&(pause, word)| {
                let start = at + Duration::from_millis(pause);
                at = start + Duration::from_millis(100);
                Word { word: word.into(), start, end: at, confidence: 0.5, formatted: false, speaker: None }
            })
            .collect()
    }

    #[test]
    fn pauses_part_sentences_and_paragraphs() {
        let words = words(&[(300, "two"), (50, "lattes"), (800, "and"), (50, "a"), (50, "tea"), (2500, "thanks")]);
        let grouped = paragraphs(&words);
        assert_eq!(grouped.transcript, "two lattes and a tea\n\nthanks");
        assert_eq!(grouped.paragraphs.len(), 2);
        let first = &grouped.paragraphs[0];
        assert_eq!((first.sentences.len(), first.num_words), (2, 5));
        assert_eq!((first.start, first.sentences[1].start), (0.3, 1.35));
        assert_eq!(grouped.paragraphs[1].end, times(&words).1);
    }

    #[test]
    fn long_paragraphs_are_cut_and_nothing_is_lost() {
        let many: Vec<_> = (0..23).map(|_| (900, "word")).collect();
        let grouped = paragraphs(&words(&many));
        assert_eq!(grouped.paragraphs.len(), 23usize.div_ceil(LONGEST_PARAGRAPH));
        assert_eq!(grouped.paragraphs.iter().map(|p| p.num_words).sum::<usize>(), 23);
        assert!(paragraphs(&[]).paragraphs.is_empty());
    }
}
