//! What a session tells its host.

use std::time::Duration;

use super::SourceError;
use crate::{AudioFormat, Event};

/// Something that happened in a session. Borrowed from the session until its next event.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LiveEvent<'a> {
    /// Something was heard, or audio was lost ([`Event::Gap`]). An interim that the host did not take in time is
    /// replaced by a newer one; nothing else is left out.
    Heard(Event<'a>),
    /// The session's state has changed.
    State(State),
    /// The device was lost or could not be opened. It is tried again after a while. Of several in a row that the host
    /// did not take in time it gets the newest.
    Trouble {
        /// What is wrong, and what to do about it.
        error: &'a SourceError,
        /// When the device is tried again.
        retry_in: Duration,
    },
    /// The microphone has been delivering one and the same value: it is muted, not plugged in, or broken.
    DeadMicrophone {
        /// Since when, as a position in the stream.
        since: Duration,
    },
    /// A microphone that was dead delivers sound again.
    MicrophoneAlive {
        /// Since when, as a position in the stream.
        at: Duration,
    },
    /// Something that whoever runs the machine may want to know.
    Notice(&'a Notice),
}

/// The state of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The device has not delivered any audio yet.
    #[default]
    Connecting,
    /// Audio is coming in.
    Live,
    /// The device was lost; it is tried again until it is back.
    Reconnecting,
    /// The session is over.
    Stopped,
}

impl State {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Live => "live",
            State::Reconnecting => "reconnecting",
            State::Stopped => "stopped",
        }
    }
}

/// Something that whoever runs the machine may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A device was opened.
    Opened {
        /// Its name.
        device: String,
        /// Its format.
        format: AudioFormat,
    },
    /// The system goes on with another device, such as a new default.
    Rerouted {
        /// The device as it was opened.
        device: String,
    },
    /// The recognizer's thread has no priority over others: under load it may be late.
    OrdinaryPriority {
        /// Why.
        why: String,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Notice::Opened { device, format } => {
                let channels = if format.channels == 1 { "channel" } else { "channels" };
                write!(f, "listening to {device}: {} Hz, {} {channels}", format.rate_hz, format.channels)
            }
            Notice::Rerouted { device } => write!(f, "the system took another device for {device}"),
            Notice::OrdinaryPriority { why } => write!(f, "recognizing at ordinary priority: {why}"),
        }
    }
}
