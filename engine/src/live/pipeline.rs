//! From audio to the host's mailbox: the stream, and how it keeps up.

use std::{sync::Arc, time::Duration};

use super::{Clock, Counters, mailbox::Mailbox, mailbox::Stamp, worker::Changes};
use crate::{AudioFormat, Engine, Error, Metrics, Stream, StreamConfig, audio::ring, transcript::Hypothesis};

/// Audio that waits at this length, for this time, means that the recognizer is behind: chunks are made longer and the
/// second pass rests, which is cheaper. A device that delivers much at once, or a host that got stuck, makes audio wait
/// too, but not for long.
const BEHIND: Duration = Duration::from_millis(400);
const BEHIND_FOR: Duration = Duration::from_millis(200);

/// How little must have waited, and for how much audio, before chunks are made shorter again.
const CAUGHT_UP: Duration = Duration::from_millis(50);
const STEADY: Duration = Duration::from_secs(2);

/// Recognizes mono audio and puts what it hears into the mailbox.
pub(super) struct Pipeline {
    stream: Stream,
    mailbox: Arc<Mailbox>,
    clock: Clock,
    recording: Option<ring::Producer>,
    /// Storage for an interim on its way.
    interim: Hypothesis,
    /// Chunks of the model, ascending, and which of them are wanted and used.
    chunks: Vec<Duration>,
    wanted: usize,
    used: usize,
    second_pass: bool,
    /// Time since which audio has been waiting.
    behind_since: Option<Duration>,
    /// Position since which the recognizer has kept up with longer chunks.
    steady_since: Option<Duration>,
    /// When the newest audio was captured.
    captured: Option<Duration>,
    pub(super) counters: Counters,
}

impl Pipeline {
    pub(super) fn new(
        engine: &Engine,
        mut config: StreamConfig,
        recording: Option<ring::Producer>,
        mailbox: Arc<Mailbox>,
        clock: Clock,
    ) -> Result<Self, Error> {
        config.audio = AudioFormat::default();
        let second_pass = config.second_pass;
        let stream = engine.stream(config)?;
        let chunks: Vec<_> = engine.info().chunks().collect();
        let wanted = chunks.iter().position(|&chunk| chunk == stream.chunk()).unwrap_or(0);
        Ok(Self {
            stream,
            mailbox,
            clock,
            recording,
            interim: Hypothesis::roomy(),
            chunks,
            wanted,
            used: wanted,
            second_pass,
            behind_since: None,
            steady_since: None,
            captured: None,
            counters: Counters::default(),
        })
    }

    /// Position in the stream up to which audio was taken.
    pub(super) fn position(&self) -> Duration {
        self.stream.position()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        self.stream.metrics()
    }

    /// A stamp for an event that comes of no audio.
    pub(super) fn now(&self) -> Stamp {
        Stamp { captured: None, made: self.clock.now() }
    }

    /// Takes audio at 16 kHz, the last sample of which was captured at `captured`.
    pub(super) fn hear(&mut self, mono: &[f32], captured: Duration) -> Result<(), Error> {
        self.captured = Some(captured);
        if let Some(recording) = &mut self.recording {
            recording.push(mono);
        }
        let (began, chunks) = (self.clock.now(), self.metrics().chunks);
        self.stream.push_f32(mono)?;
        if self.metrics().chunks > chunks && self.clock.now() - began > self.stream.chunk() {
            self.counters.overruns += 1;
        }
        self.deliver();
        Ok(())
    }

    /// Takes note of lost audio.
    pub(super) fn lose(&mut self, length: Duration) -> Result<(), Error> {
        let before = self.position();
        self.stream.gap(length)?;
        let length = self.position() - before;
        self.counters.gaps += u64::from(!length.is_zero());
        self.counters.gap_time += length;
        if let Some(recording) = &mut self.recording {
            recording.skip((length.as_secs_f64() * f64::from(AudioFormat::default().rate_hz)).round() as u64);
        }
        self.deliver();
        Ok(())
    }

    /// Makes a final of all audio so far at the host's request.
    pub(super) fn finalize(&mut self) -> Result<(), Error> {
        self.stream.finalize()?;
        self.deliver();
        Ok(())
    }

    /// Ends the stream.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.stream.finish()?;
        self.recording = None;
        self.deliver();
        Ok(())
    }

    /// Changes settings of the stream.
    pub(super) fn change(&mut self, changes: Changes) {
        let Changes { policy, format, hotwords, grammar } = changes;
        if let Some(policy) = policy {
            self.stream.set_policy(policy);
        }
        if let Some(format) = format {
            self.stream.set_format(format);
        }
        if let Some(hotwords) = hotwords {
            self.stream.set_hotwords(hotwords);
        }
        if let Some(grammar) = grammar {
            self.stream.set_grammar(grammar);
        }
    }

    #[cfg(test)]
    pub(super) fn chunk(&self) -> Duration {
        self.stream.chunk()
    }

    /// Chooses the chunk by how much audio waits.
    pub(super) fn keep_up(&mut self, waiting: Duration) -> Result<(), Error> {
        let (now, position) = (self.clock.now(), self.position());
        if waiting <= BEHIND {
            self.behind_since = None;
        } else if now >= *self.behind_since.get_or_insert(now) + BEHIND_FOR && self.used + 1 < self.chunks.len() {
            self.use_chunk(self.used + 1)?;
            self.counters.longer_chunks += 1;
            self.behind_since = None;
        }
        if waiting > CAUGHT_UP {
            self.steady_since = None;
        } else if self.used > self.wanted && position >= *self.steady_since.get_or_insert(position) + STEADY {
            self.use_chunk(self.used - 1)?;
            self.steady_since = None;
        }
        Ok(())
    }

    fn use_chunk(&mut self, index: usize) -> Result<(), Error> {
        self.used = index;
        self.stream.set_second_pass(self.second_pass && index == self.wanted)?;
        self.stream.set_chunk(self.chunks[index])
    }

    fn deliver(&mut self) {
        let stamp = Stamp { captured: self.captured, made: self.clock.now() };
        while let Some(event) = self.stream.poll() {
            self.mailbox.put_heard(event, stamp, &mut self.interim);
        }
    }
}
