//! Linnet: embedded, on-device streaming speech recognition.
//!
//! Data flows one way: [`audio`] → [`features`] → [`model`] (encoder, predictor and joiner on the kernels of [`nn`]) →
//! [`decode`] → [`transcript`] → events of the [`recognizer`], whose [`Engine`] and [`Stream`] are what a host uses.

pub mod audio;
pub mod decode;
pub mod features;
pub mod model;
pub mod nn;
pub mod recognizer;
pub mod transcript;

pub use recognizer::{AudioFormat, Engine, Error, Event, Metrics, ModelInfo, Stage, StageTimes, Stream, StreamConfig};
pub use transcript::{
    Hypothesis, Word,
    format::{FormatConfig, Redaction},
};
