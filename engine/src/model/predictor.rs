//! The prediction network: an LSTM (Hochreiter and Schmidhuber 1997) over the tokens so far, with int8 recurrent
//! weights. The input side of its first layer is a table with one row for each token.

use super::config::ModelConfig;
use super::head::{HeadScratch, HeadState};
use super::lstm::cell;
use super::weights::{WeightSource, dense, tensor};
use crate::nn::{Dense, Epilogue, Isa, Shared, gemm};

/// The weights of the predictor.
#[derive(Debug)]
pub struct Predictor {
    /// What each token adds to the gates of the first layer, biases included, `[vocab_size + 1, 4 * hidden]`.
    input_table: Shared<f32>,
    layers: Vec<Layer>,
    hidden: usize,
    blank: u32,
}

#[derive(Debug)]
struct Layer {
    /// Absent in the first layer, which the table serves.
    input: Option<Dense>,
    recurrent: Dense,
}

impl Predictor {
    /// Takes the weights below `decoder.prediction.` from a source.
    ///
    /// # Errors
    /// When a weight is absent or of another size than the configuration asks for.
    pub fn load<W: WeightSource>(source: &W, config: &ModelConfig) -> Result<Self, W::Error> {
        let (hidden, tokens) = (config.predictor.hidden, config.vocab_size + 1);
        let gates =
            |name: String| dense(source, &format!("decoder.prediction.dec_rnn.lstm.{name}"), 4 * hidden, hidden);
        let layer = |i: usize| -> Result<Layer, W::Error> {
            let input = if i == 0 { None } else { Some(gates(format!("ih_l{i}"))?) };
            Ok(Layer { input, recurrent: gates(format!("hh_l{i}"))? })
        };
        Ok(Self {
            input_table: tensor(source, "decoder.prediction.input_table", tokens * 4 * hidden)?,
            layers: (0..config.predictor.layers).map(layer).collect::<Result<_, _>>()?,
            hidden,
            blank: config.vocab_size as u32,
        })
    }

    /// Runs the LSTM over one token.
    pub(super) fn advance(&self, isa: Isa, token: u32, state: &mut HeadState, scratch: &mut HeadScratch) {
        let HeadScratch { gates, rows, .. } = scratch;
        let width = self.hidden;
        gates.resize(4 * width, 0.0);
        for (i, layer) in self.layers.iter().enumerate() {
            match &layer.input {
                None => {
                    let row = token.min(self.blank) as usize * 4 * width;
                    gates.copy_from_slice(&self.input_table[row..][..4 * width]);
                }
                Some(input) => {
                    rows.quantize(&state.h[(i - 1) * width..][..width], 1, width);
                    gemm(isa, rows, input, gates, Epilogue::Store);
                }
            }
            let (h, c) = (&mut state.h[i * width..][..width], &mut state.c[i * width..][..width]);
            rows.quantize(h, 1, width);
            gemm(isa, rows, &layer.recurrent, gates, Epilogue::Add);
            cell(gates, h, c);
        }
    }

    /// Runs the LSTM of several hypotheses over one token each, their products at once.
    pub(super) fn advance_many(
        &self,
        isa: Isa,
        steps: &[(u32, usize)],
        states: &mut [HeadState],
        scratch: &mut HeadScratch,
    ) {
        let HeadScratch { gates, rows, gathered, .. } = scratch;
        let width = self.hidden;
        gates.resize(steps.len() * 4 * width, 0.0);
        let gather = |states: &[HeadState], layer: usize, gathered: &mut Vec<f32>| {
            gathered.clear();
            for &(_, index) in steps {
                gathered.extend_from_slice(&states[index].h[layer * width..][..width]);
            }
        };
        for (i, layer) in self.layers.iter().enumerate() {
            match &layer.input {
                None => {
                    for (&(token, _), gates) in steps.iter().zip(gates.chunks_exact_mut(4 * width)) {
                        let row = token.min(self.blank) as usize * 4 * width;
                        gates.copy_from_slice(&self.input_table[row..][..4 * width]);
                    }
                }
                Some(input) => {
                    gather(states, i - 1, gathered);
                    rows.quantize(gathered, steps.len(), width);
                    gemm(isa, rows, input, gates, Epilogue::Store);
                }
            }
            gather(states, i, gathered);
            rows.quantize(gathered, steps.len(), width);
            gemm(isa, rows, &layer.recurrent, gates, Epilogue::Add);
            for (&(_, index), gates) in steps.iter().zip(gates.chunks_exact_mut(4 * width)) {
                let HeadState { h, c, .. } = &mut states[index];
                cell(gates, &mut h[i * width..][..width], &mut c[i * width..][..width]);
            }
        }
    }

    /// Output of the last layer, `[hidden]`.
    pub(super) fn output<'a>(&self, state: &'a HeadState) -> &'a [f32] {
        &state.h[(self.layers.len() - 1) * self.hidden..]
    }
}
