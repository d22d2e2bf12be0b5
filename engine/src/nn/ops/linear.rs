//! Products of `f32` vectors and of a vector with the rows of a matrix, as attention needs them.

use crate::nn::simd::{Simd, zip_in_place};

/// Rows that share each load of the vector.
const BLOCK: usize = 4;

#[inline(always)]
pub(super) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "dot takes two vectors of one length");
    let mut sums = [s.splat(0.0); BLOCK];
    let (mut xs, mut ys) = (a.chunks_exact(BLOCK * S::LANES), b.chunks_exact(BLOCK * S::LANES));
    for (x, y) in (&mut xs).zip(&mut ys) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.chunks_exact(S::LANES).zip(y.chunks_exact(S::LANES))) {
            *sum = s.fma(s.load(x), s.load(y), *sum);
        }
    }
    let total = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
    dot_rows_block(s, xs.remainder(), [ys.remainder()], [total])[0]
}

/// Dot products of `a` with rows of the same length, each added to the lanes of `sums`.
#[inline(always)]
fn dot_rows_block<S: Simd, const R: usize>(s: S, a: &[f32], rows: [&[f32]; R], mut sums: [S::F; R]) -> [f32; R] {
    let whole = a.len() / S::LANES * S::LANES;
    let rows = rows.map(|row| &row[..a.len()]);
    for at in (0..whole).step_by(S::LANES) {
        let x = s.load(&a[at..]);
        for r in 0..R {
            sums[r] = s.fma(x, s.load(&rows[r][at..]), sums[r]);
        }
    }
    if whole < a.len() {
        let x = s.load_partial(&a[whole..]);
        for r in 0..R {
            sums[r] = s.fma(x, s.load_partial(&rows[r][whole..]), sums[r]);
        }
    }
    let mut out = [0.0; R];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = s.sum(sum);
    }
    out
}

#[inline(always)]
pub(super) fn axpy<S: Simd>(s: S, alpha: f32, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "axpy takes two vectors of one length");
    let alpha = s.splat(alpha);
    zip_in_place!(s, x, y, |x, y| s.fma(alpha, x, y));
}

#[inline(always)]
pub(super) fn dot_rows<S: Simd>(s: S, x: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) {
    let (count, width) = (out.len(), x.len());
    check_rows(rows, stride, count, width);
    let row = |r: usize| &rows[r * stride..][..width];
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let r = block * BLOCK;
        if let [a, b, c, d] = out {
            let block = [row(r), row(r + 1), row(r + 2), row(r + 3)];
            [*a, *b, *c, *d] = dot_rows_block(s, x, block, [s.splat(0.0); BLOCK]);
        } else {
            for (i, out) in out.iter_mut().enumerate() {
                [*out] = dot_rows_block(s, x, [row(r + i)], [s.splat(0.0)]);
            }
        }
    }
}

#[inline(always)]
pub(super) fn sum_rows<S: Simd>(s: S, weights: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) {
    let (count, width) = (weights.len(), out.len());
    check_rows(rows, stride, count, width);
    let mut at = 0;
    while at + BLOCK * S::LANES <= width {
        let mut sums = [s.splat(0.0); BLOCK];
        for (r, weight) in weights.iter().enumerate() {
            let (weight, row) = (s.splat(*weight), &rows[r * stride + at..][..BLOCK * S::LANES]);
            for (sum, v) in sums.iter_mut().zip(row.chunks_exact(S::LANES)) {
                *sum = s.fma(weight, s.load(v), *sum);
            }
        }
        for (sum, out) in sums.into_iter().zip(out[at..].chunks_exact_mut(S::LANES)) {
            s.store(sum, out);
        }
        at += BLOCK * S::LANES;
    }
    while at < width {
        let lanes = S::LANES.min(width - at);
        let mut sum = s.splat(0.0);
        for (r, weight) in weights.iter().enumerate() {
            let row = &rows[r * stride + at..][..lanes];
            let v = if lanes == S::LANES { s.load(row) } else { s.load_partial(row) };
            sum = s.fma(s.splat(*weight), v, sum);
        }
        s.store_partial(sum, &mut out[at..at + lanes]);
        at += lanes;
    }
}

fn check_rows(rows: &[f32], stride: usize, count: usize, width: usize) {
    assert!(
        count == 0 || (count - 1) * stride + width <= rows.len(),
        "{count} rows of {width}, {stride} apart, do not fit {} values",
        rows.len()
    );
}
