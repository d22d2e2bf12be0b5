//! One audio stream: samples in, events out.

use std::time::{Duration, Instant};

use super::{
    Engine, Error, Event, Metrics, ShallowFusion, Stage, StreamConfig, ending::Ending, outbox::Outbox,
    second_pass::SecondPass, timeline::Timeline,
};
use crate::{
    audio::{PcmSample, Resampler},
    decode::{Decoded, Grammar, Hotwords, RejectedHotword, Search, SearchConfig},
    endpoint::{Endpointer, Policy},
    features::LogMel,
    model::encoder::{Encoder, EncoderError},
    speaker::Tracker,
    transcript::{Assembler, format::FormatConfig},
};

/// Frames (all channels) that are taken through the pipeline at once, so that buffers stay small whatever a host pushes.
const BLOCK_FRAMES: usize = 4096;

/// Encoder frames that come at once at the most, but for the longest chunks.
const MOST_FRAMES: usize = 16;

/// Tokens that a step seldom exceeds.
const TYPICAL_TOKENS: usize = 128;

/// The state of one audio stream. Made by [`Engine::stream`]; the weights are shared with all others.
///
/// Pushing computes every chunk that is complete; [`Stream::poll`] then hands out what came of it. Once warm, a push
/// allocates nothing.
pub struct Stream {
    pub(super) engine: Engine,
    pub(super) config: StreamConfig,
    resampler: Resampler,
    features: LogMel,
    pub(super) encoder: Box<dyn Encoder>,
    /// Index of the next frame of the encoder.
    next_frame: u64,
    pub(super) search: Search,
    /// Absent where it was never wanted, or the chunks are the longest.
    pub(super) second: Option<SecondPass>,
    pub(super) assembler: Assembler,
    pub(super) timeline: Timeline,
    pub(super) outbox: Outbox,
    pub(super) metrics: Metrics,
    pub(super) buffers: Buffers,
    /// Absent where the model has no endpointing network, and where nothing that a host wants depends on it.
    pub(super) endpointer: Option<Endpointer>,
    /// Who speaks, where a host wants to know and the model can tell.
    pub(super) speakers: Option<Tracker>,
    /// Whether the start of the running utterance was told. Nothing else of it is told before.
    pub(super) begun: bool,
    finished: bool,
}

/// Working space between the stages, reused by every push.
#[derive(Default)]
pub(super) struct Buffers {
    /// 16 kHz mono.
    mono: Vec<f32>,
    mel: Vec<f32>,
    encoded: Vec<f32>,
    pub(super) decoded: Decoded,
    /// Log-mel frames from before the gate opened.
    pub(super) pre_roll: Vec<f32>,
}

impl Stream {
    pub(super) fn new(engine: Engine, config: StreamConfig) -> Result<Self, Error> {
        let model = engine.config();
        let resampler =
            Resampler::new(config.audio.rate_hz, usize::from(config.audio.channels), model.features.sample_rate_hz)?;
        let features = LogMel::new(&model.features)?;
        let frame = engine.info().frame;
        let encoder = engine.new_encoder(engine.look_ahead_for(config.chunk))?;
        let search = SearchConfig {
            width: config.beam_width,
            is_narrow: config.second_pass && encoder.look_ahead() < engine.longest_look_ahead(),
            max_symbols_per_frame: config.max_symbols_per_frame,
            hotwords: Some(engine.hotwords(&config.hotwords)),
            grammar: config.grammar.clone(),
            language_model: match &config.language_model {
                ShallowFusion::BuiltIn => engine.built_in_language_model().cloned(),
                ShallowFusion::Off => None,
                ShallowFusion::With(model) => Some(model.clone()),
            },
        };
        let search = Search::new(engine.head(), engine.tokens().clone(), search);
        let wanted = config.gate || config.endpointing.is_some();
        let endpointer = engine.endpointing().filter(|_| wanted).map(|network| {
            let grid = model.encoder.subsampling;
            Endpointer::new(network.clone(), model.features.mel_bins, frame / grid as u32, grid, config.gate)
        });
        let log_mel_frame = frame / model.encoder.subsampling as u32;
        let speakers = engine
            .speakers()
            .zip(config.speakers.as_ref())
            .map(|(network, config)| Tracker::new(network.clone(), model.features.mel_bins, log_mel_frame, config));
        let mut stream = Self {
            speakers,
            timeline: Timeline::new(config.audio, frame, &model.features),
            assembler: Assembler::new(frame, model.confidence),
            outbox: Outbox::new(&config.format),
            metrics: Metrics::new(),
            buffers: Buffers {
                // An opening gate gives the encoder more at once than a push does.
                encoded: Vec::with_capacity(MOST_FRAMES * model.encoder.d_model),
                pre_roll: Vec::with_capacity(MOST_FRAMES * model.encoder.subsampling * model.features.mel_bins),
                decoded: Decoded::with_capacity(TYPICAL_TOKENS),
                ..Buffers::default()
            },
            endpointer,
            begun: false,
            finished: false,
            engine,
            config,
            resampler,
            features,
            encoder,
            next_frame: 0,
            search,
            second: None,
        };
        stream.prepare_second_pass()?;
        stream.restart_encoders();
        Ok(stream)
    }

    /// Makes the second pass where it is wanted and was not before.
    fn prepare_second_pass(&mut self) -> Result<(), Error> {
        if self.second.is_none() && self.wants_second_pass() {
            let encoder = self.engine.new_encoder(self.engine.longest_look_ahead())?;
            self.second = Some(SecondPass::new(encoder, self.search.fork(self.engine.head())));
        }
        Ok(())
    }

    fn wants_second_pass(&self) -> bool {
        self.config.second_pass && self.encoder.look_ahead() < self.engine.longest_look_ahead()
    }

    /// Lets the encoders hear a new stretch of audio, which begins where the search stands.
    pub(super) fn restart_encoders(&mut self) {
        self.encoder.reset();
        self.next_frame = self.search.frames();
        let run = self.wants_second_pass();
        if let Some(second) = &mut self.second {
            second.restart(run, &self.search, self.engine.head());
        }
        self.search.set_narrow(self.engine.head(), run);
    }

    /// Lets the second pass rest where it is no longer wanted: what was heard so far stands.
    fn stop_second_pass(&mut self) {
        if self.wants_second_pass() {
            return;
        }
        let Some(second) = self.second.as_mut().filter(|second| second.is_running()) else { return };
        let decoded = &mut self.buffers.decoded;
        decoded.clear();
        self.search.decode(self.engine.head(), &[], decoded);
        decoded.confirmed.extend(second.stop());
        self.search.set_narrow(self.engine.head(), false);
        self.metrics.tokens += decoded.confirmed.len() as u64;
        self.assembler.update(decoded, self.timeline.base, self.engine.tokens());
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
        self.listen(began)
    }

    /// Takes the log-mel frames at hand to the encoder, and what comes out through the decoder.
    fn listen(&mut self, began: Instant) -> Result<(), Error> {
        let chunks = self.metrics.chunks;
        let mel = std::mem::take(&mut self.buffers.mel);
        let steps = self.endpointer.as_mut().map_or(0, |endpointer| endpointer.score(&mel));
        self.metrics.record(Stage::Features, began.elapsed());
        let heard = self.take_steps(&mel, steps);
        self.buffers.mel = mel;
        heard?;
        self.metrics.gated = self.endpointer.as_ref().map_or(Duration::ZERO, Endpointer::gated);
        if self.metrics.chunks > chunks {
            self.metrics.record(Stage::Step, began.elapsed());
        }
        Ok(())
    }

    /// Encodes log-mel frames, and decodes what comes out.
    pub(super) fn encode(&mut self, mel: &[f32]) -> Result<(), Error> {
        self.step(self.timeline.now(), |encoder, encoded| encoder.push(mel, encoded))
    }

    /// Encodes and decodes what the encoder holds back for a whole chunk, of audio that ends at `end`. It must be reset
    /// next.
    pub(super) fn flush(&mut self, end: Duration) -> Result<(), Error> {
        self.step(end, |encoder, encoded| encoder.finish(encoded))
    }

    fn step(
        &mut self,
        end: Duration,
        encode: impl Fn(&mut dyn Encoder, &mut Vec<f32>) -> Result<usize, EncoderError>,
    ) -> Result<(), Error> {
        let encoding = Instant::now();
        self.buffers.encoded.clear();
        let frames = encode(self.encoder.as_mut(), &mut self.buffers.encoded)?;
        let reviewed = self.second.as_mut().map_or(Ok(false), |second| second.encode(encode))?;
        if frames == 0 && !reviewed {
            return Ok(());
        }
        let decoding = Instant::now();
        self.metrics.record(Stage::Encoder, decoding - encoding);
        self.decode(end);
        self.metrics.record(Stage::Decode, decoding.elapsed());
        self.metrics.chunks += 1;
        self.metrics.frames += frames as u64;
        Ok(())
    }

    /// Searches the encoder frames at hand, those of the first pass one at a time so that a pause ends an utterance at its
    /// own frame whatever the chunk, and those of the second as soon as it has them. There is no audio behind `end`.
    fn decode(&mut self, end: Duration) {
        let encoded = std::mem::take(&mut self.buffers.encoded);
        let mut changed = false;
        let (first, chunk) = (self.next_frame, self.encoder.look_ahead() as u64 + 1);
        for (i, frame) in (0..).zip(encoded.chunks_exact(self.engine.head().frame_width())) {
            let end_of_chunk = first + (i / chunk + 1) * chunk;
            changed = self.review(end_of_chunk, end, changed);
            self.next_frame += 1;
            if self.next_frame > self.search.frames() {
                changed = self.decode_frame(frame, self.heard_by_chunk(end_of_chunk, end), changed);
            }
        }
        changed = self.review(u64::MAX, end, changed);
        self.buffers.encoded = encoded;
        if self.config.interim_results && self.begun {
            self.label_words();
            self.outbox.interim_of(&self.assembler, changed, self.config.interim_interval);
        }
    }

    /// End of the audio that a chunk up to this frame needed: how much was pushed with it must not count.
    fn heard_by_chunk(&self, end_of_chunk: u64, end: Duration) -> Duration {
        self.timeline.heard_by_frame(end_of_chunk - 1).min(end)
    }

    /// Searches a frame that needed the audio up to `heard`. Returns whether words changed that no event has told yet.
    fn decode_frame(&mut self, frame: &[f32], heard: Duration, changed: bool) -> bool {
        self.buffers.decoded.clear();
        self.search.decode(self.engine.head(), frame, &mut self.buffers.decoded);
        if let Some(second) = &mut self.second {
            second.hold(&mut self.buffers.decoded);
        }
        self.take_decoded(heard, changed)
    }

    /// Searches the frames of the second pass up to `limit` instead of those of the first.
    fn review(&mut self, limit: u64, end: Duration, mut changed: bool) -> bool {
        while let Some(second) = &mut self.second
            && let Some(heard) = second.review(limit, &mut self.search, self.engine.head(), &mut self.buffers.decoded)
        {
            if heard {
                changed = self.take_decoded(self.heard_by_chunk(self.search.frames(), end), changed);
            }
        }
        changed
    }

    /// Takes what the search made of audio up to `heard`.
    fn take_decoded(&mut self, heard: Duration, mut changed: bool) -> bool {
        self.metrics.tokens += self.buffers.decoded.confirmed.len() as u64;
        changed |= self.assembler.update(&self.buffers.decoded, self.timeline.base, self.engine.tokens());
        // A frame stands for audio that was not heard yet, the last of a stream for more than there was.
        let end = self.timeline.at_frame(self.search.frames()).min(heard);
        self.assembler.advance_to(end);
        self.begin_with_words();
        if let Some(speech_final) = self.word_gap_ended_utterance() {
            self.end_utterance(speech_final);
            return false;
        }
        if self.utterance_is_too_long() {
            // Words that may still change start the next utterance.
            let words = self.assembler.hypothesis().confirmed();
            self.settle_speakers(false);
            self.outbox.final_of(&mut self.assembler, words, |_| {});
            return true;
        }
        changed
    }

    /// Lets the search decide on what it still holds back of the utterance.
    pub(super) fn end_search(&mut self) -> Ending {
        let place = (&self.timeline, &**self.engine.tokens(), self.config.alternatives);
        let (search, held) = match &mut self.second {
            Some(second) => second.ending(&mut self.search),
            None => (&mut self.search, &[][..]),
        };
        Ending::of(search, held, &mut self.assembler, &mut self.buffers.decoded, place)
    }

    /// Settles who said what was heard so far, for a final.
    pub(super) fn settle_speakers(&mut self, end: bool) {
        if let Some(tracker) = &mut self.speakers {
            tracker.settle(end);
        }
        self.label_words();
    }

    fn label_words(&mut self) {
        let Some(tracker) = &mut self.speakers else { return };
        let base = self.timeline.base;
        tracker.forget_before(self.assembler.hypothesis().start().saturating_sub(base));
        self.assembler.label_words(|start, end| tracker.speaker(start.saturating_sub(base), end.saturating_sub(base)));
    }

    fn utterance_is_too_long(&self) -> bool {
        let hypothesis = self.assembler.hypothesis();
        let Some(first) = hypothesis.words().first().filter(|_| hypothesis.confirmed() > 0) else { return false };
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
        self.recognize_rest(true)
    }

    /// Tells of audio of this length that was lost before it got here: recognizes what was pushed to its last sample,
    /// makes a final of it where there are words, and goes on behind the gap with a fresh state, so that positions stay
    /// true. A gap of no length only does the former, and is no event.
    ///
    /// # Errors
    /// [`Error::Finished`] after [`Stream::finish`].
    pub fn gap(&mut self, length: Duration) -> Result<(), Error> {
        self.recognize_rest(false)?;
        let at = self.timeline.now();
        self.timeline.skip(length);
        if self.timeline.now() > at {
            self.outbox.gap(at, self.timeline.now() - at);
            self.restart_at(self.timeline.now());
        }
        Ok(())
    }

    /// Recognizes what was pushed to its last sample, makes a final of it, and starts afresh.
    fn recognize_rest(&mut self, from_finalize: bool) -> Result<(), Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        let began = Instant::now();
        self.buffers.mono.clear();
        self.resampler.finish(&mut self.buffers.mono);
        self.buffers.mel.clear();
        self.features.push(&self.buffers.mono, &mut self.buffers.mel);
        self.features.finish(&mut self.buffers.mel);
        self.listen(began)?;
        let (flushing, chunks) = (Instant::now(), self.metrics.chunks);
        self.flush_all()?;
        if self.metrics.chunks > chunks {
            self.metrics.record(Stage::Step, flushing.elapsed());
        }
        let ending = self.end_search();
        self.assembler.advance_to(self.timeline.now());
        if self.heard_noise(&ending) {
            self.outbox.withdraw();
        } else if let Some(first) = self.assembler.hypothesis().words().first() {
            if !self.begun {
                self.outbox.speech_started(first.start);
            }
            let last_word_end = self.assembler.last_word_end();
            self.settle_speakers(true);
            self.outbox.final_of(&mut self.assembler, usize::MAX, |f| {
                f.from_finalize = from_finalize;
                ending.write_to(f);
            });
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
        if let Some(tracker) = &mut self.speakers {
            tracker.reset();
        }
        self.finished = false;
    }

    fn restart_at(&mut self, base: Duration) {
        self.timeline.base = base;
        self.resampler.reset();
        self.features.reset();
        self.search.reset(self.engine.head());
        self.restart_encoders();
        self.assembler.reset(base);
        self.begun = false;
        if let Some(endpointer) = &mut self.endpointer {
            endpointer.reset();
        }
        if let Some(tracker) = &mut self.speakers {
            tracker.restart();
        }
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
        self.stop_second_pass();
        self.prepare_second_pass()
    }

    /// Lets a second pass correct what the first has heard, or not ([`StreamConfig::second_pass`]): from now on without,
    /// after the next silence or final with one. Allocates where the stream had none before.
    ///
    /// # Errors
    /// [`Error::Encoder`] when there can't be another encoder; the stream goes on without.
    pub fn set_second_pass(&mut self, second_pass: bool) -> Result<(), Error> {
        self.config.second_pass = second_pass;
        self.stop_second_pass();
        self.prepare_second_pass()
    }

    /// Changes how words are written, from the next interim or final on.
    pub fn set_format(&mut self, format: FormatConfig) {
        self.outbox.set_format(&format);
        self.config.format = format;
    }

    /// When utterances end.
    pub fn policy(&self) -> Policy {
        self.config.policy()
    }

    /// Changes when utterances end, also the running one. An endpointing that was `None` when the stream was made
    /// without a gate falls back to the silence after the last word.
    pub fn set_policy(&mut self, policy: Policy) {
        self.config.set_policy(policy);
    }

    /// Listens for other hotwords ([`Engine::hotwords`]) from the next chunk on, or for none. A match that has begun with
    /// the old ones is forgotten.
    pub fn set_hotwords(&mut self, hotwords: Option<Hotwords>) {
        if let Some(second) = &mut self.second {
            second.search().set_hotwords(hotwords.clone());
        }
        self.search.set_hotwords(hotwords);
    }

    /// Keeps to another grammar ([`Engine::grammar`]), or to none: at once when no word of an utterance was heard yet,
    /// else from the next utterance on. Allocates.
    pub fn set_grammar(&mut self, grammar: Option<Grammar>) {
        let at_once = self.assembler.is_empty();
        self.search.set_grammar(self.engine.head(), grammar, at_once);
        if let Some(second) = self.second.as_mut().filter(|_| at_once) {
            second.begin_utterance(&self.search, self.engine.head());
        }
    }

    /// The hotwords that can't be listened for, and why.
    pub fn rejected_hotwords(&self) -> &[RejectedHotword] {
        self.search.rejected_hotwords()
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
