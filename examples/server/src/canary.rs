//! A recording with known words, recognized now and then: when its error rate changes, something has gone wrong that
//! no other metric shows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use linnet::{AudioFormat, StreamConfig};
use tokio::sync::{mpsc::unbounded_channel, watch};
use tracing::{info, warn};

use crate::{
    App,
    audio::{Feed, Piece},
    pool::Class,
    recognition::{Command, Output, Recognition, Settings},
    telemetry,
};

/// A change of the error rate that is worth a warning.
const DRIFT: f64 = 0.05;

/// Audio that may wait for an inference thread, in milliseconds.
const INBOX_MS: usize = 10_000;

/// What is recognized, and when.
#[derive(Clone, Debug)]
pub struct Canary {
    /// An audio file.
    pub audio: Bytes,
    /// What is said in it.
    pub text: String,
    /// From one run to the next.
    pub every: Duration,
}

/// Recognizes the canary now and then until the server stops.
pub async fn run(app: Arc<App>, canary: Canary, mut stopping: watch::Receiver<bool>) {
    let mut first = None;
    let mut due = tokio::time::interval(canary.every);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let began = Instant::now();
        match recognize(&app, &canary.audio).await {
            Ok(text) => {
                let rate = word_error_rate(&canary.text, &text);
                telemetry::canary(Some(rate), began.elapsed());
                let usual = *first.get_or_insert_with(|| {
                    info!(word_error_rate = rate, "canary recognized");
                    rate
                });
                if (rate - usual).abs() > DRIFT {
                    warn!(word_error_rate = rate, usual, "the canary's error rate has changed");
                }
            }
            Err(why) => {
                telemetry::canary(None, began.elapsed());
                warn!(why, "the canary could not be recognized");
            }
        }
    }
}

async fn recognize(app: &App, audio: &Bytes) -> Result<String, String> {
    let (sender, mut outputs) = unbounded_channel();
    let settings = Settings {
        raw: None,
        multichannel: false,
        stream: StreamConfig::batch(AudioFormat::default()),
        utterance_end: None,
        search: Vec::new(),
    };
    let recognition = Recognition::new(app.engine.clone(), settings, sender);
    let seat = Arc::new(app.pool.seat(Class::Background, INBOX_MS, recognition));
    let feed = Feed::new(seat, None).map_err(|error| error.to_string())?;
    for piece in feed.pieces(audio.clone(), Instant::now()) {
        feed.send(piece).await.map_err(|error| error.to_string())?;
    }
    let end = Piece::Control(Command::Finish { digest: None, damage: None });
    feed.send(end).await.map_err(|error| error.to_string())?;
    let mut texts = Vec::new();
    while let Some(output) = outputs.recv().await {
        match output {
            Output::Results(results) if results.is_final => texts.push(results.transcript),
            Output::Finished(_) => return Ok(texts.join(" ")),
            Output::BadAudio(why) | Output::Failed(why) => return Err(why),
            _ => {}
        }
    }
    Err("the recognition ended before the recording".into())
}

/// Words to insert, delete and change, for each word that was said.
fn word_error_rate(said: &str, heard: &str) -> f64 {
    let words = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_lowercase).collect() };
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let changed = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[heard.len()] as f64 / said.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::word_error_rate;

    #[test]
    fn errors_are_counted_for_each_word_said() {
        for (said, heard, rate) in [
            ("a b c d", "A b c d", 0.0),
            ("a b c d", "a c d", 0.25),
            ("a b c d", "a x c y d", 0.5),
            ("a b", "", 1.0),
            ("a", "b c d", 3.0),
            ("", "", 0.0),
        ] {
            assert_eq!(word_error_rate(said, heard), rate, "{said:?}, {heard:?}");
        }
    }
}
