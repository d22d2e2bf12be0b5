//! Live recognition: a device's audio to events, for weeks.
//!
//! ```text
//!  device (audio callback)          recognizer's thread                      host
//!  ─────────────────────────       ────────────────────────────────         ───────────────────
//!  Source::open ⇢ Input::push  →    ring → 16 kHz mono → Stream   →  mailbox → Live::next_event
//!  never allocates, locks or        sleeps on the ring; opens the            gets every final and
//!  makes system calls               device again when it was lost            the newest interim
//! ```
//!
//! **Device.** Anything that implements [`Source`]: a microphone (`Microphone`, feature `capture`), recorded audio by
//! the clock ([`Playback`]), or a host's own. A lost device is opened again after 1, 2, 4 … 30 seconds, by
//! [`Backoff`]; what it delivered before is recognized first, the outage is a [`Gap`](crate::Event::Gap), and positions
//! stay on one timeline, which counts from the first sample.
//!
//! **Behind.** When audio waits, the second pass rests and chunks are made longer, which takes less work per second of
//! audio, until it has kept up for a while. When the buffer is full nevertheless, audio is lost and told as a gap.
//!
//! **A host that is slow** gets the newest interim instead of a queue of them. Finals are never dropped: they wait, up
//! to [`LiveConfig::backlog`] events. A host that doesn't take events even then stops the recognition until it does;
//! the audio meanwhile is a gap. So memory is bounded, and nothing that was recognized gets lost.
//!
//! **Sleep.** A thread is woken by a system call, which an audio callback must not make. The recognizer's thread looks
//! instead when the next block should be there, and every 2 ms from then on.
//!
//! ```no_run
//! use std::time::Duration;
//! use linnet::{AudioFormat, Engine, Event, live::{Live, LiveConfig, LiveEvent, Playback}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let samples = Vec::new();
//! let engine = Engine::open("model.linnet")?;
//! let source = Playback::new(samples, AudioFormat::default(), "a recording");
//! let mut live = Live::start(&engine, source, LiveConfig::default())?;
//! while !live.is_over() {
//!     match live.next_event(Duration::from_secs(1)) {
//!         Some(LiveEvent::Heard(Event::Final(words))) => println!("{}", words.text()),
//!         Some(LiveEvent::Trouble { error, retry_in }) => eprintln!("{error} (again in {retry_in:?})"),
//!         _ => {}
//!     }
//! }
//! live.join()?;
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "capture")]
mod capture;
mod clock;
mod config;
mod event;
mod mailbox;
mod metrics;
mod monitor;
mod pipeline;
mod playback;
mod priority;
mod remote;
mod retry;
mod source;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

#[cfg(feature = "capture")]
pub use capture::{Microphone, MicrophoneInfo};
pub use clock::Clock;
pub use config::{Backoff, LiveConfig, Priority};
pub use event::{LiveEvent, Notice, State};
pub use metrics::{Counters, LiveMetrics};
pub use monitor::Level;
pub use playback::Playback;
pub use remote::Remote;
pub use source::{Connection, Input, Opening, Source, SourceError, Status};

use self::{
    mailbox::{Lent, Mailbox, Stamp},
    metrics::{Published, Taken},
    worker::{Control, Turn, Worker},
};
use crate::{Engine, Error};

/// What can end a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The recognizer refused its configuration or its audio.
    #[error(transparent)]
    Recognizer(#[from] Error),
    /// The system gave no thread.
    #[error("the recognizer's thread can't be started: {0}; see that the process may have more threads")]
    Thread(#[source] std::io::Error),
    /// The recognizer's thread died.
    #[error("the recognizer's thread panicked; please report what it said on standard error")]
    Panicked,
}

/// A live session: it owns the recognizer's thread, which owns the device. Dropping it ends both.
pub struct Live {
    mailbox: Arc<Mailbox>,
    remote: Remote,
    clock: Clock,
    lent: Lent,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Live {
    /// Starts to listen. Opening the device is the thread's work: whether it succeeds comes as an event.
    ///
    /// # Errors
    /// When the stream can't be made or the thread not be started.
    pub fn start(engine: &Engine, source: impl Source + 'static, config: LiveConfig) -> Result<Self, LiveError> {
        let mailbox = Arc::new(Mailbox::new(config.backlog));
        let control = Arc::<Control>::default();
        let published = Arc::new(Mutex::new(Published::new()));
        let (clock, priority) = (config.clock.clone(), config.priority);
        let worker =
            Worker::new(engine, Box::new(source), config, mailbox.clone(), control.clone(), published.clone())?;
        let ending = Ending { mailbox: mailbox.clone(), control: control.clone() };
        let thread = std::thread::Builder::new()
            .name("linnet".into())
            .spawn(move || run(worker, ending, priority))
            .map_err(LiveError::Thread)?;
        Ok(Self {
            mailbox,
            remote: Remote { control, published, taken: Arc::new(Mutex::new(Taken::new())) },
            clock,
            lent: Lent::default(),
            thread: Some(thread),
        })
    }

    /// The next event, oldest first, waiting for one at most this long. `None` when none came, or none will come any
    /// more ([`Live::is_over`]).
    pub fn next_event(&mut self, timeout: Duration) -> Option<LiveEvent<'_>> {
        let (event, Stamp { captured, made }) = self.mailbox.take(&mut self.lent, timeout)?;
        let now = self.clock.now();
        let mut taken = self.remote.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.delivery.record(now.saturating_sub(made));
        if let (LiveEvent::Heard(_), Some(captured)) = (event, captured) {
            taken.capture_to_event.record(now.saturating_sub(captured));
        }
        drop(taken);
        Some(event)
    }

    /// A control for other threads.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Whether the session has stopped and all of its events were taken.
    pub fn is_over(&self) -> bool {
        self.mailbox.is_exhausted()
    }

    /// The state of the session, which may be ahead of the events.
    pub fn state(&self) -> State {
        self.remote.state()
    }

    /// How loud it is.
    pub fn level(&self) -> Level {
        self.remote.level()
    }

    /// Makes a final of what has been said so far, without a pause. It comes as an event.
    pub fn finalize(&self) {
        self.remote.finalize();
    }

    /// Ends the session: the device is closed, what it delivered recognized, and [`State::Stopped`] comes as the last
    /// event.
    pub fn stop(&self) {
        self.remote.stop();
    }

    /// What the session measured: up to a quarter of a second ago, or to its end.
    pub fn metrics(&self) -> LiveMetrics {
        self.remote.metrics()
    }

    /// Ends the session at once, without the events that are left, and tells how it went.
    ///
    /// # Errors
    /// What ended the session, if something but the host or the source did.
    pub fn join(mut self) -> Result<(), LiveError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LiveError> {
        self.remote.control.abandon.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => Ok(result?),
            Some(Err(_)) => Err(LiveError::Panicked),
            None => Ok(()),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Who wants to know calls `join`.
        let _ = self.end();
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Tells the host that the thread has ended, however it did.
struct Ending {
    mailbox: Arc<Mailbox>,
    control: Arc<Control>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.control.set_state(State::Stopped);
        self.mailbox.close();
    }
}

fn run(mut worker: Worker, ending: Ending, priority: Priority) -> Result<(), Error> {
    if priority == Priority::RealTime
        && let Err(why) = priority::raise()
    {
        worker.note(Notice::OrdinaryPriority { why });
    }
    while !ending.control.abandon.load(Ordering::Acquire) {
        match worker.turn()? {
            Turn::Busy => {}
            Turn::Wait(time) => worker.clock().sleep(time),
            Turn::Done => break,
        }
    }
    Ok(())
}
