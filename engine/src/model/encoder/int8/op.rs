//! The encoder's parts as candle operations on the activations of a stream.

use std::cell::{Cell, RefCell};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, bail};

use super::Int8Weights;
use super::layer::{LayerState, LayerWeights};
use super::scratch::Scratch;
use super::subsampling::SubsamplingState;
use crate::nn::Isa;

/// What a layer works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub isa: Isa,
    /// Frames of the chunk.
    pub frames: usize,
    /// Frames before the chunk that attention may reach.
    pub left: usize,
}

/// A whole Conformer layer, in place on the first rows of the activations. candle gives an operation no mutable access
/// to itself, hence the cells.
pub(super) struct LayerOp<'a> {
    weights: &'a LayerWeights,
    state: RefCell<(&'a mut LayerState, &'a mut Scratch)>,
    span: Span,
}

impl<'a> LayerOp<'a> {
    pub fn new(weights: &'a LayerWeights, state: &'a mut LayerState, scratch: &'a mut Scratch, span: Span) -> Self {
        Self { weights, state: RefCell::new((state, scratch)), span }
    }
}

impl InplaceOp1 for LayerOp<'_> {
    fn name(&self) -> &'static str {
        "conformer-layer-int8"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let x = values(storage, layout)?;
        let (state, scratch) = &mut *self.state.borrow_mut();
        let d = self.weights.width();
        self.weights.forward(&mut x[..self.span.frames * d], state, scratch, self.span);
        Ok(())
    }
}

/// The subsampling: writes the frames that the log-mel frames complete to the first rows of the activations.
pub(super) struct SubsamplingOp<'a> {
    weights: &'a Int8Weights,
    state: RefCell<(&'a mut SubsamplingState, &'a mut Scratch)>,
    mel: &'a [f32],
    last: bool,
    frames: Cell<usize>,
}

impl<'a> SubsamplingOp<'a> {
    pub fn new(
        weights: &'a Int8Weights,
        state: &'a mut SubsamplingState,
        scratch: &'a mut Scratch,
        mel: &'a [f32],
        last: bool,
    ) -> Self {
        Self { weights, state: RefCell::new((state, scratch)), mel, last, frames: Cell::new(0) }
    }

    /// Frames written.
    pub fn frames(&self) -> usize {
        self.frames.get()
    }
}

impl InplaceOp1 for SubsamplingOp<'_> {
    fn name(&self) -> &'static str {
        "subsampling-int8"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let x = values(storage, layout)?;
        let (state, scratch) = &mut *self.state.borrow_mut();
        let Int8Weights { subsampling, isa, .. } = self.weights;
        self.frames.set(subsampling.forward(*isa, self.mel, self.last, state, &mut scratch.rows, x));
        Ok(())
    }
}

/// The activations.
pub(super) fn values<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("the activations are not contiguous f32 values"),
    }
}
