//! The recognizer's thread: it opens the device, recognizes what comes, and opens it again when it was lost.
//!
//! All of it happens in [`Worker::turn`], which never sleeps: the thread sleeps between turns, and tests drive turns by
//! a clock of their own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use super::{
    Clock, Connection, Level, LiveConfig, Notice, Opening, Source, SourceError, State,
    mailbox::Mailbox,
    metrics::Published,
    monitor::{Finding, Meter, Pulse, SharedLevel},
    pipeline::Pipeline,
    retry::Retry,
    source::End,
};
use crate::{
    AudioFormat, Engine, Error, FormatConfig, Grammar, Hotwords, Policy,
    audio::{
        Resampler,
        ring::{Item, POLL},
    },
    recognizer::Recorder,
};

/// Blocks (of 10 ms) of one turn, so that requests of the host don't wait behind a long queue.
const BLOCKS_PER_TURN: usize = 32;

/// How long the thread sleeps when only the host can change anything.
const IDLE: Duration = Duration::from_millis(20);

/// A jump of the capture time by this much means that audio is missing, though the device has not said so: the machine
/// was suspended, or the driver hung. Less may be a callback that came late.
const UNTOLD_LOSS: Duration = Duration::from_secs(1);

/// As [`UNTOLD_LOSS`] after the device reported a glitch.
const TOLD_LOSS: Duration = Duration::from_millis(20);

/// Least audio from which the drift of the device's clock is taken.
const DRIFT_AFTER: Duration = Duration::from_secs(60);

/// How often the metrics are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// What host and thread tell each other.
#[derive(Default)]
pub(super) struct Control {
    pub(super) stop: AtomicBool,
    /// The host is gone: nobody takes events any more.
    pub(super) abandon: AtomicBool,
    pub(super) finalize: AtomicBool,
    /// Whether there are `changes`, so that the thread locks only then.
    pub(super) changed: AtomicBool,
    pub(super) changes: Mutex<Changes>,
    pub(super) level: SharedLevel,
    state: AtomicU8,
}

/// Settings that the host has changed and the thread has not taken yet.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) policy: Option<Policy>,
    pub(super) format: Option<FormatConfig>,
    /// `Some(None)` is for none.
    pub(super) hotwords: Option<Option<Hotwords>>,
    pub(super) grammar: Option<Option<Grammar>>,
}

const STATES: [State; 4] = [State::Connecting, State::Live, State::Reconnecting, State::Stopped];

impl Control {
    pub(super) fn state(&self) -> State {
        STATES[usize::from(self.state.load(Ordering::Acquire))]
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }
}

/// What the thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Another turn at once.
    Busy,
    /// Nothing to do for this long.
    Wait(Duration),
    /// The session is over.
    Done,
}

pub(super) struct Worker {
    source: Box<dyn Source>,
    opening: Opening,
    open: Option<Box<Open>>,
    /// When to open the device, while it is not open.
    due: Duration,
    retry: Retry,
    pipeline: Pipeline,
    mailbox: Arc<Mailbox>,
    control: Arc<Control>,
    published: Arc<Mutex<Published>>,
    publish_at: Duration,
    queue: Recorder,
    stall: Duration,
    dead_after: Duration,
    state: State,
    /// When the first sample was captured.
    began: Option<Duration>,
    /// When the next sample would have been captured if none were lost.
    expected: Option<Duration>,
    /// When the device was lost.
    lost_at: Option<Duration>,
}

/// An open device and what its format needs.
struct Open {
    connection: Connection,
    resampler: Resampler,
    meter: Meter,
    pulse: Pulse,
    samples: Vec<f32>,
    mono: Vec<f32>,
    /// Whether audio has come.
    heard: bool,
    /// When audio came last, or when the device was opened.
    heard_at: Duration,
    /// The device was stopped; what it has delivered is still to be recognized.
    closed: Option<Closing>,
    glitches: u64,
    reroutes: u64,
    drift: Option<Drift>,
}

#[derive(Clone, Debug)]
enum Closing {
    Stopping,
    Lost(SourceError),
}

/// Frames since a moment of capture.
struct Drift {
    since: Duration,
    frames: u64,
}

impl Open {
    fn new(connection: Connection, dead_after: Duration, now: Duration) -> Result<Self, SourceError> {
        let AudioFormat { rate_hz, channels } = connection.format;
        let to_hz = AudioFormat::default().rate_hz;
        let resampler = Resampler::new(rate_hz, usize::from(channels), to_hz)
            .map_err(|why| SourceError::Unsupported { name: connection.name.clone(), why: why.to_string() })?;
        Ok(Self {
            resampler,
            meter: Meter::new(to_hz),
            pulse: Pulse::new(rate_hz, usize::from(channels), dead_after),
            samples: Vec::with_capacity(rate_hz as usize / 50 * usize::from(channels)),
            mono: Vec::with_capacity(to_hz as usize / 10),
            heard: false,
            heard_at: now,
            closed: None,
            glitches: connection.status.glitches(),
            reroutes: connection.status.reroutes(),
            drift: None,
            connection,
        })
    }

    /// Stops the device.
    fn close(&mut self, why: Closing) {
        self.connection.device = Box::new(());
        self.closed = Some(why);
    }

    /// Duration of interleaved samples.
    fn length(&self, samples: u64) -> Duration {
        let AudioFormat { rate_hz, channels } = self.connection.format;
        Duration::from_secs_f64(samples as f64 / f64::from(rate_hz) / f64::from(channels))
    }

    /// Why the device is to be closed, if it is.
    fn trouble(&self, now: Duration, stall: Duration) -> Option<Closing> {
        let name = || self.connection.name.clone();
        match self.connection.status.end() {
            Some(End::Lost(why)) => Some(Closing::Lost(why.clone())),
            Some(End::Finished) => self.connection.audio.is_finished().then_some(Closing::Stopping),
            None if self.connection.audio.is_finished() => Some(Closing::Lost(SourceError::Lost { name: name() })),
            None if now >= self.heard_at.saturating_add(stall) => {
                Some(Closing::Lost(SourceError::Stalled { name: name() }))
            }
            None => None,
        }
    }
}

impl Worker {
    pub(super) fn new(
        engine: &Engine,
        source: Box<dyn Source>,
        config: LiveConfig,
        mailbox: Arc<Mailbox>,
        control: Arc<Control>,
        published: Arc<Mutex<Published>>,
    ) -> Result<Self, Error> {
        let clock = config.clock;
        let pipeline = Pipeline::new(engine, config.stream, config.recording, mailbox.clone(), clock.clone())?;
        Ok(Self {
            source,
            due: clock.now(),
            publish_at: clock.now(),
            opening: Opening { clock, buffer: config.buffer },
            open: None,
            retry: Retry::new(config.backoff),
            pipeline,
            mailbox,
            control,
            published,
            queue: Recorder::new(),
            stall: config.stall,
            dead_after: config.dead_after,
            state: State::Connecting,
            began: None,
            expected: None,
            lost_at: None,
        })
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.opening.clock
    }

    pub(super) fn note(&self, notice: Notice) {
        self.mailbox.put_notice(notice, self.pipeline.now());
    }

    /// Does what there is to do now.
    pub(super) fn turn(&mut self) -> Result<Turn, Error> {
        let now = self.opening.clock.now();
        if now >= self.publish_at {
            self.publish(now);
        }
        if !self.mailbox.has_room() {
            return Ok(Turn::Wait(IDLE));
        }
        match self.open.take() {
            Some(open) => self.listen(open),
            None if self.control.stop.load(Ordering::Acquire) => self.end(),
            None if now >= self.due => Ok(self.connect()),
            None => {
                self.finalize_if_asked()?;
                Ok(Turn::Wait((self.due - now).min(IDLE)))
            }
        }
    }

    fn connect(&mut self) -> Turn {
        let opened = self.source.open(&self.opening).and_then(|connection| {
            let notice = Notice::Opened { device: connection.name.clone(), format: connection.format };
            Ok((Open::new(connection, self.dead_after, self.opening.clock.now())?, notice))
        });
        match opened {
            Ok((open, notice)) => {
                self.note(notice);
                self.open = Some(Box::new(open));
            }
            Err(error) => {
                self.pipeline.counters.failed_attempts += 1;
                self.try_later(error);
            }
        }
        Turn::Busy
    }

    fn try_later(&mut self, error: SourceError) {
        let wait = self.retry.next_wait();
        self.due = self.opening.clock.now() + wait;
        if self.state == State::Live {
            self.set_state(State::Reconnecting);
        }
        self.mailbox.put_trouble(error, wait, self.pipeline.now());
    }

    fn listen(&mut self, mut open: Box<Open>) -> Result<Turn, Error> {
        if open.closed.is_none() && self.control.stop.load(Ordering::Acquire) {
            open.close(Closing::Stopping);
        }
        self.take_notes(&mut open);
        for _ in 0..BLOCKS_PER_TURN {
            self.take_changes();
            open.samples.clear();
            match open.connection.audio.pop(&mut open.samples) {
                Some(Item::Samples { captured, .. }) => self.hear(&mut open, captured)?,
                Some(Item::Gap { length, .. }) => self.overflow(&mut open, length)?,
                None => return self.wait_for_more(open),
            }
            if !self.mailbox.has_room() {
                break;
            }
        }
        // Blocks are of 10 ms.
        let waiting = Duration::from_millis(10) * u32::try_from(open.connection.audio.len()).unwrap_or(u32::MAX);
        self.pipeline.keep_up(waiting)?;
        self.open = Some(open);
        Ok(Turn::Busy)
    }

    /// All audio that is here has been recognized.
    fn wait_for_more(&mut self, mut open: Box<Open>) -> Result<Turn, Error> {
        self.pipeline.keep_up(Duration::ZERO)?;
        if self.control.finalize.load(Ordering::Acquire) {
            self.flush(&mut open)?;
            self.finalize_if_asked()?;
        }
        let now = self.opening.clock.now();
        if let Some(why) = open.closed.take() {
            return self.part(open, why);
        }
        let turn = if let Some(why) = open.trouble(now, self.stall) {
            // The last of its audio may have come just now: one more look.
            open.close(why);
            Turn::Busy
        } else {
            let next = self.expected.map_or(POLL, |expected| (expected + 5 * POLL).saturating_sub(now));
            Turn::Wait(next.clamp(POLL, 5 * POLL))
        };
        self.open = Some(open);
        Ok(turn)
    }

    /// Lets go of a device whose audio has been taken: what was said is final now, not when the device is back.
    fn part(&mut self, mut open: Box<Open>, why: Closing) -> Result<Turn, Error> {
        self.flush(&mut open)?;
        self.pipeline.lose(Duration::ZERO)?;
        self.control.level.set(Level::default());
        match why {
            Closing::Stopping => self.end(),
            Closing::Lost(error) => {
                if open.heard {
                    self.pipeline.counters.losses += 1;
                    self.lost_at = Some(self.opening.clock.now());
                } else {
                    self.pipeline.counters.failed_attempts += 1;
                }
                self.try_later(error);
                Ok(Turn::Busy)
            }
        }
    }

    fn hear(&mut self, open: &mut Open, captured: Duration) -> Result<(), Error> {
        let now = self.opening.clock.now();
        let end = captured + open.length(open.samples.len() as u64);
        self.queue.record(now.saturating_sub(end));
        self.find_untold_loss(open, captured)?;
        self.began.get_or_insert(captured);
        self.expected = Some(end);
        open.heard_at = now;
        if !open.heard {
            open.heard = true;
            self.came_alive(now);
        }
        self.take_drift(open, captured);
        match open.pulse.push(&open.samples) {
            Finding::Nothing => {}
            Finding::Died => {
                let alike = Duration::from_secs_f64(
                    open.pulse.frames_alike() as f64 / f64::from(open.connection.format.rate_hz),
                );
                let since = (self.pipeline.position() + open.length(open.samples.len() as u64)).saturating_sub(alike);
                self.mailbox.put_dead_microphone(since, self.pipeline.now());
            }
            Finding::Revived => self.mailbox.put_microphone_alive(self.pipeline.position(), self.pipeline.now()),
        }
        open.mono.clear();
        open.resampler.push(&open.samples, &mut open.mono);
        open.meter.push(&open.mono, &self.control.level);
        self.pipeline.hear(&open.mono, end)
    }

    fn came_alive(&mut self, now: Duration) {
        self.retry.reset();
        self.set_state(State::Live);
        if let Some(lost_at) = self.lost_at.take() {
            let counters = &mut self.pipeline.counters;
            counters.recoveries += 1;
            counters.last_recovery = now.saturating_sub(lost_at);
            counters.longest_recovery = counters.longest_recovery.max(counters.last_recovery);
        }
    }

    /// Audio that is missing by its capture time: all of an outage, and what the device lost on its own.
    fn find_untold_loss(&mut self, open: &mut Open, captured: Duration) -> Result<(), Error> {
        let missing = self.expected.map_or(Duration::ZERO, |expected| captured.saturating_sub(expected));
        let glitches = open.connection.status.glitches();
        let least = match (open.heard, glitches != open.glitches) {
            (false, _) => Duration::ZERO,
            (true, true) => TOLD_LOSS,
            (true, false) => UNTOLD_LOSS,
        };
        if missing <= least {
            return Ok(());
        }
        open.glitches = glitches;
        open.drift = None;
        self.flush(open)?;
        self.pipeline.lose(missing)
    }

    /// Audio that found no room in the ring.
    fn overflow(&mut self, open: &mut Open, samples: u64) -> Result<(), Error> {
        let length = open.length(samples);
        self.pipeline.counters.dropped += length;
        self.expected = self.expected.map(|expected| expected + length);
        open.drift = None;
        self.flush(open)?;
        self.pipeline.lose(length)
    }

    /// Takes what the resampler holds back.
    fn flush(&mut self, open: &mut Open) -> Result<(), Error> {
        open.mono.clear();
        open.resampler.finish(&mut open.mono);
        match self.expected {
            Some(captured) if !open.mono.is_empty() => self.pipeline.hear(&open.mono, captured),
            _ => Ok(()),
        }
    }

    fn take_drift(&mut self, open: &mut Open, captured: Duration) {
        let frames = (open.samples.len() / usize::from(open.connection.format.channels)) as u64;
        let drift = open.drift.get_or_insert(Drift { since: captured, frames: 0 });
        let real = captured.saturating_sub(drift.since);
        if real >= DRIFT_AFTER {
            let told = drift.frames as f64 / f64::from(open.connection.format.rate_hz);
            self.pipeline.counters.drift_ppm = Some((told / real.as_secs_f64() - 1.0) * 1e6);
        }
        drift.frames += frames;
    }

    /// Passes on what the device has to say.
    fn take_notes(&mut self, open: &mut Open) {
        let status = &open.connection.status;
        let reroutes = status.reroutes();
        if reroutes != open.reroutes {
            open.reroutes = reroutes;
            let device = open.connection.name.clone();
            self.note(Notice::Rerouted { device });
        }
    }

    /// Makes the changes that the host asked for.
    fn take_changes(&mut self) {
        if self.control.changed.swap(false, Ordering::AcqRel) {
            let changes = std::mem::take(&mut *self.control.changes.lock().unwrap_or_else(PoisonError::into_inner));
            self.pipeline.change(changes);
        }
    }

    fn finalize_if_asked(&mut self) -> Result<(), Error> {
        if self.control.finalize.swap(false, Ordering::AcqRel) {
            self.pipeline.finalize()?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Turn, Error> {
        self.pipeline.finish()?;
        self.publish(self.opening.clock.now());
        self.set_state(State::Stopped);
        Ok(Turn::Done)
    }

    fn set_state(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.control.set_state(state);
            self.mailbox.put_state(state, self.pipeline.now());
        }
    }

    fn publish(&mut self, now: Duration) {
        self.publish_at = now + PUBLISH_EVERY;
        // A host that reads them just now gets the next ones.
        if let Ok(mut published) = self.published.try_lock() {
            published.queue.copy_from(&self.queue);
            published.recognizer.copy_from(self.pipeline.metrics());
            published.began = self.began;
            published.counters = self.pipeline.counters;
        }
    }
}
