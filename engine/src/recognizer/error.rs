//! Errors of the recognizer.

use crate::model::encoder::EncoderError;

/// What can go wrong when opening a model or recognizing audio.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model could not be opened.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// The audio could not be read or converted.
    #[error(transparent)]
    Audio(#[from] crate::audio::AudioError),
    /// The encoder refused its input.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// `finish` was called; the stream takes no more audio.
    #[error("the stream has ended; call reset, or make a new stream, before pushing more audio")]
    Finished,
}
