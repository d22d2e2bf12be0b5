//! The cache-aware streaming FastConformer encoder (Rekesh et al. 2023, arXiv:2305.05084; Noroozi et al. 2023,
//! arXiv:2312.17279), behind one trait with two implementations.

mod chunks;
pub mod int8;
#[cfg(feature = "reference")]
pub mod reference;

use super::config::EncoderConfig;
use super::weights::WeightError;

/// The state of one audio stream in an encoder: log-mel frames in, encoder frames out.
///
/// The output is the same for every split of the input, and equals the forward pass over the whole utterance under
/// the chunked attention mask. A chunk is `look_ahead + 1` encoder frames; it is computed when its last input frame
/// has arrived.
pub trait Encoder: Send {
    /// The shape of the model.
    fn config(&self) -> &EncoderConfig;

    /// The look-ahead in use, in encoder frames.
    fn look_ahead(&self) -> usize;

    /// Changes the look-ahead from the next chunk on. Frames that wait for their chunk are computed with the new size.
    ///
    /// # Errors
    /// [`EncoderError::LookAhead`] when the model was not trained with it; the state is unchanged.
    fn set_look_ahead(&mut self, frames: usize) -> Result<(), EncoderError>;

    /// Takes log-mel frames (`[n, mel_bins]`, row major, any `n`) and appends each finished chunk to `out` as rows of
    /// `d_model`. Returns the number of encoder frames appended.
    ///
    /// # Errors
    /// [`EncoderError::InputLength`] when `mel` is not whole frames; nothing is consumed.
    fn push(&mut self, mel: &[f32], out: &mut Vec<f32>) -> Result<usize, EncoderError>;

    /// Ends the stream: computes what is left, the last chunk being as short as it is. Only `reset` may follow.
    ///
    /// # Errors
    /// As [`Encoder::push`].
    fn finish(&mut self, out: &mut Vec<f32>) -> Result<usize, EncoderError>;

    /// Forgets the stream and starts at its frame zero. Keeps the look-ahead.
    fn reset(&mut self);
}

/// What can go wrong while encoding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// The look-ahead is not one the model was trained with.
    #[error("look-ahead of {asked} frames: the model was trained with {trained:?}; choose one of these")]
    LookAhead {
        /// The one asked for.
        asked: usize,
        /// Those to choose from.
        trained: Vec<usize>,
    },
    /// The input is not a whole number of frames.
    #[error("{values} values are no whole number of frames of {mel_bins} mel bands")]
    InputLength {
        /// Values given.
        values: usize,
        /// Values per frame.
        mel_bins: usize,
    },
    /// The stream has ended.
    #[error("the stream has ended; call reset before pushing more")]
    Finished,
    /// candle reported an error.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
}

/// Refuses configurations that describe no encoder.
fn check(config: &EncoderConfig) -> Result<(), WeightError> {
    let positive = [
        ("mel_bins", config.mel_bins),
        ("d_model", config.d_model),
        ("layers", config.layers),
        ("heads", config.heads),
        ("d_ff", config.d_ff),
        ("subsampling_channels", config.subsampling_channels),
    ];
    if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
        return Err(WeightError::Config(format!("`{name}` of the encoder is 0")));
    }
    if !config.d_model.is_multiple_of(config.heads) || !config.d_model.is_multiple_of(2) {
        let (width, heads) = (config.d_model, config.heads);
        return Err(WeightError::Config(format!("a width of {width} must be even and a multiple of {heads} heads")));
    }
    if config.conv_kernel < 2 {
        return Err(WeightError::Config(format!("a convolution of {} frames has no context", config.conv_kernel)));
    }
    if config.subsampling != chunks::SUBSAMPLING {
        return Err(WeightError::Config(format!("subsampling by {} is not supported, only by 8", config.subsampling)));
    }
    if !config.look_aheads.contains(&config.default_look_ahead) {
        let (default, trained) = (config.default_look_ahead, &config.look_aheads);
        return Err(WeightError::Config(format!("the default look-ahead {default} is not one of {trained:?}")));
    }
    let largest = config.look_aheads.iter().max().copied().unwrap_or(0);
    if largest > LONGEST || config.left_context > LONGEST {
        return Err(WeightError::Config(format!("contexts are limited to {LONGEST} frames")));
    }
    Ok(())
}

/// A bound on look-ahead and left context, 80 s, so that a corrupt configuration cannot ask for all memory.
const LONGEST: usize = 1000;
