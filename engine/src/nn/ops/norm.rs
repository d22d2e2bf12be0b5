//! Layer normalization, softmax and the quantization of rows.

use super::activation::exp_of;
use crate::nn::simd::{MAX_LANES, Simd, map_in_place, zip_in_place};

/// Added to the variance (the default of PyTorch and NeMo).
const EPSILON: f32 = 1e-5;
/// Rows whose largest magnitude is below are quantized to zero: the inverse of their scale would overflow.
const QUANTIZE_MIN: f32 = 1e-30;

/// Largest value, or `$start`, of an expression of the values of a slice.
macro_rules! max_of {
    ($s:ident, $x:expr, $start:expr, |$v:ident| $value:expr) => {{
        let mut max = $s.splat($start);
        let mut chunks = $x.chunks_exact($s.lanes());
        for chunk in &mut chunks {
            let $v = $s.load(chunk);
            max = $s.max($value, max);
        }
        for x in chunks.remainder() {
            let $v = $s.splat(*x);
            max = $s.max($value, max);
        }
        $s.max_lane(max)
    }};
}

/// Sum of a slice; four chains hide the latency of the additions.
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

/// Sum of squared distances from `mean`, likewise.
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
    zip_in_place!(s, gamma, row, |gamma, x| s.mul(s.mul(s.sub(x, mean), factor), gamma));
    zip_in_place!(s, beta, row, |beta, x| s.add(x, beta));
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
    let scale = s.splat(scale);
    map_in_place!(s, row, |v| s.mul(v, scale));
    let max = s.splat(max_of!(s, row, f32::NEG_INFINITY, |v| v));
    map_in_place!(s, row, |v| exp_of(s, s.sub(v, max)));
    let inverse = s.splat(1.0 / sum_of(s, row));
    map_in_place!(s, row, |v| s.mul(v, inverse));
}

#[inline(always)]
pub(super) fn quantize_row<S: Simd>(s: S, x: &[f32], q: &mut [i8]) -> f32 {
    assert_eq!(x.len(), q.len(), "quantize_row keeps the length");
    let absmax = max_of!(s, x, 0.0, |v| s.abs(v));
    if absmax < QUANTIZE_MIN {
        q.fill(0);
        return 0.0;
    }
    let (inverse, low, high) = (s.splat(127.0 / absmax), s.splat(-127.0), s.splat(127.0));
    let (mut xs, mut qs) = (x.chunks_exact(S::LANES), q.chunks_exact_mut(S::LANES));
    for (x, q) in (&mut xs).zip(&mut qs) {
        s.store_i8(s.min(s.max(s.mul(s.load(x), inverse), low), high), q);
    }
    let tail = qs.into_remainder();
    if !tail.is_empty() {
        let mut lanes = [0; MAX_LANES];
        let v = s.load_partial(xs.remainder());
        s.store_i8(s.min(s.max(s.mul(v, inverse), low), high), &mut lanes);
        tail.copy_from_slice(&lanes[..tail.len()]);
    }
    absmax / 127.0
}
