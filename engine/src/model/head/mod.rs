//! The predictor and the joiner as decoding sees them: one trait, so that a search runs on the int8 and on the f32
//! implementation alike.

mod int8;
#[cfg(feature = "reference")]
mod reference;

pub use int8::Int8Head;
#[cfg(feature = "reference")]
pub use reference::{ReferenceHead, ReferenceJoiner, ReferencePredictor};

use super::config::ModelConfig;
use crate::nn::Rows;

/// The part of a transducer after its encoder: the LSTM predictor and the joiner.
///
/// Tokens are `0..vocab_size()`, the blank is `vocab_size()`. The weights are immutable; what a hypothesis needs is in
/// a [`HeadState`], what a call needs is in a [`HeadScratch`], both preallocated by the caller.
pub trait TransducerHead: Send + Sync {
    /// The shape of the model.
    fn config(&self) -> &ModelConfig;

    /// Number of tokens without the blank.
    fn vocab_size(&self) -> usize {
        self.config().vocab_size
    }

    /// Width of an encoder frame.
    fn frame_width(&self) -> usize {
        self.config().encoder.d_model
    }

    /// Inner width of the joiner, the width of a projected frame.
    fn joiner_width(&self) -> usize {
        self.config().joiner.hidden
    }

    /// Space for the state of one hypothesis. Call [`TransducerHead::start`] before its first use.
    fn new_state(&self) -> HeadState {
        HeadState::new(self.config())
    }

    /// Working space; one for each thread serves any number of states.
    fn new_scratch(&self) -> HeadScratch {
        HeadScratch::new(self.config())
    }

    /// Sets `state` to the start of an utterance: the predictor has seen the blank.
    fn start(&self, state: &mut HeadState, scratch: &mut HeadScratch) {
        state.clear();
        self.advance(self.vocab_size() as u32, state, scratch);
    }

    /// Runs the predictor over one more token and projects its output for the joiner. A token out of range counts as
    /// the blank.
    fn advance(&self, token: u32, state: &mut HeadState, scratch: &mut HeadScratch);

    /// Projects encoder frames (`[n, frame_width]`) for the joiner and appends them to `out` as `[n, joiner_width]`.
    /// Allocates only when `out` or the scratch must grow.
    fn project(&self, frames: &[f32], out: &mut Vec<f32>, scratch: &mut HeadScratch);

    /// Joins one projected frame with a state: unnormalized scores of all tokens, the blank last. `out` has
    /// `vocab_size() + 1` places.
    fn logits(&self, projected: &[f32], state: &HeadState, scratch: &mut HeadScratch, out: &mut [f32]);

    /// As [`TransducerHead::advance`] for several hypotheses, which may be cheaper at once: `(token, index)` runs
    /// `states[index]` over `token`. No index may occur twice.
    fn advance_many(&self, steps: &[(u32, usize)], states: &mut [HeadState], scratch: &mut HeadScratch) {
        for &(token, index) in steps {
            self.advance(token, &mut states[index], scratch);
        }
    }

    /// As [`TransducerHead::logits`] for several hypotheses and one frame: the scores of `states[which[i]]` are row `i`
    /// of `out`, `[which.len(), vocab_size() + 1]`.
    fn logits_many(
        &self,
        projected: &[f32],
        states: &[HeadState],
        which: &[usize],
        scratch: &mut HeadScratch,
        out: &mut [f32],
    ) {
        for (&index, row) in which.iter().zip(out.chunks_exact_mut(self.vocab_size() + 1)) {
            self.logits(projected, &states[index], scratch, row);
        }
    }
}

/// What the predictor remembers of one hypothesis. `clone_from` between states of the same head does not allocate.
#[derive(Debug, PartialEq)]
pub struct HeadState {
    /// Output of each LSTM layer, `[layers, hidden]`.
    pub(in crate::model) h: Vec<f32>,
    /// Cell of each LSTM layer, `[layers, hidden]`.
    pub(in crate::model) c: Vec<f32>,
    /// Output of the last layer, projected for the joiner, `[joiner_width]`.
    pub(in crate::model) projected: Vec<f32>,
}

impl HeadState {
    pub(in crate::model) fn new(config: &ModelConfig) -> Self {
        let cells = config.predictor.layers * config.predictor.hidden;
        Self { h: vec![0.0; cells], c: vec![0.0; cells], projected: vec![0.0; config.joiner.hidden] }
    }

    pub(in crate::model) fn clear(&mut self) {
        self.h.fill(0.0);
        self.c.fill(0.0);
        self.projected.fill(0.0);
    }
}

impl Clone for HeadState {
    fn clone(&self) -> Self {
        Self { h: self.h.clone(), c: self.c.clone(), projected: self.projected.clone() }
    }

    fn clone_from(&mut self, source: &Self) {
        self.h.clone_from(&source.h);
        self.c.clone_from(&source.c);
        self.projected.clone_from(&source.projected);
    }
}

/// Working space of a [`TransducerHead`].
#[derive(Debug)]
pub struct HeadScratch {
    /// Gates of one LSTM layer, `[hypotheses, 4 * hidden]`.
    pub(in crate::model) gates: Vec<f32>,
    /// Input of the output layer, `[hypotheses, joiner_width]`.
    pub(in crate::model) joined: Vec<f32>,
    /// Rows of several hypotheses side by side, `[hypotheses, width]`.
    pub(in crate::model) gathered: Vec<f32>,
    /// The quantized input of the next product.
    pub(in crate::model) rows: Rows,
}

impl HeadScratch {
    pub(in crate::model) fn new(config: &ModelConfig) -> Self {
        let frames = config.encoder.look_aheads.iter().max().map_or(1, |frames| frames + 1);
        let width = config.encoder.d_model.max(config.predictor.hidden).max(config.joiner.hidden);
        Self {
            gates: vec![0.0; 4 * config.predictor.hidden],
            joined: vec![0.0; config.joiner.hidden],
            gathered: Vec::new(),
            rows: Rows::with_capacity(frames, width),
        }
    }
}

#[cfg(test)]
impl HeadState {
    pub(crate) fn cells(&self) -> &[f32] {
        &self.c
    }

    pub(crate) fn cells_mut(&mut self) -> &mut [f32] {
        &mut self.c
    }
}
