//! What a host sets for one stream.

use std::time::Duration;

use crate::transcript::format::FormatConfig;

/// Rate and channels of the samples that a host pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples per second and channel, 8,000 to 192,000.
    pub rate_hz: u32,
    /// Interleaved channels; they are mixed down to one.
    pub channels: u16,
}

impl Default for AudioFormat {
    /// 16 kHz mono, which needs no conversion.
    fn default() -> Self {
        Self { rate_hz: 16_000, channels: 1 }
    }
}

/// Settings of one stream. Start from [`StreamConfig::default`] and change what is needed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamConfig {
    /// What is pushed.
    pub audio: AudioFormat,
    /// Audio per encoder step. Rounded to the nearest chunk that the model was trained with; `None` takes the model's
    /// default. Longer chunks are more accurate and cheaper, and later.
    pub chunk: Option<Duration>,
    /// Whether [`Event::Interim`](super::Event::Interim) events are made.
    pub interim_results: bool,
    /// Least stream time between two interim events.
    pub interim_interval: Duration,
    /// Trailing silence after a word that ends the utterance with a final; `None` ends it only at
    /// [`Stream::finalize`](super::Stream::finalize) and [`Stream::finish`](super::Stream::finish).
    pub endpointing: Option<Duration>,
    /// Longest utterance; a final is made at the next pause between words after it, so that memory stays bounded.
    pub max_utterance: Duration,
    /// Most tokens that one encoder frame may emit. Bounds the work of a step on any input.
    pub max_symbols_per_frame: usize,
    /// How words are written; see [`Hypothesis::written`](crate::Hypothesis::written).
    pub format: FormatConfig,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            audio: AudioFormat::default(),
            chunk: None,
            interim_results: true,
            interim_interval: Duration::from_millis(100),
            endpointing: Some(Duration::from_millis(800)),
            max_utterance: Duration::from_secs(30),
            max_symbols_per_frame: 5,
            format: FormatConfig::default(),
        }
    }
}

impl StreamConfig {
    /// Settings for whole recordings: the longest chunk, no interims, one final.
    pub fn batch(audio: AudioFormat) -> Self {
        Self {
            audio,
            chunk: Some(Duration::MAX),
            interim_results: false,
            endpointing: None,
            max_utterance: Duration::MAX,
            ..Self::default()
        }
    }
}
