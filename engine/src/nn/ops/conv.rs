//! Convolutions with the channel dimension contiguous.

use crate::nn::simd::Simd;

/// Taps of a two-dimensional kernel: 3 in time by 3 in frequency.
const TAPS_2D: usize = 9;

/// Fills `$out`, one value per channel, with an expression for the `$lanes` channels from `$at` on: whole vectors, then
/// the rest.
macro_rules! for_each_vector {
    ($s:ident, $channels:expr, $out:expr, |$at:ident, $lanes:ident| $value:expr) => {{
        let whole = $channels / $s.lanes() * $s.lanes();
        for $at in (0..whole).step_by($s.lanes()) {
            let $lanes = $s.lanes();
            $s.store($value, &mut $out[$at..]);
        }
        if whole < $channels {
            let ($at, $lanes) = (whole, $channels - whole);
            $s.store_partial($value, &mut $out[whole..$channels]);
        }
    }};
}

#[inline(always)]
pub(super) fn depthwise_conv<S: Simd>(s: S, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let channels = bias.len();
    assert!(channels > 0 && weight.len().is_multiple_of(channels), "weight of {channels} channels");
    assert!(out.len().is_multiple_of(channels), "depthwise_conv writes whole frames of {channels}");
    let (taps, frames) = (weight.len() / channels, out.len() / channels);
    assert_eq!(x.len() + channels, (frames + taps) * channels, "input of {frames} frames through {taps} taps");
    for (frame, out) in out.chunks_exact_mut(channels).enumerate() {
        let x = &x[frame * channels..][..taps * channels];
        for_each_vector!(s, channels, out, |at, lanes| {
            let mut sum = load(s, &bias[at..], lanes);
            for tap in 0..taps {
                sum = s.fma(
                    load(s, &weight[tap * channels + at..], lanes),
                    load(s, &x[tap * channels + at..], lanes),
                    sum,
                );
            }
            sum
        });
    }
}

#[inline(always)]
pub(super) fn depthwise_conv_2d<S: Simd>(
    s: S,
    rows: [&[f32]; 3],
    left: usize,
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let channels = bias.len();
    assert!(channels > 0 && out.len().is_multiple_of(channels), "depthwise_conv_2d writes whole bins of {channels}");
    assert_eq!(weight.len(), TAPS_2D * channels, "weight of {channels} channels");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "three rows of one length");
    let bins = rows[0].len() / channels;
    for (bin, out) in out.chunks_exact_mut(channels).enumerate() {
        let taps = taps_inside(bin, left, bins);
        for_each_vector!(s, channels, out, |at, lanes| {
            let mut sum = load(s, &bias[at..], lanes);
            for (time, row) in rows.iter().enumerate() {
                for tap in taps.clone() {
                    let w = load(s, &weight[(time * 3 + tap) * channels + at..], lanes);
                    sum = s.fma(w, load(s, &row[(2 * bin + tap - left) * channels + at..], lanes), sum);
                }
            }
            sum
        });
    }
}

#[inline(always)]
pub(super) fn first_conv_2d<S: Simd>(
    s: S,
    rows: [&[f32]; 3],
    left: usize,
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let channels = bias.len();
    assert!(channels > 0 && out.len().is_multiple_of(channels), "first_conv_2d writes whole bins of {channels}");
    assert_eq!(weight.len(), TAPS_2D * channels, "weight of {channels} channels");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "three rows of one length");
    let bins = rows[0].len();
    for (bin, out) in out.chunks_exact_mut(channels).enumerate() {
        let taps = taps_inside(bin, left, bins);
        for_each_vector!(s, channels, out, |at, lanes| {
            let mut sum = load(s, &bias[at..], lanes);
            for (time, row) in rows.iter().enumerate() {
                for tap in taps.clone() {
                    let w = load(s, &weight[(time * 3 + tap) * channels + at..], lanes);
                    sum = s.fma(w, s.splat(row[2 * bin + tap - left]), sum);
                }
            }
            sum
        });
    }
}

/// The taps of an output bin (stride 2, `left` bins of padding) that meet an input bin.
fn taps_inside(bin: usize, left: usize, bins: usize) -> std::ops::Range<usize> {
    let first = left.saturating_sub(2 * bin).min(3);
    first..(bins + left).saturating_sub(2 * bin).clamp(first, 3)
}

#[inline(always)]
fn load<S: Simd>(s: S, x: &[f32], lanes: usize) -> S::F {
    if lanes == S::LANES { s.load(x) } else { s.load_partial(&x[..lanes]) }
}
