//! What a host sets for a live session.

use std::time::Duration;

use super::Clock;
use crate::{StreamConfig, audio::ring};

/// Settings of a session. Start from [`LiveConfig::default`] and change what is needed.
#[derive(Debug)]
#[non_exhaustive]
pub struct LiveConfig {
    /// Settings of the recognition. Its `audio` is not used: the session converts whatever format the device has.
    pub stream: StreamConfig,
    /// Audio that is kept while the recognizer is busy. What comes when that is full is lost, and told as a gap.
    pub buffer: Duration,
    /// Events that wait for the host before the session stops taking audio: a host that never takes any loses audio
    /// (as a gap), and nothing that was recognized. Interims don't count; there is one at most.
    pub backlog: usize,
    /// Waits between attempts to open a device.
    pub backoff: Backoff,
    /// A device that delivers nothing for this long is lost.
    pub stall: Duration,
    /// A microphone that delivers the same value for this long is reported as dead.
    pub dead_after: Duration,
    /// The priority of the recognizer's thread.
    pub priority: Priority,
    /// Takes a copy of what the recognizer hears, 16 kHz mono, with lost audio as gaps.
    pub recording: Option<ring::Producer>,
    /// The session's clock.
    pub clock: Clock,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            stream: StreamConfig::default(),
            buffer: Duration::from_secs(5),
            backlog: 256,
            backoff: Backoff::default(),
            stall: Duration::from_secs(3),
            dead_after: Duration::from_secs(3),
            priority: Priority::RealTime,
            recording: None,
            clock: Clock::default(),
        }
    }
}

/// Waits between attempts: `first`, then twice as long each time up to `longest`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// Share of a wait, 0 to 1, that is left to chance, so that many devices don't come back at the same moment: it
    /// lasts between `1 - jitter` and one times its length.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: 0.1 }
    }
}

/// The priority of the recognizer's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Above ordinary threads, where the system allows it: round-robin real-time scheduling on Linux, the highest
    /// priority of a thread elsewhere. Where it does not, a [notice](super::Notice) says so. Needs the feature
    /// `realtime`.
    RealTime,
    /// As the thread that started the session.
    Inherit,
}
