//! Operations on `f32` slices, vectorized for the machine at hand.
//!
//! Each is written once over a vector trait and compiled for every instruction set. Results of different
//! instruction sets differ by rounding only. Nothing is allocated.

mod activation;
mod conv;
mod linear;
mod norm;

pub(super) use activation::{relu_of, silu_of};

use super::{Isa, simd};

/// Makes each operation a public function for the best instruction set, and a function of module `on` for a given one.
macro_rules! dispatch {
    ($($(#[$doc:meta])* fn $module:ident::$name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)?;)*) => {
        $(
            $(#[$doc])*
            pub fn $name($($arg: $ty),*) $(-> $out)? {
                on::$name(Isa::detect(), $($arg),*)
            }
        )*

        /// The operations for a given instruction set, or portable where the machine lacks it.
        pub(crate) mod on {
            use super::*;

            $(
                pub(crate) fn $name(isa: Isa, $($arg: $ty),*) $(-> $out)? {
                    #[cfg(target_arch = "x86_64")]
                    {
                        #[target_feature(enable = "avx2,fma")]
                        fn avx2(s: simd::Avx2, $($arg: $ty),*) $(-> $out)? {
                            $module::$name(s, $($arg),*)
                        }
                        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl")]
                        fn avx512(s: simd::Avx512, $($arg: $ty),*) $(-> $out)? {
                            $module::$name(s, $($arg),*)
                        }
                        match isa {
                            Isa::Avx512Vnni => if let Some(s) = simd::Avx512::new() {
                                // SAFETY: `s` proves that the machine has the features.
                                return unsafe { avx512(s, $($arg),*) };
                            },
                            Isa::Avx2 | Isa::AvxVnni => if let Some(s) = simd::Avx2::new() {
                                // SAFETY: `s` proves that the machine has the features.
                                return unsafe { avx2(s, $($arg),*) };
                            },
                            _ => {}
                        }
                    }
                    #[cfg(target_arch = "aarch64")]
                    {
                        #[target_feature(enable = "neon")]
                        fn neon(s: simd::Neon, $($arg: $ty),*) $(-> $out)? {
                            $module::$name(s, $($arg),*)
                        }
                        if let (Isa::Neon | Isa::NeonDotprod, Some(s)) = (isa, simd::Neon::new()) {
                            // SAFETY: `s` proves that the machine has the feature.
                            return unsafe { neon(s, $($arg),*) };
                        }
                    }
                    let _ = isa;
                    $module::$name(simd::Scalar, $($arg),*)
                }
            )*
        }
    };
}

dispatch! {
    /// `exp(x)` in place, to a relative error of 3e-7. Arguments are clamped to -87.336..=88.02, where the result is a
    /// normal number.
    fn activation::exp(x: &mut [f32]);

    /// Logistic function `1 / (1 + exp(-x))` in place.
    fn activation::sigmoid(x: &mut [f32]);

    /// Hyperbolic tangent in place, to a relative error of 1e-6 also near zero.
    fn activation::tanh(x: &mut [f32]);

    /// `x * sigmoid(x)` in place (also called swish).
    fn activation::silu(x: &mut [f32]);

    /// `max(x, 0)` in place.
    fn activation::relu(x: &mut [f32]);

    /// Gated linear unit (Dauphin et al. 2017, arXiv:1612.08083): rows `[value, gate]` of `2 * width` become
    /// `value * sigmoid(gate)` of `width`.
    ///
    /// # Panics
    /// When `out` is not whole rows of `width` or `x` not twice as long.
    fn activation::glu(x: &[f32], width: usize, out: &mut [f32]);

    /// Layer normalization of each row of `gamma.len()` values (Ba et al. 2016, arXiv:1607.06450), with 1e-5 added to
    /// the variance.
    ///
    /// # Panics
    /// When `x` is not whole rows, or `beta` or `out` have another length than `gamma` and `x`.
    fn norm::layer_norm(x: &[f32], gamma: &[f32], beta: &[f32], out: &mut [f32]);

    /// As [`layer_norm`], in place.
    ///
    /// # Panics
    /// As [`layer_norm`].
    fn norm::layer_norm_in_place(x: &mut [f32], gamma: &[f32], beta: &[f32]);

    /// `softmax(scale * row)` in place. What attention must not reach lies outside of the slice given.
    fn norm::softmax_row(row: &mut [f32], scale: f32);

    /// Symmetric int8 quantization `x ≈ q * scale` of a row, `scale` being its largest magnitude over 127, rounded to
    /// nearest, ties to even. Returns the scale, zero for a row of zeros.
    ///
    /// # Panics
    /// When the lengths differ.
    fn norm::quantize_row(x: &[f32], q: &mut [i8]) -> f32;

    /// `Σ a[i] * b[i]`.
    ///
    /// # Panics
    /// When the lengths differ.
    fn linear::dot(a: &[f32], b: &[f32]) -> f32;

    /// `y += alpha * x`.
    ///
    /// # Panics
    /// When the lengths differ.
    fn linear::axpy(alpha: f32, x: &[f32], y: &mut [f32]);

    /// `out[r] = x · rows[r * stride..][..x.len()]`: one query against keys that lie `stride` apart.
    ///
    /// # Panics
    /// When `rows` is too short for `out.len()` rows.
    fn linear::dot_rows(x: &[f32], rows: &[f32], stride: usize, out: &mut [f32]);

    /// `out = Σ weights[r] * rows[r * stride..][..out.len()]`: attention weights times values that lie `stride` apart.
    ///
    /// # Panics
    /// When `rows` is too short for `weights.len()` rows.
    fn linear::sum_rows(weights: &[f32], rows: &[f32], stride: usize, out: &mut [f32]);

    /// Depthwise convolution over time: `out[t] = bias + Σ weight[j] * x[t + j]`, channel by channel, for `x` of shape
    /// `[taps - 1 + frames, channels]`, `weight` `[taps, channels]`, `bias` `[channels]` and `out` `[frames, channels]`.
    /// It is causal when `x` starts with the `taps - 1` frames before the first output frame.
    ///
    /// # Panics
    /// When the shapes do not fit.
    fn conv::depthwise_conv(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]);

    /// One output row of a depthwise 3x3 convolution with stride 2: `rows` are three consecutive input rows in time, each
    /// `[bins, channels]`; `left` zero bins stand before them, zeros behind. `weight` is `[3 in time, 3 in frequency,
    /// channels]`, `bias` `[channels]` and `out` `[output bins, channels]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    fn conv::depthwise_conv_2d(
        rows: [&[f32]; 3], left: usize, weight: &[f32], bias: &[f32], out: &mut [f32]
    );

    /// As [`depthwise_conv_2d`], from one input channel to `bias.len()` output channels: `rows` are `[bins]` each.
    ///
    /// # Panics
    /// When the shapes do not fit.
    fn conv::first_conv_2d(
        rows: [&[f32]; 3], left: usize, weight: &[f32], bias: &[f32], out: &mut [f32]
    );
}

/// Logarithms of the probabilities that the scores `x` stand for, in `out`. Returns the logarithm of the sum of their
/// exponentials, which is no finite number where the scores make no probabilities.
///
/// # Panics
/// When the lengths differ.
pub fn log_softmax(x: &[f32], out: &mut [f32]) -> f32 {
    let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    out.copy_from_slice(x);
    out.iter_mut().for_each(|score| *score -= most);
    exp(out);
    let normalizer = most + out.iter().sum::<f32>().ln();
    out.iter_mut().zip(x).for_each(|(logarithm, score)| *logarithm = score - normalizer);
    normalizer
}

#[cfg(test)]
mod tests;
