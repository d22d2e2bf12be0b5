//! Layer normalization, softmax and the quantization of rows.

use super::super::simd::{Simd, map_in_place, zip_in_place};
use super::activation::exp_of;

/// Added to the variance (the default of PyTorch and NeMo).
const EPSILON: f32 = 1e-5;
/// Rows whose largest magnitude is below are quantized to zero: the inverse of their scale would overflow.
const QUANTIZE_MIN: f32 = 1e-30;

/// Sum of `f(x)` over a slice; four chains hide the latency of the additions. `f(0)` must be zero or `x` whole vectors.
#[inline(always)]
fn sum_of<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let mut chunks = x.chunks_exact(4 * S::LANES);
    for chunk in &mut chunks {
        for (sum, v) in sums.iter_mut().zip(chunk.chunks_exact(S::LANES)) {
            *sum = s.add(*sum, s.load(v));
        }
    }
    let mut chunks = chunks.remainder().chunks_exact(S::LANES);
    for v in &mut chunks {
        sums[0] = s.add(sums[0], s.load(v));
    }
    let sum = s.sum(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])));
    sum + chunks.remainder().iter().sum::<f32>()
}

/// Sum of squared distances from `mean`.
#[inline(always)]
fn deviation_of<S: Simd>(s: S, x: &[f32], mean: f32) -> f32 {
    let (mut sums, centre) = ([s.splat(0.0); 4], s.splat(mean));
    let mut chunks = x.chunks_exact(4 * S::LANES);
    for chunk in &mut chunks {
        for (sum, v) in sums.iter_mut().zip(chunk.chunks_exact(S::LANES)) {
            let d = s.sub(s.load(v), centre);
            *sum = s.fma(d, d, *sum);
        }
    }
    let mut chunks = chunks.remainder().chunks_exact(S::LANES);
    for v in &mut chunks {
        let d = s.sub(s.load(v), centre);
        sums[0] = s.fma(d, d, sums[0]);
    }
    let sum = s.sum(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])));
    sum + chunks.remainder().iter().map(|x| (x - mean) * (x - mean)).sum::<f32>()
}

#[inline(always)]
fn normalize<S: Simd>(s: S, gamma: &[f32], beta: &[f32], row: &mut [f32]) {
    let count = row.len() as f32;
    let mean = sum_of(s, row) / count;
    let factor = 1.0 / (deviation_of(s, row, mean) / count + EPSILON).sqrt();
    let (mean, factor) = (s.splat(mean), s.splat(factor));
    zip_in_place(s, gamma, row, |gamma, x| s.mul(s.mul(s.sub(x, mean), factor), gamma));
    zip_in_place(s, beta, row, |beta, x| s.add(x, beta));
}

#[inline(always)]
pub(super) fn layer_norm<S: Simd>(s: S, x: &[f32], gamma: &[f32], beta: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "layer_norm keeps the shape");
    out.copy_from_slice(x);
    layer_norm_in_place(s, out, gamma, beta);
}

#[inline(always)]
pub(super) fn layer_norm_in_place<S: Simd>(s: S, x: &mut [f32], gamma: &[f32], beta: &[f32]) {
    let width = gamma.len();
    assert_eq!(beta.len(), width, "beta of a layer_norm of {width}");
    assert!(width > 0 && x.len().is_multiple_of(width), "layer_norm takes whole rows of {width}, not {}", x.len());
    for row in x.chunks_exact_mut(width) {
        normalize(s, gamma, beta, row);
    }
}

#[inline(always)]
pub(super) fn softmax_row<S: Simd>(s: S, row: &mut [f32], scale: f32) {
    let max = max_of(s, row, |v| s.mul(v, s.splat(scale)), f32::NEG_INFINITY);
    let (scale, max) = (s.splat(scale), s.splat(max));
    map_in_place(s, row, |v| exp_of(s, s.sub(s.mul(v, scale), max)));
    let inverse = s.splat(1.0 / sum_of(s, row));
    map_in_place(s, row, |v| s.mul(v, inverse));
}

/// Largest `f(x)` of a slice, `start` where it is empty.
#[inline(always)]
fn max_of<S: Simd>(s: S, x: &[f32], f: impl Fn(S::F) -> S::F, start: f32) -> f32 {
    let mut max = s.splat(start);
    let mut chunks = x.chunks_exact(S::LANES);
    for chunk in &mut chunks {
        max = s.max(f(s.load(chunk)), max);
    }
    for x in chunks.remainder() {
        max = s.max(f(s.splat(*x)), max);
    }
    s.max_lane(max)
}

#[inline(always)]
pub(super) fn quantize_row<S: Simd>(s: S, x: &[f32], q: &mut [i8]) -> f32 {
    assert_eq!(x.len(), q.len(), "quantize_row keeps the length");
    let absmax = max_of(s, x, |v| s.abs(v), 0.0);
    if absmax < QUANTIZE_MIN {
        q.fill(0);
        return 0.0;
    }
    let (inverse, low, high) = (s.splat(127.0 / absmax), s.splat(-127.0), s.splat(127.0));
    let scaled = |v| s.min(s.max(s.mul(v, inverse), low), high);
    let (mut xs, mut qs) = (x.chunks_exact(S::LANES), q.chunks_exact_mut(S::LANES));
    for (x, q) in (&mut xs).zip(&mut qs) {
        s.store_i8(scaled(s.load(x)), q);
    }
    let tail = qs.into_remainder();
    if !tail.is_empty() {
        let mut lanes = [0; super::super::simd::MAX_LANES];
        s.store_i8(scaled(s.load_partial(xs.remainder())), &mut lanes);
        tail.copy_from_slice(&lanes[..tail.len()]);
    }
    absmax / 127.0
}
