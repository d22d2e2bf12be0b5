//! A head for the tests of the searches.

use crate::model::{
    config::{Activation, EncoderConfig, FeatureConfig, JoinerConfig, ModelConfig, PredictorConfig},
    head::{HeadScratch, HeadState, TransducerHead},
};

/// A head whose scores are the encoder frame itself, except that a token is not emitted twice in a row by chance.
pub(super) struct Copying {
    config: ModelConfig,
}

impl Copying {
    /// A head of this many tokens, whose encoder frames have a score for each and for the blank.
    pub(super) fn new(vocab_size: usize) -> Self {
        let config = ModelConfig {
            name: "copying".into(),
            language: "en".into(),
            features: FeatureConfig {
                sample_rate_hz: 16_000,
                fft: 512,
                window: 400,
                hop: 160,
                mel_bins: 80,
                low_hz: 0.0,
                high_hz: 8000.0,
                preemphasis: 0.97,
            },
            encoder: EncoderConfig {
                mel_bins: 80,
                d_model: vocab_size + 1,
                layers: 1,
                heads: 1,
                d_ff: 4,
                conv_kernel: 9,
                subsampling_channels: 1,
                subsampling: 8,
                xscaling: false,
                left_context: 70,
                look_aheads: vec![0],
                default_look_ahead: 0,
            },
            predictor: PredictorConfig { hidden: 1, layers: 1 },
            joiner: JoinerConfig { hidden: vocab_size + 1, activation: Activation::Relu },
            vocab_size,
            endpoint: None,
            confidence: None,
            speaker: None,
            language_model: None,
            language_network: None,
        };
        Self { config }
    }
}

impl TransducerHead for Copying {
    fn config(&self) -> &ModelConfig {
        &self.config
    }
    fn start(&self, state: &mut HeadState, _: &mut HeadScratch) {
        state.cells_mut()[0] = -1.0;
    }
    fn advance(&self, token: u32, state: &mut HeadState, _: &mut HeadScratch) {
        state.cells_mut()[0] = token as f32;
    }
    fn project(&self, frames: &[f32], out: &mut Vec<f32>, _: &mut HeadScratch) {
        out.extend_from_slice(frames);
    }
    fn logits(&self, projected: &[f32], state: &HeadState, _: &mut HeadScratch, out: &mut [f32]) {
        out.copy_from_slice(projected);
        // A token that was just emitted is not emitted again by the same frame.
        let last = state.cells()[0];
        if last >= 0.0 {
            out[last as usize] -= 10.0;
        }
    }
}
