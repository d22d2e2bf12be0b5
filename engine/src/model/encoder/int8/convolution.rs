//! The convolution module: gated pointwise, causal depthwise, normalized, pointwise.

use super::EncoderConfig;
use super::layer::Norm;
use super::op::Span;
use super::scratch::Scratch;
use super::subsampling::transposed;
use crate::model::encoder::chunks::largest_look_ahead;
use crate::model::weights::{WeightSource, dense, tensor};
use crate::nn::{Dense, Epilogue, Shared, gemm, ops};

#[derive(Debug)]
pub(super) struct ConvolutionWeights {
    pointwise_conv1: Dense,
    /// `[kernel, d_model]`
    depthwise: Vec<f32>,
    depthwise_bias: Shared<f32>,
    norm: Norm,
    pointwise_conv2: Dense,
}

impl ConvolutionWeights {
    pub fn load<W: WeightSource>(source: &W, name: &str, config: &EncoderConfig) -> Result<Self, W::Error> {
        let (d, kernel) = (config.d_model, config.conv_kernel);
        let depthwise = tensor(source, &format!("{name}.depthwise_conv.weight"), d * kernel)?;
        Ok(Self {
            pointwise_conv1: dense(source, &format!("{name}.pointwise_conv1"), 2 * d, d)?,
            depthwise: transposed(&depthwise, d, kernel),
            depthwise_bias: tensor(source, &format!("{name}.depthwise_conv.bias"), d)?,
            norm: Norm::load(source, &format!("{name}.batch_norm"), d)?,
            pointwise_conv2: dense(source, &format!("{name}.pointwise_conv2"), d, d)?,
        })
    }

    /// Adds the module's output to `x`. `scratch.rows` holds its normalized input.
    pub fn forward(&self, x: &mut [f32], cache: &mut ConvolutionCache, scratch: &mut Scratch, span: Span) {
        let (d, frames) = (self.pointwise_conv2.n, span.frames);
        let gated = &mut scratch.wide[..frames * 2 * d];
        gemm(span.isa, &scratch.rows, &self.pointwise_conv1, gated, Epilogue::Store);
        let input = &mut cache.input[..cache.kept + frames * d];
        ops::glu(gated, d, &mut input[cache.kept..]);
        let convolved = &mut scratch.narrow[..frames * d];
        ops::depthwise_conv(input, &self.depthwise, &self.depthwise_bias, convolved);
        input.copy_within(frames * d.., 0);
        ops::layer_norm_in_place(convolved, &self.norm.weight, &self.norm.bias);
        ops::silu(convolved);
        scratch.rows.quantize(convolved, frames, d);
        gemm(span.isa, &scratch.rows, &self.pointwise_conv2, x, Epilogue::Add);
    }
}

/// Input of the depthwise convolution: the last `kernel - 1` frames and room for a chunk.
#[derive(Debug)]
pub(super) struct ConvolutionCache {
    input: Vec<f32>,
    /// Values of the frames kept.
    kept: usize,
}

impl ConvolutionCache {
    pub fn new(config: &EncoderConfig) -> Self {
        let kept = (config.conv_kernel - 1) * config.d_model;
        Self { input: vec![0.0; kept + (largest_look_ahead(config) + 1) * config.d_model], kept }
    }

    pub fn reset(&mut self) {
        self.input[..self.kept].fill(0.0);
    }
}
