//! The joint network (Graves 2012, arXiv:1211.3711): projections of an encoder frame and of the predictor's output,
//! their sum through a non-linearity, and a linear layer, with int8 weights.

use super::config::{Activation, ModelConfig};
use super::weights::{WeightSource, dense};
use crate::nn::{Dense, Epilogue, Isa, Rows, gemm, ops};

/// The weights of the joiner.
#[derive(Debug)]
pub struct Joiner {
    encoder: Dense,
    predictor: Dense,
    output: Dense,
    activation: Activation,
}

impl Joiner {
    /// Takes the weights below `joint.` from a source.
    ///
    /// # Errors
    /// When a weight is absent or of another size than the configuration asks for.
    pub fn load<W: WeightSource>(source: &W, config: &ModelConfig) -> Result<Self, W::Error> {
        let inner = config.joiner.hidden;
        Ok(Self {
            encoder: dense(source, "joint.enc", inner, config.encoder.d_model)?,
            predictor: dense(source, "joint.pred", inner, config.predictor.hidden)?,
            output: dense(source, "joint.joint_net.2", config.vocab_size + 1, inner)?,
            activation: config.joiner.activation,
        })
    }

    /// Projects quantized encoder frames to `[n, hidden]`.
    pub(super) fn project_encoder(&self, isa: Isa, frames: &Rows, out: &mut [f32]) {
        gemm(isa, frames, &self.encoder, out, Epilogue::Store);
    }

    /// Projects the quantized output of the predictor to `[hidden]`.
    pub(super) fn project_predictor(&self, isa: Isa, output: &Rows, out: &mut [f32]) {
        gemm(isa, output, &self.predictor, out, Epilogue::Store);
    }

    /// Joins a projected frame with the projections of several hypotheses, which lie row by row in the first buffer:
    /// scores of all tokens to the second one, `[hypotheses, vocab_size + 1]`. The first buffer is overwritten.
    pub(super) fn logits(&self, isa: Isa, frame: &[f32], [joined, out]: [&mut [f32]; 2], rows: &mut Rows) {
        for row in joined.chunks_exact_mut(frame.len()) {
            ops::axpy(1.0, frame, row);
        }
        match self.activation {
            Activation::Relu => ops::relu(joined),
            Activation::Tanh => ops::tanh(joined),
            Activation::Sigmoid => ops::sigmoid(joined),
        }
        rows.quantize(joined, joined.len() / frame.len(), frame.len());
        gemm(isa, rows, &self.output, out, Epilogue::Store);
    }
}
