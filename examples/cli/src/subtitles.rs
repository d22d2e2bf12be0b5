//! SubRip and WebVTT cues from timed words.

use std::fmt::Write;

use crate::output::{Utterance, Word};

/// Longest line of a subtitle in characters, and two of them make a cue: what broadcasters use.
const LINE: usize = 42;

/// Longest time that one cue stays, in seconds.
const LONGEST_S: f64 = 7.0;

/// A pause between words that starts a new cue, in seconds.
const PAUSE_S: f64 = 1.5;

/// Which subtitles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SubRip: numbered cues, decimal comma.
    Srt,
    /// WebVTT: a header, markup characters escaped.
    Vtt,
}

/// Writes cues one after the other.
#[derive(Debug)]
pub struct Subtitles {
    kind: Kind,
    cues: usize,
}

impl Subtitles {
    /// Starts a document.
    pub fn new(kind: Kind) -> Self {
        Self { kind, cues: 0 }
    }

    /// What stands before the first cue.
    pub fn header(&self) -> &'static str {
        match self.kind {
            Kind::Srt => "",
            Kind::Vtt => "WEBVTT\n\n",
        }
    }

    /// The cues of one utterance, each with the empty line after it.
    pub fn cues(&mut self, utterance: &Utterance) -> String {
        let mut text = String::new();
        for words in split(&utterance.words) {
            let [first, ..] = words else { continue };
            let end = words.iter().fold(first.start, |end, word| word.end.max(end));
            self.cues += 1;
            if self.kind == Kind::Srt {
                writeln!(text, "{}", self.cues).expect("writing to a string does not fail");
            }
            writeln!(text, "{} --> {}\n{}\n", self.time(first.start), self.time(end), self.lines(words))
                .expect("writing to a string does not fail");
        }
        text
    }

    fn time(&self, seconds: f64) -> String {
        let ms = (seconds * 1000.0).round() as u64;
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let point = if self.kind == Kind::Srt { ',' } else { '.' };
        format!("{h:02}:{m:02}:{s:02}{point}{:03}", ms % 1000)
    }

    fn lines(&self, words: &[Word]) -> String {
        let mut text = String::new();
        let mut line = 0;
        for word in words {
            let length = word.word.chars().count();
            if line > 0 && line + 1 + length > LINE {
                text.push('\n');
                line = 0;
            } else if line > 0 {
                text.push(' ');
                line += 1;
            }
            line += length;
            match self.kind {
                Kind::Srt => text.push_str(&word.word),
                Kind::Vtt => {
                    text.push_str(&word.word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
                }
            }
        }
        text
    }
}

/// Divides words into cues that are not too long, not too wide and without a pause inside.
fn split(words: &[Word]) -> Vec<&[Word]> {
    let mut cues = Vec::new();
    let mut begin = 0;
    let (mut lines, mut line) = (1, 0);
    for (i, word) in words.iter().enumerate() {
        let length = word.word.chars().count();
        let wraps = line > 0 && line + 1 + length > LINE;
        let paused = i > begin && word.start - words[i - 1].end > PAUSE_S;
        if i > begin && ((wraps && lines == 2) || paused || word.end - words[begin].start > LONGEST_S) {
            cues.push(&words[begin..i]);
            begin = i;
            (lines, line) = (1, length);
        } else if wraps {
            (lines, line) = (lines + 1, length);
        } else {
            line += length + usize::from(line > 0);
        }
    }
    cues.push(&words[begin..]);
    cues
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utterance(words: &[(&str, f64, f64)]) -> Utterance {
        Utterance {
            words: words
                .iter()
                .map(|&(word, start, end)| Word { word: word.into(), start, end, confidence: 1.0, speaker: None })
                .collect(),
            ..Utterance::default()
        }
    }

    #[test]
    fn cues_are_numbered_and_timed() {
        let mut srt = Subtitles::new(Kind::Srt);
        assert_eq!(srt.header(), "");
        assert_eq!(
            srt.cues(&utterance(&[("hello", 0.08, 0.4), ("world", 0.4, 1.0)])),
            "1\n00:00:00,080 --> 00:00:01,000\nhello world\n\n"
        );
        assert_eq!(
            srt.cues(&utterance(&[("later", 3723.9999, 3725.5)])),
            "2\n01:02:04,000 --> 01:02:05,500\nlater\n\n"
        );
        assert_eq!(srt.cues(&utterance(&[])), "");
    }

    #[test]
    fn vtt_escapes_markup() {
        let mut vtt = Subtitles::new(Kind::Vtt);
        assert_eq!(vtt.header(), "WEBVTT\n\n");
        assert_eq!(
            vtt.cues(&utterance(&[("r&d", 0.0, 0.5), ("<b>", 0.5, 1.0)])),
            "00:00:00.000 --> 00:00:01.000\nr&amp;d &lt;b&gt;\n\n"
        );
    }

    #[test]
    fn long_utterances_become_several_cues_that_lose_no_word() {
        let words: Vec<(String, f64, f64)> =
            (0..100).map(|i| (format!("word{i}"), f64::from(i) * 0.3, f64::from(i) * 0.3 + 0.25)).collect();
        let words: Vec<(&str, f64, f64)> =
            words.iter().map(|(word, start, end)| (word.as_str(), *start, *end)).collect();
        let utterance = utterance(&words);
        let cues = split(&utterance.words);
        assert!(cues.len() > 1);
        assert_eq!(cues.concat(), utterance.words);
        let srt = Subtitles::new(Kind::Srt);
        for cue in cues {
            assert!(cue.last().unwrap().end - cue[0].start <= LONGEST_S);
            let text = srt.lines(cue);
            assert!(text.lines().count() <= 2 && text.lines().all(|line| line.chars().count() <= LINE), "{text}");
        }
    }

    #[test]
    fn a_pause_starts_a_new_cue() {
        let utterance = utterance(&[("one", 0.0, 0.5), ("two", 0.6, 1.0), ("three", 3.0, 3.5)]);
        let lengths: Vec<usize> = split(&utterance.words).iter().map(|cue| cue.len()).collect();
        assert_eq!(lengths, [2, 1]);
    }
}
