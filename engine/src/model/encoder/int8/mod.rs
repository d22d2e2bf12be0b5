//! The production encoder: int8 weights, fused layers over preallocated state.
//!
//! A stream's activations are one candle storage of `[chunk, d_model]`, and each layer is one candle operation on it, in
//! place (`LayerOp`). Inside, a layer works on slices. Nothing is allocated once a stream exists; for this the
//! operations are applied to the storage itself, since `Tensor::inplace_op1` allocates to check the layout.

mod attention;
mod convolution;
mod layer;
mod op;
mod scratch;
mod subsampling;

use std::sync::Arc;

use candle_core::{CpuStorage, InplaceOp1, Layout};

use super::chunks::{ChunkQueue, largest_look_ahead};
use super::{Encoder, EncoderConfig, EncoderError, check};
use crate::model::weights::WeightSource;
use crate::nn::Isa;
use attention::PositionTable;
use layer::{LayerState, LayerWeights};
use op::{LayerOp, SubsamplingOp};
use scratch::Scratch;
use subsampling::{SubsamplingState, SubsamplingWeights};

/// The weights of an encoder, shared by its streams.
#[derive(Debug)]
pub struct Int8Weights {
    config: EncoderConfig,
    subsampling: SubsamplingWeights,
    layers: Vec<LayerWeights>,
    isa: Isa,
}

impl Int8Weights {
    /// Takes the weights below `encoder.` from a source. Packed weights stay where they are; the tables made here are
    /// small.
    ///
    /// # Errors
    /// When the configuration makes no encoder, or a weight is absent or of another size.
    pub fn load<W: WeightSource>(source: &W, config: &EncoderConfig) -> Result<Self, W::Error> {
        check(config)?;
        let positions = PositionTable::new(config);
        let layer = |i: usize| LayerWeights::load(source, &format!("encoder.layers.{i}"), config, &positions);
        Ok(Self {
            subsampling: SubsamplingWeights::load(source, "encoder.pre_encode", config)?,
            layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
            config: config.clone(),
            isa: Isa::detect(),
        })
    }

    /// The same weights, computed with on another instruction set.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// The shape of the model.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }
}

/// One stream of the production encoder.
#[derive(Debug)]
pub struct Int8Encoder {
    weights: Arc<Int8Weights>,
    chunks: ChunkQueue,
    subsampling: SubsamplingState,
    layers: Vec<LayerState>,
    scratch: Scratch,
    /// Activations of the chunk, `[largest chunk, d_model]`.
    activations: CpuStorage,
    layout: Layout,
}

impl Int8Encoder {
    /// A stream at its frame zero, with the default look-ahead. Allocates all that the stream will need at any of the
    /// model's look-aheads.
    ///
    /// # Errors
    /// When candle reports one.
    pub fn new(weights: Arc<Int8Weights>) -> Result<Self, EncoderError> {
        let config = &weights.config;
        let frames = largest_look_ahead(config) + 1;
        Ok(Self {
            chunks: ChunkQueue::new(config),
            subsampling: SubsamplingState::new(config),
            layers: (0..config.layers).map(|_| LayerState::new(config)).collect(),
            scratch: Scratch::new(config),
            activations: CpuStorage::F32(vec![0.0; frames * config.d_model]),
            layout: Layout::contiguous((frames, config.d_model)),
            weights,
        })
    }

    /// Computes one chunk from the log-mel frames of the queue, those of the next chunk or, at the end, the rest.
    fn step(&mut self, last: bool, out: &mut Vec<f32>) -> Result<usize, EncoderError> {
        let weights = &*self.weights;
        let mel = if last { self.chunks.rest() } else { self.chunks.ready().unwrap_or_default() };
        let subsampling = SubsamplingOp::new(weights, &mut self.subsampling, &mut self.scratch, mel, last);
        subsampling.cpu_fwd(&mut self.activations, &self.layout)?;
        let frames = subsampling.frames();
        if frames == 0 {
            return Ok(0);
        }
        let left = weights.config.left_frames(self.chunks.look_ahead());
        for (layer, state) in weights.layers.iter().zip(&mut self.layers) {
            let op = LayerOp::new(layer, state, &mut self.scratch, op::Span { isa: weights.isa, frames, left });
            op.cpu_fwd(&mut self.activations, &self.layout)?;
        }
        let values = op::values(&mut self.activations, &self.layout)?;
        out.extend_from_slice(&values[..frames * weights.config.d_model]);
        Ok(frames)
    }

    fn ready_chunks(&mut self, mut mel: &[f32], out: &mut Vec<f32>) -> Result<usize, EncoderError> {
        let mut frames = 0;
        loop {
            mel = self.chunks.fill(mel);
            if self.chunks.ready().is_none() {
                return Ok(frames);
            }
            frames += self.step(false, out)?;
            self.chunks.advance();
        }
    }
}

impl Encoder for Int8Encoder {
    fn config(&self) -> &EncoderConfig {
        &self.weights.config
    }

    fn look_ahead(&self) -> usize {
        self.chunks.look_ahead()
    }

    fn set_look_ahead(&mut self, frames: usize) -> Result<(), EncoderError> {
        self.chunks.set_look_ahead(&self.weights.config, frames)
    }

    fn push(&mut self, mel: &[f32], out: &mut Vec<f32>) -> Result<usize, EncoderError> {
        self.chunks.check(mel)?;
        self.ready_chunks(mel, out)
    }

    fn finish(&mut self, out: &mut Vec<f32>) -> Result<usize, EncoderError> {
        self.chunks.check(&[])?;
        let mut frames = self.ready_chunks(&[], out)?;
        if !self.chunks.is_empty_stream() {
            frames += self.step(true, out)?;
        }
        self.chunks.finish();
        Ok(frames)
    }

    fn reset(&mut self) {
        self.chunks.reset();
        self.subsampling.reset();
        self.layers.iter_mut().for_each(LayerState::reset);
    }
}
