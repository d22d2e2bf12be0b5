//! Dense layers: int8 weights in the packed layout that every kernel reads.

use super::Shared;

/// Output channels of a panel.
pub const PANEL: usize = 16;
/// Consecutive inputs of one output channel that lie together.
pub const GROUP: usize = 4;
/// Bytes of a panel row: one group of inputs for each output channel of the panel.
pub const PANEL_ROW: usize = PANEL * GROUP;

/// A dense layer `y = W x + b` with symmetric int8 weights, one scale per output channel: `W ≈ q * scale`.
///
/// Weights are packed as `[ceil(n / 16), ceil(k / 4), 16, 4]`: a panel holds 16 output channels, a panel row 4
/// consecutive inputs of each of them, 64 bytes: one cache line, one AVX-512 register, two AVX2 or four NEON
/// registers. Padding is zero. Per-channel arrays are padded to whole panels.
#[derive(Clone, Debug)]
pub struct Dense {
    /// Output channels.
    pub n: usize,
    /// Inputs.
    pub k: usize,
    /// Packed weights in -127..=127, `[ceil(n / 16), ceil(k / 4), 16, 4]`.
    pub weight: Shared<i8>,
    /// Scale of each output channel, `[16 * ceil(n / 16)]`.
    pub scale: Shared<f32>,
    /// Sum of the int8 weights of each output channel, `[16 * ceil(n / 16)]`: kernels with unsigned activations
    /// `q + 128` subtract `128 * sum`.
    pub sum: Shared<i32>,
    /// Bias of each output channel, `[16 * ceil(n / 16)]`; zero where the layer has none.
    pub bias: Shared<f32>,
}

/// Why the parts of a dense layer do not fit together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenseError {
    /// A part has another length than the shape asks for.
    #[error("{part} has {found} elements where a [{n}, {k}] layer has {expected}")]
    Length {
        /// Name of the part.
        part: &'static str,
        /// Elements found.
        found: usize,
        /// Elements expected.
        expected: usize,
        /// Output channels.
        n: usize,
        /// Inputs.
        k: usize,
    },
    /// The product of the dimensions does not fit the address space.
    #[error("a layer of [{n}, {k}] is too large")]
    TooLarge {
        /// Output channels.
        n: usize,
        /// Inputs.
        k: usize,
    },
}

impl Dense {
    /// Length of the packed weights of an `[n, k]` layer; `None` when it overflows.
    pub fn packed_len(n: usize, k: usize) -> Option<usize> {
        n.div_ceil(PANEL).checked_mul(k.div_ceil(GROUP))?.checked_mul(PANEL_ROW)
    }

    /// Puts a layer together from packed parts.
    ///
    /// # Errors
    /// [`DenseError`] when a part does not have the length that `n` and `k` ask for.
    pub fn from_parts(
        n: usize,
        k: usize,
        weight: Shared<i8>,
        scale: Shared<f32>,
        sum: Shared<i32>,
        bias: Shared<f32>,
    ) -> Result<Self, DenseError> {
        let (Some(packed), Some(channels)) = (Self::packed_len(n, k), n.checked_next_multiple_of(PANEL)) else {
            return Err(DenseError::TooLarge { n, k });
        };
        for (part, found, expected) in [
            ("weight", weight.len(), packed),
            ("scale", scale.len(), channels),
            ("sum", sum.len(), channels),
            ("bias", bias.len(), channels),
        ] {
            if found != expected {
                return Err(DenseError::Length { part, found, expected, n, k });
            }
        }
        Ok(Self { n, k, weight, scale, sum, bias })
    }

    /// Quantizes and packs weights `[n, k]` (row major) with an optional bias `[n]`.
    ///
    /// The scale of a channel is its largest magnitude over 127; a channel of zeros has scale zero. Weights are
    /// rounded to nearest, ties to even.
    ///
    /// # Panics
    /// When `weight` does not have `n * k` elements or `bias` not `n`.
    pub fn quantize(weight: &[f32], bias: Option<&[f32]>, n: usize, k: usize) -> Self {
        assert_eq!(weight.len(), n * k, "weight of a [{n}, {k}] layer");
        assert!(bias.is_none_or(|bias| bias.len() == n), "bias of a [{n}, {k}] layer");
        let channels = n.div_ceil(PANEL) * PANEL;
        let groups = k.div_ceil(GROUP);
        let mut packed = vec![0_i8; channels * groups * GROUP];
        let (mut scales, mut sums, mut biases) = (vec![0.0; channels], vec![0; channels], vec![0.0; channels]);
        for channel in 0..n {
            let row = &weight[channel * k..][..k];
            let absmax = row.iter().fold(0.0_f32, |max, w| max.max(w.abs()));
            let inverse = if absmax > 0.0 { 127.0 / f64::from(absmax) } else { 0.0 };
            for (input, &w) in row.iter().enumerate() {
                let q = (f64::from(w) * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
                packed[packed_index(channel, input, groups)] = q;
                sums[channel] += i32::from(q);
            }
            scales[channel] = absmax / 127.0;
        }
        if let Some(bias) = bias {
            biases[..n].copy_from_slice(bias);
        }
        Self { n, k, weight: packed.into(), scale: scales.into(), sum: sums.into(), bias: biases.into() }
    }

    /// The weights `[n, k]` that the quantized layer stands for.
    pub fn dequantize(&self) -> Vec<f32> {
        let groups = self.k.div_ceil(GROUP);
        let (weight, scale) = (&*self.weight, &*self.scale);
        (0..self.n)
            .flat_map(|channel| {
                (0..self.k).map(move |input| f32::from(weight[packed_index(channel, input, groups)]) * scale[channel])
            })
            .collect()
    }
}

/// Where the weight of an input and output channel lies.
fn packed_index(channel: usize, input: usize, groups: usize) -> usize {
    let row = channel / PANEL * groups + input / GROUP;
    row * PANEL_ROW + channel % PANEL * GROUP + input % GROUP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_groups_of_inputs_by_channel() {
        // Channel c has weights c+1 at input c%5 and 127 at input 4, so that its scale is one.
        let (n, k) = (18, 5);
        let mut weight = vec![0.0; n * k];
        for channel in 0..n {
            weight[channel * k + channel % 4] = (channel + 1) as f32;
            weight[channel * k + 4] = 127.0;
        }
        let dense = Dense::quantize(&weight, None, n, k);
        assert_eq!(dense.weight.len(), 2 * 2 * 64);
        // Panel 0, row 0, channel 2 at input 2; panel 1, row 1, channel 17 at input 4.
        assert_eq!(dense.weight[2 * 4 + 2], 3);
        assert_eq!(dense.weight[(2 + 1) * 64 + 4], 127);
        assert_eq!(dense.sum[17], 18 + 127);
        assert_eq!(dense.sum[18..], [0; 14]);
        assert_eq!(dense.scale[..18], [1.0; 18]);
        assert_eq!(dense.dequantize(), weight);
    }

    #[test]
    fn rounds_to_nearest_and_leaves_zero_channels() {
        let dense = Dense::quantize(&[127.0, -63.5, 0.4, 0.0, 0.0, 0.0], Some(&[1.0, 2.0]), 2, 3);
        assert_eq!(dense.weight[..3], [127, -64, 0]);
        assert_eq!(dense.scale[1], 0.0);
        assert_eq!(dense.bias[..3], [1.0, 2.0, 0.0]);
        assert!(Dense::quantize(&[], None, 0, 7).weight.is_empty());
    }

    #[test]
    fn parts_of_another_length_are_named() {
        let d = Dense::quantize(&[1.0; 12], None, 3, 4);
        let whole = Dense::from_parts(3, 4, d.weight.clone(), d.scale.clone(), d.sum.clone(), d.bias.clone()).unwrap();
        assert_eq!(whole.dequantize(), d.dequantize());
        let error = Dense::from_parts(3, 5, d.weight.clone(), d.scale.clone(), d.sum.clone(), d.bias.clone());
        assert_eq!(error.unwrap_err().to_string(), "weight has 64 elements where a [3, 5] layer has 128");
        let error = Dense::from_parts(usize::MAX, usize::MAX, d.weight, d.scale, d.sum, d.bias);
        assert!(matches!(error, Err(DenseError::TooLarge { .. })));
    }
}
