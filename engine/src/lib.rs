//! Linnet: embedded, on-device streaming speech recognition.
//!
//! Data flows one way: [`audio`] → [`features`] → [`model`] (encoder, predictor, joiner; kernels in [`nn`]) →
//! [`decode`] → [`transcript`] → events of the [`recognizer`].

pub mod audio;
pub mod decode;
pub mod features;
pub mod model;
pub mod nn;
pub mod recognizer;
pub mod transcript;
