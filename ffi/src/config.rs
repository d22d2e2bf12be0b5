//! Settings of a stream.

use std::{mem::offset_of, time::Duration};

use linnet::{AudioFormat, Engine, Hotwords, SpeakerConfig, Stream, StreamConfig};

use crate::{
    error::{Failure, guard, linnet_status_t},
    format::{format_config, linnet_format_config_t},
    grammar::{grammar, linnet_grammar_t},
    hotwords::{hotwords, linnet_hotwords_t},
    language_model::{language_model, linnet_language_model_t},
    memory::{AbiStruct, read_struct, write_struct},
    value::{flag, optional, saturate_ms, within},
};

/// Settings of one stream. Set `size`, fill the rest with linnet_stream_config_init, and change what is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct linnet_stream_config_t {
    /// sizeof(linnet_stream_config_t).
    pub size: usize,
    /// Samples per second and channel that are pushed: 8000 to 192000. Default 16000.
    pub sample_rate_hz: u32,
    /// Interleaved channels that are pushed; they are mixed down to one. Default 1.
    pub channels: u32,
    /// Audio per step of the encoder, in milliseconds: rounded to the nearest that the model was trained with; 0 takes
    /// the model's default. Longer chunks are more accurate and cheaper, and later. Default 0.
    pub chunk_ms: u32,
    /// Whether interim events are made: 1 or 0. Default 1.
    pub interim_results: u32,
    /// Least stream time between two interim events, in milliseconds. Default 100.
    pub interim_interval_ms: u32,
    /// Trailing silence after a word that ends the utterance with a final event, in milliseconds; 0 ends it only at
    /// linnet_stream_finalize and linnet_stream_finish. Default 800.
    pub endpoint_ms: u32,
    /// Longest utterance in milliseconds: a final event is made at the next pause between words after it; 0 sets no
    /// limit. Default 30000.
    pub max_utterance_ms: u32,
    /// Most tokens that one encoder frame may emit: 1 to 64. Default 5.
    pub max_symbols_per_frame: u32,
    /// Whether the model may shorten the silence of `endpoint_ms` to 0.4 or lengthen it to 1.8 of its length: 1 or 0.
    /// Default 1.
    pub adaptive_endpointing: u32,
    /// Least silence after words that something is likely to follow, in milliseconds. Default 1200.
    pub unfinished_ms: u32,
    /// Gap between words that ends the utterance, whatever is heard in it, in milliseconds; 0 for never. Default 0.
    pub utterance_end_ms: u32,
    /// Whether the encoder rests in silence: 1 or 0. Default 1.
    pub gate: u32,
    /// Hypotheses that the search follows, 1 to 64: 1 is greedy search; more are more accurate and cost more. A grammar
    /// takes 32 at least, the first of two passes four at the most. Default 32.
    pub beam_width: u32,
    /// Most other hypotheses that a final tells of, 0 to 64; they come from the beam. Default 0.
    pub alternatives: u32,
    /// What to listen for; zero for nothing in particular. Default 0.
    pub hotwords: linnet_hotwords_t,
    /// What can be said; zero for anything. Default 0.
    pub grammar: linnet_grammar_t,
    /// How words are written; null for as the model spells them. Default null.
    pub format: *const linnet_format_config_t,
    /// Most speakers that are told apart, 1 to 16, to label words with who says them (`speaker` of linnet_word_t); 0
    /// labels none. Naming a number that is known makes fewer errors. Needs a model with a speaker network
    /// (linnet_engine_info_t), and does nothing without. Default 0.
    pub speakers: u32,
    /// Cosine between voices below which they are two people's, above 0 and at most 1, where lower makes fewer speakers;
    /// 0 takes the one that the model was measured with. Default 0.
    pub speaker_threshold: f32,
    /// Which texts are likely; zero for the language model in the model file, LINNET_NO_LANGUAGE_MODEL for none. It is heard
    /// by a beam of at least 2, without a grammar. Default 0.
    pub language_model: linnet_language_model_t,
    /// Whether a second pass in the longest chunks, behind the first, corrects what that has heard, so that finals are as
    /// right as with the longest chunk and interims as early as with `chunk_ms`, for 1.5 times the work: 1 or 0. Default 1.
    pub second_pass: u32,
}

// SAFETY: `repr(C)`, size first; numbers, and a pointer that the host vouches for.
unsafe impl AbiStruct for linnet_stream_config_t {
    const NAME: &'static str = "linnet_stream_config_t";
    const FIRST_SIZE: usize = offset_of!(Self, speakers);
}

/// Fills `config` with the defaults. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_config_init(config: *mut linnet_stream_config_t) -> linnet_status_t {
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says.
    guard(|| unsafe { write_struct(config, &linnet_stream_config_t::defaults()) })
}

impl linnet_stream_config_t {
    pub(crate) fn defaults() -> Self {
        let config = StreamConfig::default();
        let ms = saturate_ms;
        Self {
            size: size_of::<Self>(),
            sample_rate_hz: config.audio.rate_hz,
            channels: config.audio.channels.into(),
            chunk_ms: config.chunk.map_or(0, ms),
            interim_results: config.interim_results.into(),
            interim_interval_ms: ms(config.interim_interval),
            endpoint_ms: config.endpointing.map_or(0, ms),
            max_utterance_ms: ms(config.max_utterance),
            max_symbols_per_frame: config.max_symbols_per_frame as u32,
            adaptive_endpointing: config.adaptive_endpointing.into(),
            unfinished_ms: ms(config.unfinished_pause),
            utterance_end_ms: config.utterance_end.map_or(0, ms),
            gate: config.gate.into(),
            beam_width: config.beam_width as u32,
            alternatives: config.alternatives as u32,
            hotwords: 0,
            grammar: 0,
            format: std::ptr::null(),
            speakers: config.speakers.as_ref().map_or(0, |speakers| speakers.most as u32),
            speaker_threshold: 0.0,
            language_model: 0,
            second_pass: config.second_pass.into(),
        }
    }

    /// The settings of a stream, but for those behind handles and pointers.
    fn to_stream_config(self) -> Result<StreamConfig, Failure> {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let mut config = StreamConfig::default();
        config.audio = audio_format(self.sample_rate_hz, self.channels)?;
        config.interim_results = flag(self.interim_results, "interim_results")?;
        config.interim_interval = ms(self.interim_interval_ms);
        config.endpointing = optional(self.endpoint_ms);
        config.max_utterance = optional(self.max_utterance_ms).unwrap_or(Duration::MAX);
        config.adaptive_endpointing = flag(self.adaptive_endpointing, "adaptive_endpointing")?;
        config.unfinished_pause = ms(self.unfinished_ms);
        config.utterance_end = optional(self.utterance_end_ms);
        config.gate = flag(self.gate, "gate")?;
        self.set_decoding(&mut config)?;
        config.chunk = optional(self.chunk_ms);
        Ok(config)
    }

    /// The settings that concern a whole recording too.
    fn set_decoding(&self, config: &mut StreamConfig) -> Result<(), Failure> {
        if let Some(chunk) = optional(self.chunk_ms) {
            config.chunk = Some(chunk);
        }
        config.second_pass = flag(self.second_pass, "second_pass")?;
        config.max_symbols_per_frame = within(self.max_symbols_per_frame, 1, 64, "max_symbols_per_frame")?;
        config.beam_width = within(self.beam_width, 1, 64, "beam_width")?;
        config.alternatives = within(self.alternatives, 0, 64, "alternatives")?;
        config.speakers = self.speakers()?;
        Ok(())
    }

    fn speakers(&self) -> Result<Option<SpeakerConfig>, Failure> {
        let most = within(self.speakers, 0, SpeakerConfig::MOST as u32, "speakers")?;
        let threshold = self.speaker_threshold;
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Failure::argument(format!("speaker_threshold is {threshold}; it takes 0 to 1")));
        }
        let mut speakers = SpeakerConfig::default();
        speakers.most = most;
        speakers.threshold = (threshold > 0.0).then_some(threshold);
        Ok((most > 0).then_some(speakers))
    }
}

/// Settings of a stream of one engine.
pub(crate) struct Settings {
    pub config: StreamConfig,
    pub hotwords: Option<Hotwords>,
}

impl Settings {
    /// The settings that a host gave for a stream; the defaults for null.
    ///
    /// # Safety
    /// `config` is null or can be read for as many bytes as its size field says; what it points to is as it says.
    pub unsafe fn for_stream(config: *const linnet_stream_config_t, engine: &Engine) -> Result<Self, Failure> {
        // SAFETY: as promised by the caller.
        unsafe { Self::read(config, engine, |config| config.to_stream_config()) }
    }

    /// The settings that a host gave for whole recordings of a format; those of a batch for null.
    ///
    /// # Safety
    /// As [`Settings::for_stream`].
    pub unsafe fn for_recording(
        config: *const linnet_stream_config_t,
        engine: &Engine,
        audio: AudioFormat,
    ) -> Result<Self, Failure> {
        let batch = |config: linnet_stream_config_t| {
            let mut batch = StreamConfig::batch(audio);
            config.set_decoding(&mut batch)?;
            Ok(batch)
        };
        // SAFETY: as promised by the caller.
        unsafe { Self::read(config, engine, batch) }
    }

    /// # Safety
    /// As [`Settings::for_stream`].
    unsafe fn read(
        config: *const linnet_stream_config_t,
        engine: &Engine,
        convert: impl FnOnce(linnet_stream_config_t) -> Result<StreamConfig, Failure>,
    ) -> Result<Self, Failure> {
        let given = match config.is_null() {
            true => linnet_stream_config_t::defaults(),
            // SAFETY: as promised by the caller.
            false => unsafe { read_struct(config, linnet_stream_config_t::defaults())? },
        };
        let mut config = convert(given)?;
        // SAFETY: as promised by the caller.
        config.format = unsafe { format_config(given.format)? };
        config.grammar = grammar(given.grammar, engine.tokens())?;
        config.language_model = language_model(given.language_model, engine.tokens())?;
        Ok(Self { config, hotwords: hotwords(given.hotwords, engine.tokens())? })
    }

    /// A stream with these settings.
    pub fn stream(self, engine: &Engine) -> Result<Stream, Failure> {
        let mut stream = engine.stream(self.config)?;
        if self.hotwords.is_some() {
            stream.set_hotwords(self.hotwords);
        }
        Ok(stream)
    }
}

/// Rate and channels as the engine takes them; it judges the rate itself.
pub(crate) fn audio_format(sample_rate_hz: u32, channels: u32) -> Result<AudioFormat, Failure> {
    match u16::try_from(channels) {
        Ok(channels) if channels > 0 => Ok(AudioFormat { rate_hz: sample_rate_hz, channels }),
        _ => Err(Failure::argument(format!("channels is {channels}; it takes 1 to {}", u16::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::linnet_status_t::*;

    fn defaults() -> linnet_stream_config_t {
        linnet_stream_config_t::defaults()
    }

    #[test]
    fn defaults_are_those_of_the_engine() {
        assert_eq!(defaults().to_stream_config().unwrap(), StreamConfig::default());
        let mut config = linnet_stream_config_t { sample_rate_hz: 1, channels: 2, chunk_ms: 3, ..defaults() };
        // SAFETY: it is a whole struct.
        assert_eq!(unsafe { linnet_stream_config_init(&mut config) }, LINNET_OK);
        assert_eq!(config, defaults());
    }

    #[test]
    fn zero_means_off_or_the_models_default() {
        let config = linnet_stream_config_t { chunk_ms: 0, endpoint_ms: 0, max_utterance_ms: 0, ..defaults() };
        let config = config.to_stream_config().unwrap();
        assert_eq!((config.chunk, config.endpointing, config.max_utterance), (None, None, Duration::MAX));
        let config = linnet_stream_config_t { chunk_ms: 560, endpoint_ms: u32::MAX, ..defaults() };
        let config = config.to_stream_config().unwrap();
        assert_eq!(config.chunk, Some(Duration::from_millis(560)));
        assert_eq!(config.endpointing, Some(Duration::from_millis(u32::MAX.into())));
    }

    #[test]
    fn speakers_are_told_apart_when_asked_for() {
        let config = linnet_stream_config_t { speakers: 2, ..defaults() }.to_stream_config().unwrap();
        let speakers = config.speakers.unwrap();
        assert_eq!((speakers.most, speakers.threshold), (2, None));
        let config = linnet_stream_config_t { speakers: 16, speaker_threshold: 0.5, ..defaults() };
        assert_eq!(config.to_stream_config().unwrap().speakers.unwrap().threshold, Some(0.5));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (config, field) in [
            (linnet_stream_config_t { channels: 0, ..defaults() }, "channels"),
            (linnet_stream_config_t { channels: 65_536, ..defaults() }, "channels"),
            (linnet_stream_config_t { interim_results: 2, ..defaults() }, "interim_results"),
            (linnet_stream_config_t { max_symbols_per_frame: 0, ..defaults() }, "max_symbols_per_frame"),
            (linnet_stream_config_t { max_symbols_per_frame: 65, ..defaults() }, "max_symbols_per_frame"),
            (linnet_stream_config_t { adaptive_endpointing: 2, ..defaults() }, "adaptive_endpointing"),
            (linnet_stream_config_t { gate: 3, ..defaults() }, "gate"),
            (linnet_stream_config_t { beam_width: 0, ..defaults() }, "beam_width"),
            (linnet_stream_config_t { second_pass: 2, ..defaults() }, "second_pass"),
            (linnet_stream_config_t { beam_width: 65, ..defaults() }, "beam_width"),
            (linnet_stream_config_t { alternatives: 65, ..defaults() }, "alternatives"),
            (linnet_stream_config_t { speakers: 17, ..defaults() }, "speakers"),
            (linnet_stream_config_t { speaker_threshold: 1.5, ..defaults() }, "speaker_threshold"),
            (linnet_stream_config_t { speaker_threshold: f32::NAN, ..defaults() }, "speaker_threshold"),
        ] {
            let failure = config.to_stream_config().unwrap_err();
            assert_eq!(failure.status, LINNET_ERROR_INVALID_ARGUMENT);
            assert!(failure.message.contains(field), "{}", failure.message);
        }
    }
}
