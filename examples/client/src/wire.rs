//! The server's messages, as far as the client needs them.

use std::time::Duration;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Message {
    Results(Results),
    Metadata {},
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Results {
    pub(crate) channel_index: [usize; 2],
    pub(crate) start: f64,
    pub(crate) duration: f64,
    #[serde(default)]
    pub(crate) is_final: bool,
    #[serde(default)]
    pub(crate) speech_final: bool,
    pub(crate) channel: Channel,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Channel {
    #[serde(default)]
    pub(crate) alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Alternative {
    pub(crate) transcript: String,
    #[serde(default)]
    pub(crate) words: Vec<Word>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Word {
    pub(crate) word: String,
    pub(crate) punctuated_word: Option<String>,
    pub(crate) start: f64,
    pub(crate) end: f64,
    #[serde(default)]
    pub(crate) confidence: f32,
}

/// Seconds of a message; nonsense counts as zero.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
