//! The encoder in plain candle operations and f32: readable, slow, and the oracle that the int8 encoder is tested
//! against. Names are those of the checkpoint.

use std::sync::Arc;

use candle_core::{D, Device, Result, Tensor, bail};
use candle_nn::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, LayerNorm, Linear, Module, VarBuilder};

use super::chunks::{ChunkQueue, largest_left};
use super::{Encoder, EncoderConfig, EncoderError, check};

/// The weights of an encoder, shared by its streams.
#[derive(Debug)]
pub struct ReferenceWeights {
    config: EncoderConfig,
    pre_encode: Subsampling,
    layers: Vec<Layer>,
}

impl ReferenceWeights {
    /// Loads the weights below `encoder.` of a checkpoint.
    ///
    /// # Errors
    /// When the configuration makes no encoder, or a weight is absent or of another shape.
    pub fn load(vb: VarBuilder, config: &EncoderConfig) -> Result<Self> {
        if let Err(error) = check(config) {
            bail!("{error}");
        }
        let vb = vb.pp("encoder");
        let pre_encode = Subsampling::load(vb.pp("pre_encode"), config)?;
        let layers = (0..config.layers).map(|i| Layer::load(vb.pp("layers").pp(i), config)).collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), pre_encode, layers })
    }

    /// The shape of the model.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// The whole utterance at once, under the chunked mask of a look-ahead: log-mel `[n, mel_bins]` to encoder frames
    /// `[floor(floor(floor(n / 2 + 1) / 2 + 1) / 2 + 1), d_model]`. Frame `i` of chunk `c` attends to the frames of
    /// chunks `c - left_context / chunk ..= c`.
    ///
    /// # Errors
    /// When candle reports one, as for an input of another shape.
    pub fn forward(&self, mel: &Tensor, look_ahead: usize) -> Result<Tensor> {
        let mut x = self.pre_encode.forward(mel)?;
        let frames = x.dim(0)?;
        let chunk = look_ahead + 1;
        let left = self.config.left_context / chunk;
        let visible = |i: usize, j: usize| (i / chunk).checked_sub(j / chunk).is_some_and(|behind| behind <= left);
        let mask: Vec<f32> = (0..frames * frames)
            .map(|ij| if visible(ij / frames, ij % frames) { 0.0 } else { f32::NEG_INFINITY })
            .collect();
        let mask = Tensor::from_vec(mask, (frames, frames), &Device::Cpu)?;
        for layer in &self.layers {
            x = layer.forward(&x, &mut LayerCache::new(&self.config)?, 0, Some(&mask))?;
        }
        Ok(x)
    }
}

/// One stream of the reference encoder.
#[derive(Debug)]
pub struct ReferenceEncoder {
    weights: Arc<ReferenceWeights>,
    chunks: ChunkQueue,
    stages: Vec<StageCache>,
    layers: Vec<LayerCache>,
}

impl ReferenceEncoder {
    /// A stream at its frame zero, with the default look-ahead.
    ///
    /// # Errors
    /// When candle reports one.
    pub fn new(weights: Arc<ReferenceWeights>) -> Result<Self> {
        let config = &weights.config;
        let layers = (0..config.layers).map(|_| LayerCache::new(config)).collect::<Result<_>>()?;
        Ok(Self { chunks: ChunkQueue::new(config), stages: vec![StageCache::default(); 3], layers, weights })
    }

    /// Computes one chunk from its log-mel frames; `last` flushes the subsampling.
    fn step(&mut self, mel: &[f32], last: bool, out: &mut Vec<f32>) -> Result<usize> {
        let config = &self.weights.config;
        let mel = Tensor::from_slice(mel, (mel.len() / config.mel_bins, config.mel_bins), &Device::Cpu)?;
        let Some(mut x) = self.weights.pre_encode.step(&mel, &mut self.stages, last)? else { return Ok(0) };
        let left = config.left_frames(self.chunks.look_ahead());
        for (layer, cache) in self.weights.layers.iter().zip(&mut self.layers) {
            x = layer.forward(&x, cache, left, None)?;
        }
        let frames = x.dim(0)?;
        out.extend(x.flatten_all()?.to_vec1::<f32>()?);
        Ok(frames)
    }

    fn ready_chunks(&mut self, mut mel: &[f32], out: &mut Vec<f32>) -> Result<usize> {
        let mut frames = 0;
        loop {
            mel = self.chunks.fill(mel);
            let Some(chunk) = self.chunks.ready().map(<[f32]>::to_vec) else { return Ok(frames) };
            frames += self.step(&chunk, false, out)?;
            self.chunks.advance();
        }
    }
}

impl Encoder for ReferenceEncoder {
    fn config(&self) -> &EncoderConfig {
        &self.weights.config
    }

    fn look_ahead(&self) -> usize {
        self.chunks.look_ahead()
    }

    fn set_look_ahead(&mut self, frames: usize) -> std::result::Result<(), EncoderError> {
        self.chunks.set_look_ahead(&self.weights.config, frames)
    }

    fn push(&mut self, mel: &[f32], out: &mut Vec<f32>) -> std::result::Result<usize, EncoderError> {
        self.chunks.check(mel)?;
        Ok(self.ready_chunks(mel, out)?)
    }

    fn finish(&mut self, out: &mut Vec<f32>) -> std::result::Result<usize, EncoderError> {
        self.chunks.check(&[])?;
        let mut frames = self.ready_chunks(&[], out)?;
        if !self.chunks.is_empty_stream() {
            let rest = self.chunks.rest().to_vec();
            frames += self.step(&rest, true, out)?;
        }
        self.chunks.finish();
        Ok(frames)
    }

    fn reset(&mut self) {
        self.chunks.reset();
        self.stages.fill(StageCache::default());
        self.layers.iter_mut().for_each(LayerCache::clear);
    }
}

/// Eightfold subsampling by three causal convolutions of stride 2, the later two depthwise-separable.
#[derive(Debug)]
struct Subsampling {
    stages: [Stage; 3],
    out: Linear,
    scale: f64,
}

impl Subsampling {
    fn load(vb: VarBuilder, config: &EncoderConfig) -> Result<Self> {
        let channels = config.subsampling_channels;
        let conv = vb.pp("conv");
        let stages = [
            Stage { strided: conv2d(1, channels, 3, 1, conv.pp(0))?, pointwise: None },
            Stage::load_separable(conv.pp(2), conv.pp(3), channels)?,
            Stage::load_separable(conv.pp(5), conv.pp(6), channels)?,
        ];
        let bins = (0..3).fold(config.mel_bins, |bins, _| bins / 2 + 1);
        let out = linear(channels * bins, config.d_model, vb.pp("out"))?;
        let scale = if config.xscaling { (config.d_model as f64).sqrt() } else { 1.0 };
        Ok(Self { stages, out, scale })
    }

    /// The whole utterance: `[n, mel_bins]` to `[frames, d_model]`.
    fn forward(&self, mel: &Tensor) -> Result<Tensor> {
        let mut x = mel.unsqueeze(0)?.unsqueeze(0)?;
        for stage in &self.stages {
            x = stage.forward(&x.pad_with_zeros(2, 2, 1)?)?;
        }
        self.project(&x)
    }

    /// The next frames of a stream; nothing when they complete no encoder frame.
    fn step(&self, mel: &Tensor, caches: &mut [StageCache], last: bool) -> Result<Option<Tensor>> {
        let mut x = if mel.dim(0)? == 0 { None } else { Some(mel.unsqueeze(0)?.unsqueeze(0)?) };
        for (stage, cache) in self.stages.iter().zip(caches) {
            x = stage.step(x, cache, last)?;
        }
        x.map(|x| self.project(&x)).transpose()
    }

    /// Flattens `[1, channels, frames, bins]` channel by channel and projects.
    fn project(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.squeeze(0)?.transpose(0, 1)?.flatten_from(1)?;
        self.out.forward(&x)? * self.scale
    }
}

/// One stage of the subsampling. Output row `t` is made of the input rows `2 t - 2 ..= 2 t`.
#[derive(Debug)]
struct Stage {
    strided: Conv2d,
    pointwise: Option<Conv2d>,
}

/// The last two input rows of a stage, `[1, channels, 2, bins]`, and how many it has seen.
#[derive(Clone, Debug, Default)]
struct StageCache {
    rows: Option<Tensor>,
    seen: usize,
}

impl Stage {
    fn load_separable(depthwise: VarBuilder, pointwise: VarBuilder, channels: usize) -> Result<Self> {
        Ok(Self {
            strided: conv2d(channels, channels, 3, channels, depthwise)?,
            pointwise: Some(conv2d(channels, channels, 1, 1, pointwise)?),
        })
    }

    /// `[1, channels, rows, bins]` already padded in time.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.strided.forward(&x.pad_with_zeros(3, 2, 1)?.contiguous()?)?;
        match &self.pointwise {
            Some(pointwise) => pointwise.forward(&x)?.relu(),
            None => x.relu(),
        }
    }

    fn step(&self, x: Option<Tensor>, cache: &mut StageCache, last: bool) -> Result<Option<Tensor>> {
        let mut parts: Vec<Tensor> = cache.rows.iter().cloned().collect();
        let mut rows = 0;
        if let Some(x) = x {
            rows = x.dim(2)?;
            if parts.is_empty() {
                let (_, channels, _, bins) = x.dims4()?;
                parts.push(Tensor::zeros((1, channels, 2, bins), x.dtype(), x.device())?);
            }
            parts.push(x);
        }
        let Some(newest) = parts.last() else { return Ok(None) };
        // Only an even row completes an output row, and the end of the stream is padded by one.
        if last && (cache.seen + rows).is_multiple_of(2) {
            parts.push(newest.narrow(2, 0, 1)?.zeros_like()?);
            rows += 1;
        }
        let x = Tensor::cat(&parts, 2)?;
        cache.rows = Some(x.narrow(2, rows, 2)?);
        let odd = cache.seen % 2;
        cache.seen += rows;
        if rows <= odd {
            return Ok(None);
        }
        self.forward(&x.narrow(2, odd, rows + 2 - odd)?).map(Some)
    }
}

/// A Conformer layer (Gulati et al. 2020, arXiv:2005.08100) with causal convolution.
#[derive(Debug)]
struct Layer {
    norm_feed_forward1: LayerNorm,
    feed_forward1: FeedForward,
    norm_self_att: LayerNorm,
    self_attn: Attention,
    norm_conv: LayerNorm,
    conv: Convolution,
    norm_feed_forward2: LayerNorm,
    feed_forward2: FeedForward,
    norm_out: LayerNorm,
}

/// What a layer remembers of the frames before.
#[derive(Debug)]
struct LayerCache {
    /// Projected keys and values, `[frames, d_model]`.
    attention: Option<(Tensor, Tensor)>,
    /// Input of the depthwise convolution, `[d_model, kernel - 1]`.
    convolution: Tensor,
    padding: Tensor,
}

impl LayerCache {
    fn new(config: &EncoderConfig) -> Result<Self> {
        let padding = Tensor::zeros((config.d_model, config.conv_kernel - 1), candle_core::DType::F32, &Device::Cpu)?;
        Ok(Self { attention: None, convolution: padding.clone(), padding })
    }

    fn clear(&mut self) {
        self.attention = None;
        self.convolution = self.padding.clone();
    }
}

impl Layer {
    fn load(vb: VarBuilder, config: &EncoderConfig) -> Result<Self> {
        let norm = |name: &str| candle_nn::layer_norm(config.d_model, 1e-5, vb.pp(name));
        Ok(Self {
            norm_feed_forward1: norm("norm_feed_forward1")?,
            feed_forward1: FeedForward::load(vb.pp("feed_forward1"), config)?,
            norm_self_att: norm("norm_self_att")?,
            self_attn: Attention::load(vb.pp("self_attn"), config)?,
            norm_conv: norm("norm_conv")?,
            conv: Convolution::load(vb.pp("conv"), config)?,
            norm_feed_forward2: norm("norm_feed_forward2")?,
            feed_forward2: FeedForward::load(vb.pp("feed_forward2"), config)?,
            norm_out: norm("norm_out")?,
        })
    }

    fn forward(&self, x: &Tensor, cache: &mut LayerCache, left: usize, mask: Option<&Tensor>) -> Result<Tensor> {
        let x = (x + (self.feed_forward1.forward(&self.norm_feed_forward1.forward(x)?)? * 0.5)?)?;
        let x = (&x + self.self_attn.forward(&self.norm_self_att.forward(&x)?, cache, left, mask)?)?;
        let x = (&x + self.conv.forward(&self.norm_conv.forward(&x)?, cache)?)?;
        let x = (&x + (self.feed_forward2.forward(&self.norm_feed_forward2.forward(&x)?)? * 0.5)?)?;
        self.norm_out.forward(&x)
    }
}

#[derive(Debug)]
struct FeedForward {
    linear1: Linear,
    linear2: Linear,
}

impl FeedForward {
    fn load(vb: VarBuilder, config: &EncoderConfig) -> Result<Self> {
        Ok(Self {
            linear1: linear(config.d_model, config.d_ff, vb.pp("linear1"))?,
            linear2: linear(config.d_ff, config.d_model, vb.pp("linear2"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.linear2.forward(&self.linear1.forward(x)?.silu()?)
    }
}

/// Self-attention with relative positions (Dai et al. 2019, arXiv:1901.02860).
#[derive(Debug)]
struct Attention {
    linear_q: Linear,
    linear_k: Linear,
    linear_v: Linear,
    linear_out: Linear,
    linear_pos: Linear,
    pos_bias_u: Tensor,
    pos_bias_v: Tensor,
    heads: usize,
    largest_left: usize,
}

impl Attention {
    fn load(vb: VarBuilder, config: &EncoderConfig) -> Result<Self> {
        let (d, heads) = (config.d_model, config.heads);
        let projection = |name: &str| linear(d, d, vb.pp(name));
        Ok(Self {
            linear_q: projection("linear_q")?,
            linear_k: projection("linear_k")?,
            linear_v: projection("linear_v")?,
            linear_out: projection("linear_out")?,
            linear_pos: projection("linear_pos")?,
            pos_bias_u: vb.get((heads, d / heads), "pos_bias_u")?,
            pos_bias_v: vb.get((heads, d / heads), "pos_bias_v")?,
            heads,
            largest_left: largest_left(config),
        })
    }

    /// Attends from the frames of `x` to at most `left` frames of the cache and to `x` itself, under an additive mask.
    fn forward(&self, x: &Tensor, cache: &mut LayerCache, left: usize, mask: Option<&Tensor>) -> Result<Tensor> {
        let (frames, d) = x.dims2()?;
        let (mut keys, mut values) = (self.linear_k.forward(x)?, self.linear_v.forward(x)?);
        if let Some((old_keys, old_values)) = &cache.attention {
            keys = Tensor::cat(&[old_keys, &keys], 0)?;
            values = Tensor::cat(&[old_values, &values], 0)?;
        }
        cache.attention = Some((last_rows(&keys, self.largest_left)?, last_rows(&values, self.largest_left)?));
        let (keys, values) = (last_rows(&keys, left + frames)?, last_rows(&values, left + frames)?);
        let reach = keys.dim(0)?;

        let split = |x: &Tensor| x.reshape((x.dim(0)?, self.heads, d / self.heads))?.transpose(0, 1)?.contiguous();
        let query = self.linear_q.forward(x)?.reshape((frames, self.heads, d / self.heads))?;
        let by_content = split(&query.broadcast_add(&self.pos_bias_u)?.flatten_from(1)?)?;
        let by_position = split(&query.broadcast_add(&self.pos_bias_v)?.flatten_from(1)?)?;
        let positions = split(&self.linear_pos.forward(&position_encoding(reach, frames, d)?)?)?;

        let content = by_content.matmul(&split(&keys)?.t()?)?;
        let position = by_position.matmul(&positions.t()?)?;
        // Row `i` of `position` starts at the distance `reach - 1`; its key 0 is `reach - frames + i` behind it.
        let rows: Vec<Tensor> =
            (0..frames).map(|i| position.narrow(1, i, 1)?.narrow(2, frames - 1 - i, reach)).collect::<Result<_>>()?;
        let mut scores = ((content + Tensor::cat(&rows, 1)?)? / ((d / self.heads) as f64).sqrt())?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let context = candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&split(&values)?)?;
        self.linear_out.forward(&context.transpose(0, 1)?.flatten_from(1)?)
    }
}

/// Sinusoids for the distances `reach - 1` down to `-(frames - 1)`, `[reach + frames - 1, d]`.
fn position_encoding(reach: usize, frames: usize, d: usize) -> Result<Tensor> {
    let mut table = Vec::with_capacity((reach + frames - 1) * d);
    for row in 0..reach + frames - 1 {
        let distance = reach as f32 - 1.0 - row as f32;
        for pair in 0..d / 2 {
            let angle = distance * (2.0 * pair as f32 * -(10_000_f32.ln() / d as f32)).exp();
            table.extend([angle.sin(), angle.cos()]);
        }
    }
    Tensor::from_vec(table, (reach + frames - 1, d), &Device::Cpu)
}

/// The convolution module: gated pointwise, causal depthwise, normalized, pointwise.
#[derive(Debug)]
struct Convolution {
    pointwise_conv1: Linear,
    depthwise_conv: Conv1d,
    batch_norm: LayerNorm,
    pointwise_conv2: Linear,
    kernel: usize,
}

impl Convolution {
    fn load(vb: VarBuilder, config: &EncoderConfig) -> Result<Self> {
        let (d, kernel) = (config.d_model, config.conv_kernel);
        let pointwise = |n: usize, vb: VarBuilder| -> Result<Linear> {
            Ok(Linear::new(vb.get((n, d, 1), "weight")?.squeeze(2)?, bias(n, &vb)?))
        };
        let depthwise = vb.pp("depthwise_conv");
        let conv_config = Conv1dConfig { groups: d, ..Default::default() };
        Ok(Self {
            pointwise_conv1: pointwise(2 * d, vb.pp("pointwise_conv1"))?,
            depthwise_conv: Conv1d::new(depthwise.get((d, 1, kernel), "weight")?, bias(d, &depthwise)?, conv_config),
            batch_norm: candle_nn::layer_norm(d, 1e-5, vb.pp("batch_norm"))?,
            pointwise_conv2: pointwise(d, vb.pp("pointwise_conv2"))?,
            kernel,
        })
    }

    fn forward(&self, x: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let gated = self.pointwise_conv1.forward(x)?.chunk(2, D::Minus1)?;
        let x = (&gated[0] * candle_nn::ops::sigmoid(&gated[1])?)?;
        let x = Tensor::cat(&[&cache.convolution, &x.t()?], 1)?.contiguous()?;
        cache.convolution = x.narrow(1, x.dim(1)? + 1 - self.kernel, self.kernel - 1)?;
        let x = self.depthwise_conv.forward(&x.unsqueeze(0)?)?.squeeze(0)?.t()?.contiguous()?;
        self.pointwise_conv2.forward(&self.batch_norm.forward(&x)?.silu()?)
    }
}

fn last_rows(x: &Tensor, rows: usize) -> Result<Tensor> {
    let have = x.dim(0)?;
    let rows = rows.min(have);
    x.narrow(0, have - rows, rows)
}

fn bias(n: usize, vb: &VarBuilder) -> Result<Option<Tensor>> {
    vb.contains_tensor("bias").then(|| vb.get(n, "bias")).transpose()
}

fn linear(k: usize, n: usize, vb: VarBuilder) -> Result<Linear> {
    Ok(Linear::new(vb.get((n, k), "weight")?, bias(n, &vb)?))
}

fn conv2d(k: usize, n: usize, kernel: usize, groups: usize, vb: VarBuilder) -> Result<Conv2d> {
    let stride = if kernel == 1 { 1 } else { 2 };
    let config = Conv2dConfig { stride, groups, ..Default::default() };
    Ok(Conv2d::new(vb.get((n, k / groups, kernel, kernel), "weight")?, bias(n, &vb)?, config))
}
