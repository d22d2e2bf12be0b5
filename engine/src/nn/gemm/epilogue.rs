//! From the `i32` sums of a product to its `f32` result.

use super::{PANEL, Simd, Sums};
use crate::nn::{
    ops::{relu_of, silu_of},
    simd::MAX_LANES,
};

/// What becomes of the product `y` (bias included).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Epilogue {
    /// `out = y`
    Store,
    /// `out += y`
    Add,
    /// `out += factor * y`
    AddScaled(f32),
    /// `out = max(y, 0)`
    Relu,
    /// `out = y * sigmoid(y)`
    Silu,
}

/// Everything that applies to one row and panel.
pub(super) struct Tail<'a> {
    pub row_scale: f32,
    /// `[PANEL]`
    pub channel_scale: &'a [f32],
    /// `[PANEL]`
    pub bias: &'a [f32],
    pub epilogue: Epilogue,
}

/// Writes the outputs of a panel for one row; `out` is shorter than a panel at the end of the row.
#[inline(always)]
pub(super) fn finish<S: Simd>(s: S, sums: &Sums, tail: Tail<'_>, out: &mut [f32]) {
    const { assert!(S::LANES <= MAX_LANES && PANEL.is_multiple_of(S::LANES)) };
    if out.len() == PANEL {
        return finish_panel(s, sums, &tail, out);
    }
    let mut whole = [0.0; PANEL];
    whole[..out.len()].copy_from_slice(out);
    finish_panel(s, sums, &tail, &mut whole);
    out.copy_from_slice(&whole[..out.len()]);
}

#[inline(always)]
fn finish_panel<S: Simd>(s: S, sums: &Sums, tail: &Tail<'_>, out: &mut [f32]) {
    let row_scale = s.splat(tail.row_scale);
    let product = |at: usize| {
        let scale = s.mul(s.load(&tail.channel_scale[at..]), row_scale);
        s.fma(s.load_i32(&sums[at..]), scale, s.load(&tail.bias[at..]))
    };
    let steps = (0..PANEL).step_by(S::LANES);
    match tail.epilogue {
        Epilogue::Store => steps.for_each(|at| s.store(product(at), &mut out[at..])),
        Epilogue::Add => steps.for_each(|at| s.store(s.add(product(at), s.load(&out[at..])), &mut out[at..])),
        Epilogue::AddScaled(factor) => {
            let factor = s.splat(factor);
            steps.for_each(|at| s.store(s.fma(product(at), factor, s.load(&out[at..])), &mut out[at..]));
        }
        Epilogue::Relu => steps.for_each(|at| s.store(relu_of(s, product(at)), &mut out[at..])),
        Epilogue::Silu => steps.for_each(|at| s.store(silu_of(s, product(at)), &mut out[at..])),
    }
}
