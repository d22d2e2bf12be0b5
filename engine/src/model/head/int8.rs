//! The predictor and the joiner with int8 weights.

use super::{HeadScratch, HeadState, TransducerHead};
use crate::model::config::ModelConfig;
use crate::model::joiner::Joiner;
use crate::model::predictor::Predictor;
use crate::model::weights::WeightSource;
use crate::nn::Isa;

/// The production head, shared by all streams.
#[derive(Debug)]
pub struct Int8Head {
    config: ModelConfig,
    predictor: Predictor,
    joiner: Joiner,
    isa: Isa,
}

impl Int8Head {
    /// Takes the weights below `decoder.` and `joint.` from a source. They stay where they are.
    ///
    /// # Errors
    /// When a weight is absent or of another size than the configuration asks for.
    pub fn load<W: WeightSource>(source: &W, config: &ModelConfig) -> Result<Self, W::Error> {
        Ok(Self {
            predictor: Predictor::load(source, config)?,
            joiner: Joiner::load(source, config)?,
            config: config.clone(),
            isa: Isa::detect(),
        })
    }
}

impl TransducerHead for Int8Head {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn advance(&self, token: u32, state: &mut HeadState, scratch: &mut HeadScratch) {
        self.predictor.advance(self.isa, token, state, scratch);
        let output = self.predictor.output(state);
        scratch.rows.quantize(output, 1, output.len());
        self.joiner.project_predictor(self.isa, &scratch.rows, &mut state.projected);
    }

    fn project(&self, frames: &[f32], out: &mut Vec<f32>, scratch: &mut HeadScratch) {
        let width = self.config.encoder.d_model;
        let n = frames.len() / width;
        scratch.rows.quantize(&frames[..n * width], n, width);
        let start = out.len();
        out.resize(start + n * self.config.joiner.hidden, 0.0);
        self.joiner.project_encoder(self.isa, &scratch.rows, &mut out[start..]);
    }

    fn logits(&self, projected: &[f32], state: &HeadState, scratch: &mut HeadScratch, out: &mut [f32]) {
        let HeadScratch { joined, rows, .. } = scratch;
        self.joiner.logits(self.isa, projected, &state.projected, [joined, out], rows);
    }
}
