//! A Conformer layer (Gulati et al. 2020, arXiv:2005.08100), fused: each module normalizes and quantizes its input
//! once, and its last product is added to the activations.

use super::EncoderConfig;
use super::attention::{AttentionCache, AttentionWeights, PositionTable};
use super::convolution::{ConvolutionCache, ConvolutionWeights};
use super::op::Span;
use super::scratch::Scratch;
use crate::model::weights::{WeightSource, dense, tensor};
use crate::nn::{Dense, Epilogue, Shared, gemm, ops};

/// Scale and offset of a layer normalization.
#[derive(Debug)]
pub(super) struct Norm {
    pub weight: Shared<f32>,
    pub bias: Shared<f32>,
}

impl Norm {
    pub fn load<W: WeightSource>(source: &W, name: &str, d: usize) -> Result<Self, W::Error> {
        Ok(Self {
            weight: tensor(source, &format!("{name}.weight"), d)?,
            bias: tensor(source, &format!("{name}.bias"), d)?,
        })
    }

    /// Normalizes and quantizes the frames of `x` to `scratch.rows`.
    fn quantize(&self, x: &[f32], scratch: &mut Scratch, span: Span) {
        scratch.rows.quantize_norm(x, &self.weight, &self.bias, span.frames);
    }
}

#[derive(Debug)]
struct FeedForward {
    linear1: Dense,
    linear2: Dense,
}

impl FeedForward {
    fn load<W: WeightSource>(source: &W, name: &str, config: &EncoderConfig) -> Result<Self, W::Error> {
        Ok(Self {
            linear1: dense(source, &format!("{name}.linear1"), config.d_ff, config.d_model)?,
            linear2: dense(source, &format!("{name}.linear2"), config.d_model, config.d_ff)?,
        })
    }

    /// Adds half of the module's output to `x`. `scratch.rows` holds its normalized input.
    fn forward(&self, x: &mut [f32], scratch: &mut Scratch, span: Span) {
        let inner = &mut scratch.wide[..span.frames * self.linear1.n];
        gemm(span.isa, &scratch.rows, &self.linear1, inner, Epilogue::Silu);
        scratch.rows.quantize(inner, span.frames, self.linear1.n);
        gemm(span.isa, &scratch.rows, &self.linear2, x, Epilogue::AddScaled(0.5));
    }
}

#[derive(Debug)]
pub(super) struct LayerWeights {
    norm_feed_forward1: Norm,
    feed_forward1: FeedForward,
    norm_self_att: Norm,
    self_attn: AttentionWeights,
    norm_conv: Norm,
    conv: ConvolutionWeights,
    norm_feed_forward2: Norm,
    feed_forward2: FeedForward,
    norm_out: Norm,
}

impl LayerWeights {
    pub fn load<W: WeightSource>(
        source: &W,
        name: &str,
        config: &EncoderConfig,
        positions: &PositionTable,
    ) -> Result<Self, W::Error> {
        let norm = |part: &str| Norm::load(source, &format!("{name}.{part}"), config.d_model);
        Ok(Self {
            norm_feed_forward1: norm("norm_feed_forward1")?,
            feed_forward1: FeedForward::load(source, &format!("{name}.feed_forward1"), config)?,
            norm_self_att: norm("norm_self_att")?,
            self_attn: AttentionWeights::load(source, &format!("{name}.self_attn"), config, positions)?,
            norm_conv: norm("norm_conv")?,
            conv: ConvolutionWeights::load(source, &format!("{name}.conv"), config)?,
            norm_feed_forward2: norm("norm_feed_forward2")?,
            feed_forward2: FeedForward::load(source, &format!("{name}.feed_forward2"), config)?,
            norm_out: norm("norm_out")?,
        })
    }

    /// Width of a frame.
    pub fn width(&self) -> usize {
        self.norm_out.weight.len()
    }

    /// The layer, in place on the frames of a chunk (`[span.frames, d_model]`).
    pub fn forward(&self, x: &mut [f32], state: &mut LayerState, scratch: &mut Scratch, span: Span) {
        self.norm_feed_forward1.quantize(x, scratch, span);
        self.feed_forward1.forward(x, scratch, span);
        self.norm_self_att.quantize(x, scratch, span);
        self.self_attn.forward(x, &mut state.attention, scratch, span);
        self.norm_conv.quantize(x, scratch, span);
        self.conv.forward(x, &mut state.convolution, scratch, span);
        self.norm_feed_forward2.quantize(x, scratch, span);
        self.feed_forward2.forward(x, scratch, span);
        ops::layer_norm_in_place(x, &self.norm_out.weight, &self.norm_out.bias);
    }
}

/// What a layer remembers of the frames before.
#[derive(Debug)]
pub(super) struct LayerState {
    attention: AttentionCache,
    convolution: ConvolutionCache,
}

impl LayerState {
    pub fn new(config: &EncoderConfig) -> Self {
        Self { attention: AttentionCache::new(config), convolution: ConvolutionCache::new(config) }
    }

    pub fn reset(&mut self) {
        self.attention.reset();
        self.convolution.reset();
    }
}
