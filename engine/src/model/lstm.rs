//! The cell that the predictor and the language network share.

use crate::nn::ops;

/// One step of an LSTM cell (Hochreiter and Schmidhuber 1997) from its gates (input, forget, cell, output), before their
/// non-linearities.
pub(super) fn cell(gates: &mut [f32], h: &mut [f32], c: &mut [f32]) {
    let width = h.len();
    ops::sigmoid(&mut gates[..2 * width]);
    ops::tanh(&mut gates[2 * width..3 * width]);
    ops::sigmoid(&mut gates[3 * width..]);
    let (input_forget, new_output) = gates.split_at(2 * width);
    let (input, forget) = input_forget.split_at(width);
    let (new, output) = new_output.split_at(width);
    for (c, ((input, forget), new)) in c.iter_mut().zip(input.iter().zip(forget).zip(new)) {
        *c = forget * *c + input * new;
    }
    h.copy_from_slice(c);
    ops::tanh(h);
    h.iter_mut().zip(output).for_each(|(h, output)| *h *= output);
}
