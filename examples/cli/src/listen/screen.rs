//! What `listen` shows: on a terminal one line that rewrites itself under the finals, elsewhere lines.

use std::{
    io::{self, Write},
    time::Duration,
};

use linnet::{
    Event, Hypothesis,
    live::{Level, Live, LiveEvent, State},
};
use serde_json::json;

use crate::output::{Utterance, seconds, tail};

/// Characters of the level meter, and the level of its left end.
const METER: usize = 10;
const FLOOR_DB: f32 = -60.0;

/// Writes events as they come.
pub struct Screen<W> {
    out: W,
    json: bool,
    /// Columns of the terminal, if it is one.
    columns: Option<usize>,
    interim: String,
    state: State,
    /// What stands on the terminal's last line.
    line: String,
}

impl<W: Write> Screen<W> {
    /// `columns` is the width of the terminal that `out` is, if it is one.
    pub fn new(out: W, json: bool, columns: Option<usize>) -> Self {
        let columns = columns.filter(|_| !json);
        Self { out, json, columns, interim: String::new(), state: State::default(), line: String::new() }
    }

    /// Shows an event.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn show(&mut self, event: LiveEvent<'_>) -> io::Result<()> {
        if self.json {
            return self.write_json(event);
        }
        match event {
            LiveEvent::Heard(Event::Interim(hypothesis)) => hypothesis.text().clone_into(&mut self.interim),
            LiveEvent::Heard(Event::Final(hypothesis)) => {
                self.interim.clear();
                if !hypothesis.words().is_empty() {
                    self.clear()?;
                    writeln!(self.out, "{}", hypothesis.text())?;
                    self.out.flush()?;
                }
            }
            LiveEvent::Heard(Event::Gap { at, length }) => {
                self.tell(format_args!("{:.1} s of audio are missing at {:.1} s", length.as_secs_f64(), seconds(at)))?;
            }
            LiveEvent::State(state) => {
                self.state = state;
                if state == State::Reconnecting {
                    self.tell("the microphone is lost")?;
                }
            }
            LiveEvent::Trouble { error, retry_in } => {
                self.tell(format_args!("{error}; next try in {:.0} s", retry_in.as_secs_f64().ceil()))?;
            }
            LiveEvent::DeadMicrophone { since } => self.tell(format_args!(
                "the microphone has delivered nothing but one value since {:.1} s: is it muted, or not plugged in?",
                seconds(since)
            ))?,
            LiveEvent::MicrophoneAlive { .. } => self.tell("the microphone is alive again")?,
            LiveEvent::Notice(notice) => self.tell(notice)?,
            _ => {}
        }
        Ok(())
    }

    /// Something that is no transcript, on standard error.
    fn tell(&mut self, what: impl std::fmt::Display) -> io::Result<()> {
        self.clear()?;
        eprintln!("linnet: {what}");
        Ok(())
    }

    /// Moves the meter, and shows the newest interim and the median latency from capture to event.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn refresh(&mut self, live: &Live) -> io::Result<()> {
        let Some(columns) = self.columns else { return Ok(()) };
        let latency = live.metrics().capture_to_event;
        let latency = (latency.count > 0).then_some(latency.p50);
        let line = status_line(self.state, live.level(), latency, &self.interim, columns.saturating_sub(1));
        if line != self.line {
            write!(self.out, "\r\x1b[2K{line}")?;
            self.out.flush()?;
            self.line = line;
        }
        Ok(())
    }

    /// Clears the last line of the terminal.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn clear(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.line).is_empty() {
            write!(self.out, "\r\x1b[2K")?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn write_json(&mut self, event: LiveEvent<'_>) -> io::Result<()> {
        let words = |kind: &str, hypothesis: &Hypothesis| {
            let mut value = json!(Utterance::from(hypothesis));
            value["type"] = json!(kind);
            value
        };
        let line = match event {
            LiveEvent::Heard(Event::Interim(hypothesis)) => words("interim", hypothesis),
            LiveEvent::Heard(Event::Final(hypothesis)) => words("final", hypothesis),
            LiveEvent::Heard(Event::SpeechStarted { at }) => json!({ "type": "speech_started", "at": seconds(at) }),
            LiveEvent::Heard(Event::UtteranceEnd { last_word_end }) => {
                json!({ "type": "utterance_end", "last_word_end": seconds(last_word_end) })
            }
            LiveEvent::Heard(Event::Gap { at, length }) => {
                json!({ "type": "gap", "at": seconds(at), "length": seconds(length) })
            }
            LiveEvent::State(state) => json!({ "type": "state", "state": state.name() }),
            LiveEvent::Trouble { error, retry_in } => {
                json!({ "type": "trouble", "error": error.to_string(), "retry_in": seconds(retry_in) })
            }
            LiveEvent::DeadMicrophone { since } => json!({ "type": "dead_microphone", "since": seconds(since) }),
            LiveEvent::MicrophoneAlive { at } => json!({ "type": "microphone_alive", "at": seconds(at) }),
            LiveEvent::Notice(notice) => json!({ "type": "notice", "text": notice.to_string() }),
            _ => return Ok(()),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

/// The line under the finals, at most this wide.
fn status_line(state: State, level: Level, latency: Option<Duration>, interim: &str, columns: usize) -> String {
    let filled = ((1.0 - level.rms_db() / FLOOR_DB) * METER as f32).round().clamp(0.0, METER as f32) as usize;
    let meter = format!("{}{}", "\u{2588}".repeat(filled), "\u{2591}".repeat(METER - filled));
    let head = match (state, latency) {
        (State::Live, Some(latency)) => format!("{meter} {:>4} ms ", latency.as_millis()),
        (State::Live, None) => format!("{meter}         "),
        _ => format!("{meter} {} ", state.name()),
    };
    let left = columns.saturating_sub(console::measure_text_width(&head));
    if left == 0 { tail(&head, columns) } else { head + &tail(interim, left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_fits_and_shows_the_newest_words() {
        let level = Level { rms: 0.1, peak: 0.5 };
        let latency = Some(Duration::from_millis(87));
        for columns in 0..90 {
            let line = status_line(State::Live, level, latency, "one two three four five six", columns);
            assert!(console::measure_text_width(&line) <= columns.max(1), "{columns}: {line}");
        }
        let line = status_line(State::Live, level, latency, "one two three four", 30);
        assert!(line.starts_with("\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}\u{2591}"), "{line}");
        assert!(line.contains("87 ms") && line.ends_with("four"), "{line}");
        assert!(status_line(State::Reconnecting, level, latency, "", 40).contains("reconnecting"));
    }

    #[test]
    fn json_has_a_line_per_event() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, true, Some(80));
        screen.show(LiveEvent::State(State::Live)).unwrap();
        screen.show(LiveEvent::DeadMicrophone { since: Duration::from_millis(1500) }).unwrap();
        let (at, length) = (Duration::from_secs(2), Duration::from_secs(3));
        screen.show(LiveEvent::Heard(Event::Gap { at, length })).unwrap();
        screen.clear().unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0], json!({ "type": "state", "state": "live" }));
        assert_eq!(lines[1], json!({ "type": "dead_microphone", "since": 1.5 }));
        assert_eq!(lines[2], json!({ "type": "gap", "at": 2.0, "length": 3.0 }));
    }
}
