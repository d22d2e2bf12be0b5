//! Positions in a stream.

use std::time::Duration;

use super::AudioFormat;
use crate::model::config::FeatureConfig;

/// Where the stream is: positions count input samples, so that they stay true over hours.
pub(super) struct Timeline {
    pub(super) format: AudioFormat,
    /// Values (samples of all channels) pushed since the stream began.
    pub(super) pushed: u64,
    /// Position of the encoder's frame zero.
    pub(super) base: Duration,
    /// Duration of an encoder frame.
    pub(super) frame: Duration,
    /// Audio that a log-mel frame needs behind its centre.
    half_window: Duration,
}

impl Timeline {
    /// The start of a stream. `frame` is the duration of an encoder frame.
    pub(super) fn new(format: AudioFormat, frame: Duration, features: &FeatureConfig) -> Self {
        let half_window = features.window as f64 / 2.0 / f64::from(features.sample_rate_hz);
        Self { format, pushed: 0, base: Duration::ZERO, frame, half_window: Duration::from_secs_f64(half_window) }
    }

    pub(super) fn now(&self) -> Duration {
        let frames = self.pushed / u64::from(self.format.channels);
        let rate = u64::from(self.format.rate_hz);
        Duration::from_secs(frames / rate) + Duration::from_nanos(frames % rate * 1_000_000_000 / rate)
    }

    /// Moves on by audio that is missing, to whole samples.
    pub(super) fn skip(&mut self, length: Duration) {
        let frames = (length.as_secs_f64() * f64::from(self.format.rate_hz)).round() as u64;
        self.pushed = self.pushed.saturating_add(frames.saturating_mul(u64::from(self.format.channels)));
    }

    /// A position that is counted from the encoder's frame zero.
    pub(super) fn at(&self, since_base: Duration) -> Duration {
        self.base.saturating_add(since_base)
    }

    /// End of the audio that encoder frame `index` needs, without look-ahead.
    pub(super) fn heard_by_frame(&self, index: u64) -> Duration {
        self.at_frame(index) + self.half_window
    }

    /// End of the audio that the first `frames` encoder frames stand for.
    pub(super) fn at_frame(&self, frames: u64) -> Duration {
        let nanos = u128::from(frames) * self.frame.as_nanos();
        self.base + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
