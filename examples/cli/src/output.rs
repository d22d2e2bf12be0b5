//! What `transcribe` writes: lines of text, JSON or subtitles.

use std::{
    io::{self, Write},
    time::Duration,
};

use linnet::{Hypothesis, transcript::format::Written};
use serde::Serialize;

use crate::{
    args::Format,
    subtitles::{Kind, Subtitles},
};

/// One utterance as it is written. Times are in seconds from the start of the recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Utterance {
    /// Where it starts.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// Its words, separated by spaces.
    pub text: String,
    /// Mean probability that a word is right.
    pub confidence: f32,
    /// How many leading words don't change any more.
    pub confirmed: usize,
    /// Its words with times.
    pub words: Vec<Word>,
    /// What it means in the grammar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpretation: Option<Interpretation>,
}

/// What an utterance means in the grammar.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Interpretation {
    /// The public rule that was said.
    pub intent: Option<String>,
    /// Whether it was said in the grammar.
    pub accepted: bool,
    /// How much better the grammar explains it than free speech.
    pub margin: f32,
    /// What it fills.
    pub slots: Vec<Slot>,
}

/// A slot of an [`Interpretation`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it starts.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// Probability that the value is right.
    pub confidence: f32,
}

impl From<&linnet::Interpretation> for Interpretation {
    fn from(interpretation: &linnet::Interpretation) -> Self {
        let slot = |slot: &linnet::Slot| Slot {
            name: slot.name.clone(),
            value: slot.value.clone(),
            start: seconds(slot.start),
            end: seconds(slot.end),
            confidence: slot.confidence,
        };
        Self {
            intent: interpretation.intent.clone(),
            accepted: interpretation.accepted,
            margin: interpretation.margin,
            slots: interpretation.slots.iter().map(slot).collect(),
        }
    }
}

/// One word of an [`Utterance`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Word {
    /// Its text.
    pub word: String,
    /// Where it starts.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// Probability that it is right.
    pub confidence: f32,
    /// Who says it, as a number from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaker: Option<u8>,
}

impl From<&Hypothesis> for Utterance {
    fn from(hypothesis: &Hypothesis) -> Self {
        let written = hypothesis.written();
        let words: Vec<Word> = match written {
            Some(written) => written
                .words()
                .iter()
                .map(|word| Word {
                    word: written.word_text(word).to_owned(),
                    start: seconds(word.start),
                    end: seconds(word.end),
                    confidence: word.confidence,
                    speaker: hypothesis.words().get(word.source.start).and_then(|word| word.speaker),
                })
                .collect(),
            None => hypothesis
                .words()
                .iter()
                .map(|word| Word {
                    word: hypothesis.word_text(word).to_owned(),
                    start: seconds(word.start),
                    end: seconds(word.end),
                    confidence: word.confidence,
                    speaker: word.speaker,
                })
                .collect(),
        };
        Self {
            start: words.first().map_or(seconds(hypothesis.start()), |word| word.start),
            end: words.last().map_or(seconds(hypothesis.end()), |word| word.end),
            text: written.map_or(hypothesis.text(), Written::text).to_owned(),
            confidence: hypothesis.confidence(),
            confirmed: written.map_or(hypothesis.confirmed(), Written::confirmed),
            words,
            interpretation: hypothesis.interpretation().map(Interpretation::from),
        }
    }
}

/// Seconds to the millisecond.
pub fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

/// A line of JSON output.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    file: &'a str,
    #[serde(flatten)]
    utterance: &'a Utterance,
}

/// Writes utterances in one format.
pub struct Output<W> {
    out: W,
    format: Format,
    subtitles: Option<Subtitles>,
    file: String,
    /// Whether lines of text start with the file's name.
    prefixed: bool,
    /// Columns of the terminal, where interims rewrite one line.
    columns: Option<usize>,
    /// Whether an interim stands on the terminal's line.
    line_in_use: bool,
}

impl<W: Write> Output<W> {
    /// Starts a document. `columns` is the width of the terminal that `out` is, if it is one.
    ///
    /// # Errors
    /// When the header can't be written.
    pub fn new(mut out: W, format: Format, prefixed: bool, columns: Option<usize>) -> io::Result<Self> {
        let subtitles = match format {
            Format::Srt => Some(Subtitles::new(Kind::Srt)),
            Format::Vtt => Some(Subtitles::new(Kind::Vtt)),
            Format::Text | Format::Json => None,
        };
        if let Some(subtitles) = &subtitles {
            out.write_all(subtitles.header().as_bytes())?;
            out.flush()?;
        }
        Ok(Self { out, format, subtitles, file: String::new(), prefixed, columns, line_in_use: false })
    }

    /// What follows is of this file.
    pub fn start_file(&mut self, name: &str) {
        name.clone_into(&mut self.file);
    }

    /// Writes the words so far of the running utterance: over the line of the last interim on a terminal, else a line
    /// that starts with `~ `.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn interim(&mut self, utterance: &Utterance) -> io::Result<()> {
        match (self.format, self.columns) {
            (Format::Json, _) => self.json("interim", utterance)?,
            (Format::Text, Some(columns)) => {
                let text = format!("{}{}", self.prefix(), utterance.text);
                write!(self.out, "\r\x1b[2K{}", tail(&text, columns.saturating_sub(1)))?;
                self.line_in_use = true;
            }
            (Format::Text, None) => {
                let prefix = self.prefix();
                writeln!(self.out, "~ {prefix}{}", utterance.text)?;
            }
            (Format::Srt | Format::Vtt, _) => {}
        }
        self.out.flush()
    }

    /// Writes a finished utterance. Empty ones are left out.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn final_(&mut self, utterance: &Utterance) -> io::Result<()> {
        self.clear_line()?;
        if utterance.words.is_empty() {
            return Ok(());
        }
        match (self.format, &mut self.subtitles) {
            (Format::Json, _) => self.json("final", utterance)?,
            (_, Some(subtitles)) => self.out.write_all(subtitles.cues(utterance).as_bytes())?,
            (_, None) => {
                let prefix = self.prefix();
                for (speaker, text) in turns(utterance) {
                    match speaker {
                        Some(speaker) => writeln!(self.out, "{prefix}[{speaker}] {text}")?,
                        None => writeln!(self.out, "{prefix}{text}")?,
                    }
                }
            }
        }
        self.out.flush()
    }

    /// Clears the line of an interim that no final followed.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn clear_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.line_in_use) {
            write!(self.out, "\r\x1b[2K")?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn prefix(&self) -> String {
        if self.prefixed { format!("{}: ", self.file) } else { String::new() }
    }

    fn json(&mut self, kind: &'static str, utterance: &Utterance) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Line { r#type: kind, file: &self.file, utterance })?;
        self.out.write_all(b"\n")
    }
}

/// What each speaker says in an utterance, in turns; all of it where nobody is told apart.
fn turns(utterance: &Utterance) -> Vec<(Option<u8>, String)> {
    if utterance.words.iter().all(|word| word.speaker.is_none()) {
        return vec![(None, utterance.text.clone())];
    }
    let mut turns: Vec<(Option<u8>, String)> = Vec::new();
    for word in &utterance.words {
        match turns.last_mut() {
            Some((speaker, text)) if *speaker == word.speaker => {
                text.push(' ');
                text.push_str(&word.word);
            }
            _ => turns.push((word.speaker, word.word.clone())),
        }
    }
    turns
}

/// The end of a text that fits into a number of columns, with an ellipsis where something is cut.
pub fn tail(text: &str, columns: usize) -> String {
    if console::measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let mut start = text.len();
    let mut width = 1;
    for (i, c) in text.char_indices().rev() {
        width += console::measure_text_width(c.encode_utf8(&mut [0; 4]));
        if width > columns {
            break;
        }
        start = i;
    }
    format!("\u{2026}{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utterance(text: &str) -> Utterance {
        let words = text
            .split_whitespace()
            .map(|word| Word { word: word.into(), start: 0.5, end: 1.0, confidence: 0.5, speaker: None })
            .collect();
        Utterance {
            text: text.into(),
            start: 0.5,
            end: 1.0,
            confidence: 0.5,
            confirmed: 1,
            words,
            interpretation: None,
        }
    }

    fn written(format: Format, prefixed: bool, columns: Option<usize>) -> String {
        let mut bytes = Vec::new();
        let mut output = Output::new(&mut bytes, format, prefixed, columns).unwrap();
        output.start_file("a.wav");
        output.interim(&utterance("hello")).unwrap();
        output.final_(&utterance("hello world")).unwrap();
        output.final_(&utterance("")).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_is_one_line_per_utterance() {
        assert_eq!(written(Format::Text, false, None), "~ hello\nhello world\n");
        assert_eq!(written(Format::Text, true, None), "~ a.wav: hello\na.wav: hello world\n");
        assert_eq!(written(Format::Text, false, Some(80)), "\r\x1b[2Khello\r\x1b[2Khello world\n");
    }

    #[test]
    fn turns_are_lines_of_their_own() {
        let mut spoken = utterance("two teas for me thanks");
        let mut bytes = Vec::new();
        for (word, speaker) in spoken.words.iter_mut().zip([Some(0), Some(0), Some(1), Some(1), None]) {
            word.speaker = speaker;
        }
        Output::new(&mut bytes, Format::Text, false, None).unwrap().final_(&spoken).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "[0] two teas\n[1] for me\nthanks\n");
        assert_eq!(serde_json::to_value(&spoken).unwrap()["words"][2]["speaker"], 1);
    }

    #[test]
    fn json_is_one_object_per_line() {
        let text = written(Format::Json, true, None);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["type"], "interim");
        assert_eq!(lines[1]["type"], "final");
        assert_eq!(lines[1]["file"], "a.wav");
        assert_eq!(lines[1]["text"], "hello world");
        assert_eq!(lines[1]["words"][1]["word"], "world");
        assert_eq!(lines[1]["words"][1]["start"], 0.5);
    }

    #[test]
    fn subtitles_have_no_interims() {
        assert_eq!(written(Format::Srt, false, None), "1\n00:00:00,500 --> 00:00:01,000\nhello world\n\n");
        assert!(written(Format::Vtt, false, None).starts_with("WEBVTT\n\n00:00:00.500 --> "));
    }

    #[test]
    fn a_long_interim_shows_its_end() {
        assert_eq!(tail("abc", 3), "abc");
        assert_eq!(tail("abcdef", 4), "\u{2026}def");
        assert_eq!(tail("\u{65e5}\u{672c}\u{8a9e}", 4), "\u{2026}\u{8a9e}");
        assert_eq!(tail("abc", 0), "\u{2026}");
    }
}
