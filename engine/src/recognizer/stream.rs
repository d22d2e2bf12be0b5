//! One audio stream: samples in, events out.

use std::time::{Duration, Instant};

use super::{Engine, Error, Event, Metrics, Stage, StreamConfig, outbox::Outbox, timeline::Timeline};
use crate::{
    audio::{PcmSample, Resampler},
    decode::{Greedy, Token},
    features::LogMel,
    model::encoder::Encoder,
    transcript::{Assembler, format::FormatConfig},
};

/// Frames (all channels) that are taken through the pipeline at once, so that buffers stay small whatever a host pushes.
const BLOCK_FRAMES: usize = 4096;

/// The state of one audio stream. Made by [`Engine::stream`]; the weights are shared with all others.
///
/// Pushing computes every chunk that is complete; [`Stream::poll`] then hands out what came of it. Once warm, a push
/// allocates nothing.
pub struct Stream {
    engine: Engine,
    config: StreamConfig,
    resampler: Resampler,
    features: LogMel,
    encoder: Box<dyn Encoder>,
    search: Greedy,
    assembler: Assembler,
    timeline: Timeline,
    outbox: Outbox,
    metrics: Metrics,
    buffers: Buffers,
    finished: bool,
}

/// Working space between the stages, reused by every push.
#[derive(Default)]
struct Buffers {
    /// 16 kHz mono.
    mono: Vec<f32>,
    mel: Vec<f32>,
    encoded: Vec<f32>,
    tokens: Vec<Token>,
}

impl Stream {
    pub(super) fn new(engine: Engine, config: StreamConfig) -> Result<Self, Error> {
        let model = engine.config();
        let resampler =
            Resampler::new(config.audio.rate_hz, usize::from(config.audio.channels), model.features.sample_rate_hz)?;
        let features = LogMel::new(&model.features)?;
        let frame = engine.info().frame;
        let encoder = engine.new_encoder(engine.look_ahead_for(config.chunk))?;
        let search = Greedy::new(engine.head(), config.max_symbols_per_frame);
        Ok(Self {
            timeline: Timeline { format: config.audio, pushed: 0, base: Duration::ZERO, frame },
            assembler: Assembler::new(frame),
            outbox: Outbox::new(&config.format),
            metrics: Metrics::new(),
            buffers: Buffers::default(),
            finished: false,
            engine,
            config,
            resampler,
            features,
            encoder,
            search,
        })
    }

    /// Takes interleaved samples in -1..1, any number of them, at the rate and channels of the configuration. Samples
    /// that are not finite count as zero.
    ///
    /// # Errors
    /// [`Error::Finished`] after [`Stream::finish`].
    pub fn push_f32(&mut self, samples: &[f32]) -> Result<(), Error> {
        self.push(samples)
    }

    /// Takes interleaved 16-bit samples, otherwise as [`Stream::push_f32`].
    ///
    /// # Errors
    /// [`Error::Finished`] after [`Stream::finish`].
    pub fn push_i16(&mut self, samples: &[i16]) -> Result<(), Error> {
        self.push(samples)
    }

    fn push<S: PcmSample>(&mut self, samples: &[S]) -> Result<(), Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        for block in samples.chunks(BLOCK_FRAMES * usize::from(self.config.audio.channels)) {
            self.push_block(block)?;
        }
        Ok(())
    }

    fn push_block<S: PcmSample>(&mut self, samples: &[S]) -> Result<(), Error> {
        let began = Instant::now();
        self.timeline.pushed += samples.len() as u64;
        self.metrics.audio = self.timeline.now();
        self.buffers.mono.clear();
        self.resampler.push(samples, &mut self.buffers.mono);
        self.metrics.bad_samples = self.resampler.damaged_samples();
        self.buffers.mel.clear();
        self.features.push(&self.buffers.mono, &mut self.buffers.mel);
        self.metrics.record(Stage::Features, began.elapsed());
        self.step(began, |encoder, mel, encoded| encoder.push(mel, encoded))
    }

    /// Encodes the mel frames at hand, and decodes what comes out.
    fn step(
        &mut self,
        began: Instant,
        encode: impl FnOnce(&mut dyn Encoder, &[f32], &mut Vec<f32>) -> Result<usize, crate::model::encoder::EncoderError>,
    ) -> Result<(), Error> {
        let encoding = Instant::now();
        self.buffers.encoded.clear();
        let frames = encode(self.encoder.as_mut(), &self.buffers.mel, &mut self.buffers.encoded)?;
        if frames == 0 {
            return Ok(());
        }
        let decoding = Instant::now();
        self.metrics.record(Stage::Encoder, decoding - encoding);
        self.decode();
        self.metrics.record(Stage::Decode, decoding.elapsed());
        self.metrics.record(Stage::Step, began.elapsed());
        self.metrics.chunks += 1;
        self.metrics.frames += frames as u64;
        Ok(())
    }

    /// Searches the encoder frames at hand, one at a time so that a pause ends an utterance at its own frame whatever
    /// the chunk.
    fn decode(&mut self) {
        let head = self.engine.head();
        let mut changed = false;
        for frame in self.buffers.encoded.chunks_exact(head.frame_width()) {
            self.buffers.tokens.clear();
            self.search.decode(head, frame, &mut self.buffers.tokens);
            self.metrics.tokens += self.buffers.tokens.len() as u64;
            let started = self.assembler.is_empty();
            for &token in &self.buffers.tokens {
                changed |= self.assembler.push(token, self.timeline.base, self.engine.tokens());
            }
            // The last frame of a stream stands for more audio than there was.
            self.assembler.advance_to(self.timeline.at_frame(self.search.frames()).min(self.timeline.now()));
            if started && let Some(word) = self.assembler.hypothesis().words().first() {
                self.outbox.speech_started(word.start);
            }
            if self.pause_ended_utterance() {
                let last_word_end = self.assembler.last_word_end();
                self.outbox.final_of(&mut self.assembler, usize::MAX, |f| f.speech_final = true);
                self.outbox.utterance_end(last_word_end);
                self.search.start_utterance(head);
                changed = false;
            } else if self.utterance_is_too_long() {
                // The last word may still grow: it starts the next utterance.
                let words = self.assembler.hypothesis().words().len() - 1;
                self.outbox.final_of(&mut self.assembler, words, |_| {});
                changed = true;
            }
        }
        if self.config.interim_results {
            self.outbox.interim_of(&self.assembler, changed, self.config.interim_interval);
        }
    }

    fn pause_ended_utterance(&self) -> bool {
        self.config.endpointing.is_some_and(|pause| {
            !self.assembler.is_empty() && self.assembler.hypothesis().end() >= self.assembler.last_word_end() + pause
        })
    }

    fn utterance_is_too_long(&self) -> bool {
        let hypothesis = self.assembler.hypothesis();
        let [first, .., _] = hypothesis.words() else { return false };
        hypothesis.end().saturating_sub(first.start) > self.config.max_utterance
    }

    /// The next event, oldest first; `None` when there is no more until the next push. An interim that was not polled
    /// is replaced by a newer one; nothing else is ever dropped.
    pub fn poll(&mut self) -> Option<Event<'_>> {
        self.outbox.poll()
    }

    /// Recognizes all audio pushed so far to its last sample and makes a final of it, without ending the stream: the
    /// next push goes on at the same position with a fresh state.
    ///
    /// # Errors
    /// [`Error::Finished`] after [`Stream::finish`].
    pub fn finalize(&mut self) -> Result<(), Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        let began = Instant::now();
        self.buffers.mono.clear();
        self.resampler.finish(&mut self.buffers.mono);
        self.buffers.mel.clear();
        self.features.push(&self.buffers.mono, &mut self.buffers.mel);
        self.features.finish(&mut self.buffers.mel);
        self.metrics.record(Stage::Features, began.elapsed());
        self.step(began, |encoder, mel, encoded| {
            let frames = encoder.push(mel, encoded)?;
            Ok(frames + encoder.finish(encoded)?)
        })?;
        self.assembler.advance_to(self.timeline.now());
        if !self.assembler.is_empty() {
            let last_word_end = self.assembler.last_word_end();
            self.outbox.final_of(&mut self.assembler, usize::MAX, |f| f.from_finalize = true);
            self.outbox.utterance_end(last_word_end);
        }
        self.restart_at(self.timeline.now());
        Ok(())
    }

    /// Ends the stream: [`Stream::finalize`], after which only [`Stream::poll`] and [`Stream::reset`] do anything.
    ///
    /// # Errors
    /// [`Error::Finished`] when it has ended before.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.finalize()?;
        self.finished = true;
        Ok(())
    }

    /// Starts a new stream at position zero in the same storage: audio and events of the old one are dropped, metrics
    /// go on.
    pub fn reset(&mut self) {
        self.timeline.pushed = 0;
        self.outbox.clear();
        self.restart_at(Duration::ZERO);
        self.finished = false;
    }

    fn restart_at(&mut self, base: Duration) {
        self.timeline.base = base;
        self.resampler.reset();
        self.features.reset();
        self.encoder.reset();
        self.search.reset(self.engine.head());
        self.assembler.reset(base);
    }

    /// Position in the stream up to which audio was pushed.
    pub fn position(&self) -> Duration {
        self.timeline.now()
    }

    /// Audio per encoder step.
    pub fn chunk(&self) -> Duration {
        self.timeline.frame * (self.encoder.look_ahead() as u32 + 1)
    }

    /// Changes the audio per encoder step from the next chunk on, to the nearest that the model was trained with.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the encoder refuses it; the stream goes on as it was.
    pub fn set_chunk(&mut self, chunk: Duration) -> Result<(), Error> {
        self.encoder.set_look_ahead(self.engine.look_ahead_for(Some(chunk)))?;
        self.config.chunk = Some(chunk);
        Ok(())
    }

    /// Changes how words are written, from the next interim or final on.
    pub fn set_format(&mut self, format: FormatConfig) {
        self.outbox.set_format(&format);
        self.config.format = format;
    }

    /// Counters and times per stage since the stream was made.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("config", &self.config)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
