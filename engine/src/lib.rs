//! Linnet: embedded, on-device streaming speech recognition.
//!
//! Data flows one way: [`audio`] → [`features`] → [`model`] (encoder, predictor and joiner on the kernels of [`nn`]) →
//! [`decode`] → [`transcript`] → events of the [`recognizer`], whose [`Engine`] and [`Stream`] are what a host uses.
//! Beside it, [`endpoint`] hears in the features where speech and utterances begin and end, and [`speaker`] who speaks.
//! [`live`] runs a stream on a thread of its own, from a microphone or another device.

pub mod audio;
pub mod decode;
pub mod endpoint;
pub mod features;
pub mod live;
pub mod model;
pub mod nn;
pub mod recognizer;
pub mod speaker;
pub mod transcript;

pub use decode::{Grammar, GrammarError, Hotword, Hotwords, LanguageModel, NgramError, RejectedHotword, Speller};
pub use endpoint::Policy;
pub use recognizer::{
    AudioFormat, Engine, Error, Event, Metrics, ModelInfo, ShallowFusion, Stage, StageTimes, Stream, StreamConfig,
};
pub use speaker::{Diarizer, SpeakerConfig, SpeakerTurn};
pub use transcript::{
    Alternative, Hypothesis, Interpretation, Slot, Word,
    format::{FormatConfig, Redaction},
};
