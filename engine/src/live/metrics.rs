//! What a session measures of itself.

use std::time::Duration;

use crate::{Metrics, StageTimes, recognizer::Recorder};

/// Counters and distributions of a session since it began. Times are on the session's clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveMetrics {
    /// From the capture of the last sample of a block until the recognizer took the block.
    pub queue: StageTimes,
    /// The recognizer's own stages and counters.
    pub recognizer: Metrics,
    /// From an event's making until the host took it.
    pub delivery: StageTimes,
    /// From the capture of the audio that brought an event until the host took the event.
    pub capture_to_event: StageTimes,
    /// When the first sample was captured, where positions in the stream count from.
    pub began: Option<Duration>,
    /// Counters of the session.
    pub counters: Counters,
}

/// Counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Steps that took longer than the audio of their chunk lasts.
    pub overruns: u64,
    /// Times that chunks were made longer because the recognizer was behind.
    pub longer_chunks: u64,
    /// Audio that was lost because the buffer was full.
    pub dropped: Duration,
    /// Gaps in the stream, for whatever reason.
    pub gaps: u64,
    /// Audio that is missing in them.
    pub gap_time: Duration,
    /// Glitches that the device reported.
    pub glitches: u64,
    /// Times that a device was lost.
    pub losses: u64,
    /// Attempts to open a device that failed.
    pub failed_attempts: u64,
    /// Times that audio came again after a loss.
    pub recoveries: u64,
    /// Time from the last loss until audio came again.
    pub last_recovery: Duration,
    /// The longest such time.
    pub longest_recovery: Duration,
    /// How much faster (or slower, below zero) than the session's clock the device's runs, in parts per million. `None`
    /// before there is enough audio to tell.
    pub drift_ppm: Option<f64>,
}

/// What taking the events measured.
pub(super) struct Taken {
    pub(super) delivery: Recorder,
    pub(super) capture_to_event: Recorder,
}

impl Taken {
    pub(super) fn new() -> Self {
        Self { delivery: Recorder::new(), capture_to_event: Recorder::new() }
    }
}

/// What the recognizer's thread publishes.
pub(super) struct Published {
    pub(super) queue: Recorder,
    pub(super) recognizer: Metrics,
    pub(super) began: Option<Duration>,
    pub(super) counters: Counters,
}

impl Published {
    pub(super) fn new() -> Self {
        Self { queue: Recorder::new(), recognizer: Metrics::new(), began: None, counters: Counters::default() }
    }
}
