//! Where live audio comes from.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::Clock;
use crate::{
    AudioFormat,
    audio::{
        PcmSample,
        ring::{Consumer, Producer, ring},
    },
};

/// Length of the ring's blocks in parts of a second: 10 ms.
const BLOCKS_PER_SECOND: u32 = 100;

/// A device that can be opened, lost and opened again: a microphone, or whatever delivers audio by the clock.
///
/// ```no_run
/// use std::time::Duration;
/// use linnet::{AudioFormat, live::{Connection, Opening, Source, SourceError}};
///
/// struct Hum;
///
/// impl Source for Hum {
///     fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
///         let (mut input, connection) = opening.connect(AudioFormat::default(), "hum");
///         let clock = opening.clock.clone();
///         std::thread::spawn(move || {
///             while !input.is_closed() {
///                 let captured = clock.now();
///                 clock.sleep(Duration::from_millis(10));
///                 input.push(&[0.01f32; 160], captured);
///             }
///         });
///         Ok(connection)
///     }
/// }
/// ```
pub trait Source: Send {
    /// Opens the device and starts it: from now on its audio goes into the [`Input`] of a connection made by
    /// [`Opening::connect`]. Called on the recognizer's thread, again after each loss and each failure.
    ///
    /// # Errors
    /// When the device can't be opened now. The session tells its host and tries again later.
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError>;
}

/// Why a device can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No such device.
    #[error(
        "no audio input called {name:?} is there{}; plug it in, or choose one of those that `linnet devices` lists",
        there(available)
    )]
    NotFound {
        /// What was asked for.
        name: String,
        /// What is there.
        available: Vec<String>,
    },
    /// The system has no sound service.
    #[error("the sound system can't be reached: {why}; start it, and see that this user may use it")]
    NoSoundSystem {
        /// What the system said.
        why: String,
    },
    /// Another program has it.
    #[error("{name} is in use by another program; close that, or choose a device that mixes, such as \"default\"")]
    Busy {
        /// The device.
        name: String,
    },
    /// This program may not use it.
    #[error("{name} may not be used by this program: {}", PERMISSION)]
    Denied {
        /// The device.
        name: String,
    },
    /// It has no format that can be converted.
    #[error("{name} has no usable format ({why}); choose another device, or one that converts, such as \"default\"")]
    Unsupported {
        /// The device.
        name: String,
        /// What was offered or refused.
        why: String,
    },
    /// It went away.
    #[error("{name} is gone; it is taken up again when it is back")]
    Lost {
        /// The device.
        name: String,
    },
    /// It is open but delivers nothing.
    #[error("{name} delivers no audio; it is opened again")]
    Stalled {
        /// The device.
        name: String,
    },
    /// The sound system failed in some other way.
    #[error("{name}: {why}")]
    Backend {
        /// The device.
        name: String,
        /// What the system said.
        why: String,
    },
}

#[cfg(target_os = "linux")]
const PERMISSION: &str = "add the user to the group \"audio\", or, in a container, hand /dev/snd in";
#[cfg(any(target_os = "macos", target_os = "ios"))]
const PERMISSION: &str = "allow it under Privacy & Security, Microphone, in the system's settings";
#[cfg(target_os = "windows")]
const PERMISSION: &str = "allow it under Privacy & security, Microphone, in the system's settings";
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "ios", target_os = "windows")))]
const PERMISSION: &str = "allow it in the system's settings";

fn there(available: &[String]) -> String {
    if available.is_empty() { String::new() } else { format!(" (there are: {})", available.join(", ")) }
}

/// What a source gets to open its device.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session's clock, which audio is stamped with.
    pub clock: Clock,
    /// How much audio the session wants to be kept while it is busy.
    pub buffer: Duration,
}

impl Opening {
    /// Makes the two ends between a device of this format and the session. `name` is for people to read.
    pub fn connect(&self, format: AudioFormat, name: impl Into<String>) -> (Input, Connection) {
        let block = (format.rate_hz / BLOCKS_PER_SECOND).max(1) as usize * usize::from(format.channels.max(1));
        let blocks = (self.buffer.as_secs_f64() * f64::from(BLOCKS_PER_SECOND)).ceil().clamp(8.0, 65_536.0) as usize;
        let (producer, audio) = ring(block, blocks);
        let status = Status::default();
        let alive = Arc::new(());
        let rate = u64::from(format.rate_hz) * u64::from(format.channels);
        let input = Input { producer, rate, status: status.clone(), alive: alive.clone() };
        (input, Connection { format, name: name.into(), audio, status, _alive: alive, device: Box::new(()) })
    }
}

/// An open device, as the session holds it.
pub struct Connection {
    pub(super) format: AudioFormat,
    pub(super) name: String,
    pub(super) audio: Consumer,
    pub(super) status: Status,
    /// Shared with the input, which sees when this one is gone.
    _alive: Arc<()>,
    /// What keeps the device running.
    pub(super) device: Box<dyn Any + Send>,
}

impl Connection {
    /// Keeps something as long as the connection is used, such as the handle of the device: dropping it stops the
    /// device.
    #[must_use]
    pub fn keeping(mut self, device: impl Any + Send) -> Self {
        self.device = Box::new(device);
        self
    }
}

/// The device's end of a connection. [`Input::push`] may be called from an audio callback: it neither allocates nor
/// locks nor makes system calls.
pub struct Input {
    producer: Producer,
    /// Samples per second over all channels.
    rate: u64,
    status: Status,
    alive: Arc<()>,
}

impl Input {
    /// Takes interleaved samples in, the first of which was captured at `captured` on the session's clock.
    pub fn push<S: PcmSample>(&mut self, samples: &[S], captured: Duration) {
        self.producer.push_at(samples, captured, self.rate);
    }

    /// Tells of samples (over all channels) that the device lost.
    pub fn skip(&mut self, samples: u64) {
        self.producer.skip(samples);
    }

    /// What happens to the device, to be told from other threads than that of the audio.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Whether the session has closed the connection.
    pub fn is_closed(&self) -> bool {
        Arc::strong_count(&self.alive) == 1
    }

    /// Ends the audio for good: the session recognizes the rest and stops. An input that is dropped without this is a
    /// lost device.
    pub fn end(self) {
        self.status.0.set(End::Finished);
    }
}

/// What happens to a device. Cloning shares it.
#[derive(Clone, Default)]
pub struct Status(Arc<Shared>);

#[derive(Default)]
struct Shared {
    end: OnceLock<End>,
    glitches: AtomicU64,
    reroutes: AtomicU64,
}

#[derive(Clone, Debug)]
pub(super) enum End {
    Finished,
    Lost(SourceError),
}

impl Shared {
    fn set(&self, end: End) {
        // The first reason is the one that counts.
        let _ = self.end.set(end);
    }
}

impl Status {
    /// The device can't deliver any more.
    pub fn lost(&self, why: SourceError) {
        self.0.set(End::Lost(why));
    }

    /// The device lost some audio, nobody knows how much: the time stamps will tell.
    pub fn glitch(&self) {
        self.0.glitches.fetch_add(1, Ordering::Relaxed);
    }

    /// The system goes on with another device, such as a new default.
    pub fn rerouted(&self) {
        self.0.reroutes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) -> Option<&End> {
        self.0.end.get()
    }

    pub(super) fn glitches(&self) -> u64 {
        self.0.glitches.load(Ordering::Relaxed)
    }

    pub(super) fn reroutes(&self) -> u64 {
        self.0.reroutes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_sees_that_its_session_is_gone() {
        let opening = Opening { clock: Clock::default(), buffer: Duration::from_secs(1) };
        let (input, connection) = opening.connect(AudioFormat::default(), "test");
        assert!(!input.is_closed());
        drop(connection);
        assert!(input.is_closed());
    }

    #[test]
    fn errors_say_what_to_do() {
        let name = || "hw:1".to_owned();
        let available = vec!["default".to_owned(), "usb".to_owned()];
        for (error, advice) in [
            (SourceError::NotFound { name: name(), available }, "there are: default, usb"),
            (SourceError::Busy { name: name() }, "close that"),
            (SourceError::Denied { name: name() }, PERMISSION),
            (SourceError::Unsupported { name: name(), why: "DSD".into() }, "choose another device"),
        ] {
            let text = error.to_string();
            assert!(text.contains("hw:1") && text.contains(advice), "{text}");
        }
    }
}
