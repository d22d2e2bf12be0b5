//! Working space that the layers of a stream take turns in.

use super::EncoderConfig;
use crate::model::encoder::chunks::{largest_left, largest_look_ahead};
use crate::nn::Rows;

/// Buffers for the largest chunk at any look-ahead. What they hold is of no meaning between layers.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The quantized input of the next products.
    pub rows: Rows,
    /// Inner activations of the feed-forward modules, projected queries, keys and values, gates of the convolution.
    pub wide: Vec<f32>,
    /// Context of the attention, output of the depthwise convolution.
    pub narrow: Vec<f32>,
    /// A query with either bias, `[2, d_model / heads]`.
    pub query: Vec<f32>,
    /// Scores of a query by content and by position, `[2, reach]`.
    pub scores: Vec<f32>,
}

impl Scratch {
    pub fn new(config: &EncoderConfig) -> Self {
        let frames = largest_look_ahead(config) + 1;
        let bins = config.mel_bins / 2 + 1;
        let flat = config.subsampling_channels * subsampled_bins(config);
        let width = config.d_ff.max(config.d_model).max(flat).max(config.subsampling_channels);
        Self {
            rows: Rows::with_capacity(frames.max(bins), width),
            wide: vec![0.0; frames * config.d_ff.max(3 * config.d_model)],
            narrow: vec![0.0; frames * config.d_model],
            query: vec![0.0; 2 * config.d_model / config.heads],
            scores: vec![0.0; 2 * (largest_left(config) + frames)],
        }
    }
}

/// Frequency bins that are left after the subsampling.
pub(super) fn subsampled_bins(config: &EncoderConfig) -> usize {
    (0..3).fold(config.mel_bins, |bins, _| bins / 2 + 1)
}
