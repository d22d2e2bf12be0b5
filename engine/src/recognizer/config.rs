//! What a host sets for one stream.

use std::time::Duration;

use crate::decode::{Grammar, Hotword, LanguageModel};
use crate::endpoint::Policy;
use crate::speaker::SpeakerConfig;
use crate::transcript::format::FormatConfig;

/// Rate and channels of the samples that a host pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples per second and channel, 8,000 to 192,000.
    pub rate_hz: u32,
    /// Interleaved channels; they are mixed down to one.
    pub channels: u16,
}

impl Default for AudioFormat {
    /// 16 kHz mono, which needs no conversion.
    fn default() -> Self {
        Self { rate_hz: 16_000, channels: 1 }
    }
}

/// Settings of one stream. Start from [`StreamConfig::default`] and change what is needed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamConfig {
    /// What is pushed.
    pub audio: AudioFormat,
    /// Audio per encoder step. Rounded to the nearest chunk that the model was trained with; `None` takes the model's
    /// default. Longer chunks are more accurate and cheaper, and later.
    pub chunk: Option<Duration>,
    /// Whether a second pass in the longest chunks, behind the first, corrects what that has heard: finals are as right
    /// as with the longest chunk, interims as early as with the one above, for 1.5 times the processor time. Does nothing
    /// where that is the longest.
    pub second_pass: bool,
    /// Whether [`Event::Interim`](super::Event::Interim) events are made.
    pub interim_results: bool,
    /// Least stream time between two interim events.
    pub interim_interval: Duration,
    /// Trailing silence that ends the utterance with a final; `None` ends it only at
    /// [`Stream::finalize`](super::Stream::finalize) and [`Stream::finish`](super::Stream::finish). See
    /// [`Policy::endpointing`].
    pub endpointing: Option<Duration>,
    /// Whether that silence adapts to what is heard: see [`Policy::adaptive`].
    pub adaptive_endpointing: bool,
    /// Least trailing silence after an unfinished phrase: see [`Policy::unfinished`].
    pub unfinished_pause: Duration,
    /// Gap between words that ends the utterance: see [`Policy::utterance_end`].
    pub utterance_end: Option<Duration>,
    /// Longest utterance; a final is made at the next pause between words after it, so that memory stays bounded.
    pub max_utterance: Duration,
    /// Most tokens that one encoder frame may emit. Bounds the work of a step on any input.
    pub max_symbols_per_frame: usize,
    /// How words are written; see [`Hypothesis::written`](crate::Hypothesis::written).
    pub format: FormatConfig,
    /// Phrases that are expected, and made likelier. See [`Stream::rejected_hotwords`](super::Stream::rejected_hotwords)
    /// for those that can't be listened for.
    pub hotwords: Vec<Hotword>,
    /// Hypotheses that the search follows, 1 to 64; the first of two passes follows four of them at the most. 1 is greedy
    /// search: the least work, and interims that hardly change, but half as many errors again as the default.
    pub beam_width: usize,
    /// What can be said ([`Engine::grammar`](super::Engine::grammar)); `None` is anything. The beam is at least 32 wide
    /// with a grammar, and a final carries an [`Interpretation`](crate::Interpretation).
    pub grammar: Option<Grammar>,
    /// Which texts are likely; heard by a beam of at least 2 without a grammar.
    pub language_model: ShallowFusion,
    /// Most other hypotheses that a final tells of; they come from the beam.
    pub alternatives: usize,
    /// Whether the encoder rests in silence. Needs a model with an endpointing network, and does nothing without.
    pub gate: bool,
    /// Whether and how words are labelled with who says them ([`Word::speaker`](crate::Word::speaker)). Needs a model
    /// with a speaker network ([`ModelInfo::speakers`](super::ModelInfo::speakers)), and does nothing without.
    pub speakers: Option<SpeakerConfig>,
}

/// Which n-gram model counts beside the transducer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ShallowFusion {
    /// The one in the model file, if it has one ([`Engine::built_in_language_model`](super::Engine::built_in_language_model)).
    #[default]
    BuiltIn,
    /// None.
    Off,
    /// One of the host's ([`Engine::language_model`](super::Engine::language_model)).
    With(LanguageModel),
}

impl Default for StreamConfig {
    fn default() -> Self {
        let Policy { endpointing, adaptive, unfinished, utterance_end, max_utterance } = Policy::default();
        Self {
            audio: AudioFormat::default(),
            chunk: None,
            second_pass: true,
            interim_results: true,
            interim_interval: Duration::from_millis(100),
            endpointing,
            adaptive_endpointing: adaptive,
            unfinished_pause: unfinished,
            utterance_end,
            max_utterance,
            max_symbols_per_frame: 5,
            format: FormatConfig::default(),
            hotwords: Vec::new(),
            beam_width: Self::DEFAULT_BEAM_WIDTH,
            grammar: None,
            language_model: ShallowFusion::default(),
            alternatives: 0,
            gate: true,
            speakers: None,
        }
    }
}

impl StreamConfig {
    /// Hypotheses that a search follows unless told otherwise.
    pub const DEFAULT_BEAM_WIDTH: usize = 32;

    /// When utterances end.
    pub fn policy(&self) -> Policy {
        Policy {
            endpointing: self.endpointing,
            adaptive: self.adaptive_endpointing,
            unfinished: self.unfinished_pause,
            utterance_end: self.utterance_end,
            max_utterance: self.max_utterance,
        }
    }

    /// Sets when utterances end, for example to [`Policy::drive_thru`].
    pub fn set_policy(&mut self, policy: Policy) {
        let Policy { endpointing, adaptive, unfinished, utterance_end, max_utterance } = policy;
        self.endpointing = endpointing;
        self.adaptive_endpointing = adaptive;
        self.unfinished_pause = unfinished;
        self.utterance_end = utterance_end;
        self.max_utterance = max_utterance;
    }

    /// Settings for whole recordings: the longest chunk, no interims, no gate, one final.
    pub fn batch(audio: AudioFormat) -> Self {
        Self {
            audio,
            chunk: Some(Duration::MAX),
            interim_results: false,
            endpointing: None,
            utterance_end: None,
            max_utterance: Duration::MAX,
            gate: false,
            ..Self::default()
        }
    }
}
