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
        joined.resize(self.config.joiner.hidden, 0.0);
        joined.copy_from_slice(&state.projected);
        self.joiner.logits(self.isa, projected, [joined, out], rows);
    }

    fn advance_many(&self, steps: &[(u32, usize)], states: &mut [HeadState], scratch: &mut HeadScratch) {
        if let &[(token, index)] = steps {
            return self.advance(token, &mut states[index], scratch);
        }
        self.predictor.advance_many(self.isa, steps, states, scratch);
        let HeadScratch { gathered, joined, rows, .. } = scratch;
        gathered.clear();
        for &(_, index) in steps {
            gathered.extend_from_slice(self.predictor.output(&states[index]));
        }
        rows.quantize(gathered, steps.len(), self.config.predictor.hidden);
        joined.resize(steps.len() * self.config.joiner.hidden, 0.0);
        self.joiner.project_predictor(self.isa, rows, joined);
        for (&(_, index), projected) in steps.iter().zip(joined.chunks_exact(self.config.joiner.hidden)) {
            states[index].projected.copy_from_slice(projected);
        }
    }

    fn logits_many(
        &self,
        projected: &[f32],
        states: &[HeadState],
        which: &[usize],
        scratch: &mut HeadScratch,
        out: &mut [f32],
    ) {
        let HeadScratch { joined, rows, .. } = scratch;
        joined.clear();
        for &index in which {
            joined.extend_from_slice(&states[index].projected);
        }
        self.joiner.logits(self.isa, projected, [joined, out], rows);
    }
}
