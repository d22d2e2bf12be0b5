//! Exponential and the non-linearities made of it.
//!
//! `exp(x) = 2^n * exp(r)` with `n = round(x / ln 2)` and `|r| <= ln 2 / 2`, where `exp(r) = 1 + r + r² p(r)` and `p` is
//! a polynomial of degree 4 interpolated at Chebyshev nodes (relative error of `exp(r)` 1.1e-8 before rounding).

use crate::nn::simd::{Simd, map_in_place, zip_in_place};

/// `ln 2` as a sum: the first part has so few digits that `n` times it is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Coefficients of `p`, lowest first.
const EXP_TAIL: [f32; 5] = [0.5, 0.166_665_76, 0.041_666_467, 0.008_363_182, 0.001_393_365_2];
/// Arguments of `exp` are clamped to where the result is a normal number.
const EXP_MIN: f32 = -87.336;
const EXP_MAX: f32 = 88.02;
/// From here on `tanh` rounds to one.
const TANH_MAX: f32 = 9.02;

/// `n` and `exp(r) - 1` of the clamped argument.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let r = s.fma(n, s.splat(-LN_2[0]), x);
    let r = s.fma(n, s.splat(-LN_2[1]), r);
    let mut p = s.splat(EXP_TAIL[4]);
    for c in EXP_TAIL[..4].iter().rev() {
        p = s.fma(p, r, s.splat(*c));
    }
    (n, s.fma(s.mul(r, r), p, r))
}

#[inline(always)]
pub(crate) fn exp_of<S: Simd>(s: S, x: S::F) -> S::F {
    let x = s.min(s.max(x, s.splat(EXP_MIN)), s.splat(EXP_MAX));
    let (n, m) = reduce(s, x);
    s.mul(s.add(m, s.splat(1.0)), s.exp2_integer(n))
}

#[inline(always)]
pub(crate) fn sigmoid_of<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp_of(s, s.sub(s.splat(0.0), x))))
}

#[inline(always)]
pub(crate) fn silu_of<S: Simd>(s: S, x: S::F) -> S::F {
    s.div(x, s.add(s.splat(1.0), exp_of(s, s.sub(s.splat(0.0), x))))
}

/// `tanh(x) = e / (e + 2)` with `e = exp(2x) - 1`, which keeps its digits where `x` is near zero.
#[inline(always)]
pub(crate) fn tanh_of<S: Simd>(s: S, x: S::F) -> S::F {
    let x = s.min(s.max(x, s.splat(-TANH_MAX)), s.splat(TANH_MAX));
    let (n, m) = reduce(s, s.add(x, x));
    let power = s.exp2_integer(n);
    let e = s.fma(m, power, s.sub(power, s.splat(1.0)));
    s.div(e, s.add(e, s.splat(2.0)))
}

#[inline(always)]
pub(crate) fn relu_of<S: Simd>(s: S, x: S::F) -> S::F {
    s.max(x, s.splat(0.0))
}

#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: &mut [f32]) {
    map_in_place!(s, x, |v| exp_of(s, v));
}

#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: &mut [f32]) {
    map_in_place!(s, x, |v| sigmoid_of(s, v));
}

#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: &mut [f32]) {
    map_in_place!(s, x, |v| tanh_of(s, v));
}

#[inline(always)]
pub(super) fn silu<S: Simd>(s: S, x: &mut [f32]) {
    map_in_place!(s, x, |v| silu_of(s, v));
}

#[inline(always)]
pub(super) fn relu<S: Simd>(s: S, x: &mut [f32]) {
    map_in_place!(s, x, |v| relu_of(s, v));
}

#[inline(always)]
pub(super) fn glu<S: Simd>(s: S, x: &[f32], width: usize, out: &mut [f32]) {
    assert!(width > 0 && out.len().is_multiple_of(width), "glu writes whole rows of {width}, not {}", out.len());
    assert_eq!(x.len(), 2 * out.len(), "glu halves its input");
    for (x, out) in x.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
        let (value, gate) = x.split_at(width);
        out.copy_from_slice(value);
        zip_in_place!(s, gate, out, |gate, value| s.mul(value, sigmoid_of(s, gate)));
    }
}
