use super::*;

fn wave(len: usize, amplitude: f32, step: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step + 0.3).sin() * amplitude).collect()
}

/// Lengths around those of vectors and blocks of vectors.
const LENGTHS: [usize; 12] = [0, 1, 3, 4, 7, 8, 15, 16, 17, 36, 64, 145];

fn assert_close(out: &[f32], expected: impl IntoIterator<Item = f64>, tolerance: f64, name: &str) {
    let mut count = 0;
    for (out, expected) in out.iter().zip(expected) {
        let error = (f64::from(*out) - expected).abs();
        assert!(error <= tolerance * expected.abs().max(1e-3), "{name}: {out} for {expected}");
        count += 1;
    }
    assert_eq!(count, out.len(), "{name}");
}

fn check_map(op: fn(Isa, &mut [f32]), reference: fn(f64) -> f64, range: f32, tolerance: f64) {
    for isa in Isa::available() {
        for len in LENGTHS {
            let x = wave(len, range, 0.71);
            let mut out = x.clone();
            op(isa, &mut out);
            assert_close(&out, x.iter().map(|x| reference(f64::from(*x))), tolerance, &format!("{isa} {len}"));
        }
        let steps = if cfg!(miri) { 100 } else { 100_000 };
        let x: Vec<f32> = (0..=steps).map(|i| (i as f32 / steps as f32 * 2.0 - 1.0) * range).collect();
        let mut out = x.clone();
        op(isa, &mut out);
        assert_close(&out, x.iter().map(|x| reference(f64::from(*x))), tolerance, &format!("{isa}"));
    }
}

#[test]
fn non_linearities_match_double_precision() {
    check_map(on::exp, f64::exp, 10.0, 3e-7);
    check_map(on::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 20.0, 1e-6);
    check_map(on::tanh, f64::tanh, 12.0, 1e-6);
    check_map(on::silu, |x| x / (1.0 + (-x).exp()), 20.0, 1e-6);
    check_map(on::relu, |x| x.max(0.0), 5.0, 0.0);
}

#[test]
fn exp_is_relative_and_saturates() {
    for isa in Isa::available() {
        let x: Vec<f32> = (-870..=880).map(|i| i as f32 / 10.0).collect();
        let mut out = x.clone();
        on::exp(isa, &mut out);
        for (out, x) in out.iter().zip(&x) {
            let expected = f64::from(*x).exp();
            assert!((f64::from(*out) / expected - 1.0).abs() < 3e-7, "{isa} exp({x}) = {out}");
        }
        let mut extremes = [f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY];
        on::exp(isa, &mut extremes);
        assert!(extremes[0] < 1.3e-38 && extremes[1] < 1.3e-38, "{isa} {extremes:?}");
        assert!(extremes[2] > 1e38 && extremes[3].is_finite(), "{isa} {extremes:?}");
    }
}

#[test]
fn tanh_keeps_its_digits_near_zero() {
    for isa in Isa::available() {
        let x: Vec<f32> = (1..30).map(|i| 10_f32.powi(-i)).collect();
        let mut out = x.clone();
        on::tanh(isa, &mut out);
        for (out, x) in out.iter().zip(&x) {
            assert!((f64::from(*out) / f64::from(*x).tanh() - 1.0).abs() < 1e-6, "{isa} tanh({x}) = {out}");
        }
    }
}

#[test]
fn glu_gates_the_first_half_by_the_second() {
    for isa in Isa::available() {
        for width in [1, 5, 16, 36] {
            let x = wave(3 * 2 * width, 3.0, 0.37);
            let mut out = vec![0.0; 3 * width];
            on::glu(isa, &x, width, &mut out);
            let expected = (0..3 * width).map(|i| {
                let at = i / width * 2 * width + i % width;
                f64::from(x[at]) / (1.0 + f64::from(-x[at + width]).exp())
            });
            assert_close(&out, expected, 1e-5, &format!("{isa} {width}"));
        }
    }
}

#[test]
fn layer_norm_matches_double_precision() {
    for isa in Isa::available() {
        for width in [1, 7, 16, 36, 144, 145] {
            let x: Vec<f32> = wave(2 * width, 2.0, 0.9).iter().map(|x| x + 10.0).collect();
            let (gamma, beta) = (wave(width, 1.5, 0.2), wave(width, 0.5, 0.4));
            let mut out = vec![0.0; 2 * width];
            on::layer_norm(isa, &x, &gamma, &beta, &mut out);
            let expected = x.chunks_exact(width).flat_map(|row| {
                let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
                let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / width as f64;
                let factor = 1.0 / (variance + 1e-5).sqrt();
                let (gamma, beta) = (&gamma, &beta);
                row.iter()
                    .enumerate()
                    .map(move |(i, x)| (f64::from(*x) - mean) * factor * f64::from(gamma[i]) + f64::from(beta[i]))
                    .collect::<Vec<_>>()
            });
            for (out, expected) in out.iter().zip(expected) {
                assert!((f64::from(*out) - expected).abs() < 2e-5, "{isa} {width}: {out} for {expected}");
            }
        }
    }
}

#[test]
fn softmax_sums_to_one() {
    for isa in Isa::available() {
        for len in LENGTHS {
            let x = wave(len, 40.0, 1.1);
            let mut out = x.clone();
            on::softmax_row(isa, &mut out, 0.7);
            let max = x.iter().fold(f64::NEG_INFINITY, |max, x| max.max(f64::from(*x) * 0.7));
            let exps: Vec<f64> = x.iter().map(|x| (f64::from(*x) * f64::from(0.7_f32) - max).exp()).collect();
            let sum: f64 = exps.iter().sum();
            for (out, exp) in out.iter().zip(&exps) {
                assert!((f64::from(*out) - exp / sum).abs() < 3e-6, "{isa} {len}");
            }
            assert!(len == 0 || (out.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{isa} {len}");
        }
    }
}

#[test]
fn dot_and_axpy_match_double_precision() {
    for isa in Isa::available() {
        for len in LENGTHS {
            let (a, b) = (wave(len, 2.0, 0.7), wave(len, 1.0, 0.31));
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(on::dot(isa, &a, &b)) - expected).abs() < 2e-5, "{isa} {len}");
            let mut y = b.clone();
            on::axpy(isa, -0.5, &a, &mut y);
            let expected = a.iter().zip(&b).map(|(a, b)| f64::from(*b) - 0.5 * f64::from(*a));
            assert_close(&y, expected, 1e-4, &format!("{isa} {len}"));
        }
    }
}

#[test]
fn rows_are_multiplied_at_their_stride() {
    for isa in Isa::available() {
        for width in [1, 4, 9, 36, 64, 75] {
            for count in [0_usize, 1, 3, 4, 5, 84] {
                let stride = width + 5;
                let rows = wave((count * stride).saturating_sub(5), 1.0, 0.13);
                let (x, weights) = (wave(width, 1.0, 0.9), wave(count, 1.0, 0.5));
                let at = |r: usize, i: usize| f64::from(rows[r * stride + i]);
                let mut scores = vec![f32::NAN; count];
                on::dot_rows(isa, &x, &rows, stride, &mut scores);
                for (r, score) in scores.iter().enumerate() {
                    let expected: f64 = (0..width).map(|i| f64::from(x[i]) * at(r, i)).sum();
                    assert!((f64::from(*score) - expected).abs() < 1e-4, "{isa} {count} rows of {width}");
                }
                let mut out = vec![f32::NAN; width];
                on::sum_rows(isa, &weights, &rows, stride, &mut out);
                for (i, out) in out.iter().enumerate() {
                    let expected: f64 = (0..count).map(|r| f64::from(weights[r]) * at(r, i)).sum();
                    assert!((f64::from(*out) - expected).abs() < 1e-4, "{isa} {count} rows of {width}");
                }
            }
        }
    }
}

#[test]
fn depthwise_conv_is_the_same_frame_by_frame() {
    let (taps, frames) = (9, 5);
    for isa in Isa::available() {
        for channels in [1, 8, 36, 144] {
            let x = wave((taps - 1 + frames) * channels, 1.0, 0.77);
            let (weight, bias) = (wave(taps * channels, 0.5, 0.3), wave(channels, 0.2, 0.1));
            let mut out = vec![0.0; frames * channels];
            on::depthwise_conv(isa, &x, &weight, &bias, &mut out);
            for (i, out) in out.iter().enumerate() {
                let (frame, channel) = (i / channels, i % channels);
                let sum: f64 = (0..taps)
                    .map(|j| f64::from(weight[j * channels + channel]) * f64::from(x[(frame + j) * channels + channel]))
                    .sum();
                assert!((f64::from(*out) - sum - f64::from(bias[channel])).abs() < 1e-5, "{isa} {channels}");
            }
            let mut one = vec![0.0; channels];
            on::depthwise_conv(isa, &x[2 * channels..][..taps * channels], &weight, &bias, &mut one);
            assert_eq!(one, out[2 * channels..3 * channels], "{isa} {channels}");
        }
    }
}

/// Padded input bins by definition.
fn conv_2d(x: impl Fn(usize, usize, usize) -> f64, weight: &[f32], bias: &[f32], bin: usize, channel: usize) -> f64 {
    let mut sum = f64::from(bias[channel]);
    for time in 0..3 {
        for tap in 0..3 {
            let w = f64::from(weight[(time * 3 + tap) * bias.len() + channel]);
            sum += w * x(time, 2 * bin + tap, channel);
        }
    }
    sum
}

#[test]
fn convolutions_in_two_dimensions_pad_with_zeros() {
    for isa in Isa::available() {
        for (bins, left, channels) in [(80_usize, 2_usize, 64), (7, 1, 5), (1, 2, 16), (2, 0, 3)] {
            let bins_out = (bins + left).div_ceil(2);
            let (weight, bias) = (wave(9 * channels, 0.5, 0.3), wave(channels, 0.2, 0.1));
            let wide = wave(3 * bins * channels, 1.0, 0.77);
            let narrow = wave(3 * bins, 1.0, 0.77);
            let mut out = vec![0.0; bins_out * channels];
            let row = |t: usize| &wide[t * bins * channels..][..bins * channels];
            on::depthwise_conv_2d(isa, [row(0), row(1), row(2)], left, &weight, &bias, &mut out);
            let inside = |bin: usize| bin.checked_sub(left).filter(|bin| *bin < bins);
            for (i, out) in out.iter().enumerate() {
                let x = |t: usize, bin: usize, c: usize| {
                    inside(bin).map_or(0.0, |bin| f64::from(wide[(t * bins + bin) * channels + c]))
                };
                let expected = conv_2d(x, &weight, &bias, i / channels, i % channels);
                assert!((f64::from(*out) - expected).abs() < 1e-5, "{isa} {bins} {left} {channels}");
            }
            let row = |t: usize| &narrow[t * bins..][..bins];
            on::first_conv_2d(isa, [row(0), row(1), row(2)], left, &weight, &bias, &mut out);
            for (i, out) in out.iter().enumerate() {
                let x = |t: usize, bin: usize, _| inside(bin).map_or(0.0, |bin| f64::from(narrow[t * bins + bin]));
                let expected = conv_2d(x, &weight, &bias, i / channels, i % channels);
                assert!((f64::from(*out) - expected).abs() < 1e-5, "{isa} {bins} {left} {channels}");
            }
        }
    }
}
