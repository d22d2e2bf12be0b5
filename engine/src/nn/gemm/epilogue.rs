//! From the `i32` sums of a product to its `f32` result.

use super::{PANEL, Sums};
use crate::nn::{
    ops::{relu_of, silu_of},
    simd::Simd,
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

/// Everything that applies to the sums of a panel.
pub(crate) struct Tail<'a> {
    /// Scales of the rows.
    pub row_scale: &'a [f32],
    pub channel_scale: &'a [f32; PANEL],
    pub bias: &'a [f32; PANEL],
    /// Output channels of the panel that exist.
    pub width: usize,
    /// Outputs between the starts of rows.
    pub stride: usize,
    /// Sums between those of one row and the next.
    pub step: usize,
    pub epilogue: Epilogue,
}

/// Writes the outputs of a panel for the rows of `tail`, from the sums of the first to `out`, which starts with the first
/// row's.
#[inline(always)]
pub(super) fn finish<S: Simd>(s: S, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
    const { assert!(S::LANES <= PANEL && PANEL.is_multiple_of(S::LANES)) };
    // The epilogue is chosen outside of the loops over rows and vectors.
    macro_rules! each {
        (|$y:ident, $out:ident| $value:expr) => {
            for (r, row_scale) in tail.row_scale.iter().enumerate() {
                let (sums, row_scale) = (&sums[r * tail.step], s.splat(*row_scale));
                let row = &mut out[r * tail.stride..][..tail.width];
                for at in (0..PANEL).step_by(S::LANES) {
                    let scale = s.mul(s.load(&tail.channel_scale[at..]), row_scale);
                    let $y = s.fma(s.load_i32(&sums[at..]), scale, s.load(&tail.bias[at..]));
                    if let Some(whole) = row.get_mut(at..at + S::LANES) {
                        let $out = s.load(whole);
                        s.store($value, whole);
                    } else if at < tail.width {
                        let $out = s.load_partial(&row[at..]);
                        s.store_partial($value, &mut row[at..]);
                    }
                }
            }
        };
    }
    match tail.epilogue {
        Epilogue::Store => each!(|y, _out| y),
        Epilogue::Add => each!(|y, out| s.add(y, out)),
        Epilogue::AddScaled(factor) => each!(|y, out| s.fma(y, s.splat(factor), out)),
        Epilogue::Relu => each!(|y, _out| relu_of(s, y)),
        Epilogue::Silu => each!(|y, _out| silu_of(s, y)),
    }
}
