//! Errors of the recognizer.

use crate::{
    audio::ResampleError,
    features::FeatureError,
    model::{encoder::EncoderError, file::ModelFileError},
};

/// What can go wrong when opening a model or recognizing audio.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model could not be opened.
    #[error(transparent)]
    Model(#[from] ModelFileError),
    /// The samples can't be converted to what the model takes.
    #[error(transparent)]
    Audio(#[from] ResampleError),
    /// The model describes features that can't be computed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The encoder refused its input.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// `finish` was called; the stream takes no more audio.
    #[error("the stream has ended; call reset, or make a new stream, before pushing more audio")]
    Finished,
}
