//! Quantized activations.

use super::{
    Isa,
    dense::GROUP,
    ops::{self, layer_norm},
};

/// A matrix of activations `[m, k]` quantized to int8 by row, shared by all products that take the same input.
///
/// The buffers are reused: once they have held the largest matrix, quantizing allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    m: usize,
    k: usize,
    /// `[m, k]` rounded up to whole groups of inputs; padding is zero.
    signed: Vec<i8>,
    /// `signed + 128`, for instructions that multiply unsigned by signed bytes.
    unsigned: Vec<u8>,
    scale: Vec<f32>,
    /// A normalized row on its way to being quantized.
    scratch: Vec<f32>,
}

impl Rows {
    /// Room for matrices of up to `max_m` rows of up to `max_k` values.
    pub fn with_capacity(max_m: usize, max_k: usize) -> Self {
        let bytes = max_m * max_k.next_multiple_of(GROUP);
        Self {
            m: 0,
            k: 0,
            signed: Vec::with_capacity(bytes),
            unsigned: Vec::with_capacity(bytes),
            scale: Vec::with_capacity(max_m),
            scratch: Vec::with_capacity(max_k),
        }
    }

    /// Number of rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Values of a row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The scale of each row, `[m]`: `x ≈ q * scale`.
    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// The quantized values of a row, in -127..=127.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[i8] {
        &self.signed[row * self.stride()..][..self.k]
    }

    /// Quantizes `x` (`[m, k]`, row major): symmetric, the scale of a row being its largest magnitude over 127, rounded
    /// to nearest, ties to even. A row of zeros has scale zero.
    ///
    /// # Panics
    /// When `x` does not have `m * k` values.
    pub fn quantize(&mut self, x: &[f32], m: usize, k: usize) {
        self.quantize_with(Isa::detect(), x, m, k);
    }

    /// As [`Rows::quantize`] on a given instruction set.
    pub(crate) fn quantize_with(&mut self, isa: Isa, x: &[f32], m: usize, k: usize) {
        assert_eq!(x.len(), m * k, "activations of [{m}, {k}]");
        self.resize(m, k);
        for row in 0..m {
            self.quantize_row(isa, row, &x[row * k..][..k]);
        }
    }

    /// Normalizes each row of `x` (`[m, gamma.len()]`) as [`layer_norm`] does, and quantizes the result.
    ///
    /// # Panics
    /// When `x` is not `m` rows or `beta` has another length than `gamma`.
    pub fn quantize_norm(&mut self, x: &[f32], gamma: &[f32], beta: &[f32], m: usize) {
        let (isa, k) = (Isa::detect(), gamma.len());
        assert_eq!(x.len(), m * k, "activations of [{m}, {k}]");
        self.resize(m, k);
        let mut normalized = std::mem::take(&mut self.scratch);
        normalized.resize(k, 0.0);
        for row in 0..m {
            layer_norm(&x[row * k..][..k], gamma, beta, &mut normalized);
            self.quantize_row(isa, row, &normalized);
        }
        self.scratch = normalized;
    }

    /// Bytes between the starts of rows.
    pub(super) fn stride(&self) -> usize {
        self.k.next_multiple_of(GROUP)
    }

    /// All rows as groups of inputs, `[m, ceil(k / 4)]`.
    pub(super) fn signed_groups(&self) -> &[[u8; GROUP]] {
        bytemuck::cast_slice(&self.signed)
    }

    /// All rows, 128 added to each value, as groups of inputs.
    pub(super) fn unsigned_groups(&self) -> &[[u8; GROUP]] {
        bytemuck::cast_slice(&self.unsigned)
    }

    fn resize(&mut self, m: usize, k: usize) {
        (self.m, self.k) = (m, k);
        let bytes = m * self.stride();
        self.signed.resize(bytes, 0);
        self.unsigned.resize(bytes, 0);
        self.scale.resize(m, 0.0);
    }

    fn quantize_row(&mut self, isa: Isa, row: usize, x: &[f32]) {
        let (stride, k) = (self.stride(), self.k);
        let signed = &mut self.signed[row * stride..][..stride];
        self.scale[row] = ops::on::quantize_row(isa, x, &mut signed[..k]);
        signed[k..].fill(0);
        for (unsigned, signed) in self.unsigned[row * stride..][..stride].iter_mut().zip(signed) {
            *unsigned = *signed as u8 ^ 0x80;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quantized(isa: Isa, x: &[f32], m: usize, k: usize) -> Rows {
        let mut rows = Rows::default();
        rows.quantize_with(isa, x, m, k);
        rows
    }

    #[test]
    fn rounds_ties_to_even_and_keeps_the_extremes() {
        for isa in Isa::available() {
            let rows = quantized(isa, &[127.0, -127.0, 0.5, 1.5, 2.5, -2.5, 63.49], 1, 7);
            assert_eq!(rows.row(0), [127, -127, 0, 2, 2, -2, 63], "{isa}");
            assert_eq!(rows.scale(), [1.0], "{isa}");
            assert_eq!(rows.signed[7], 0, "{isa}");
            assert_eq!(rows.unsigned[..3], [255, 1, 128], "{isa}");
        }
    }

    #[test]
    fn zero_and_tiny_rows_have_scale_zero() {
        for isa in Isa::available() {
            let rows = quantized(isa, &[0.0, 0.0, 1e-39, -1e-31, 3.0, 0.0], 3, 2);
            assert_eq!(rows.scale(), [0.0, 0.0, 3.0 / 127.0], "{isa}");
            assert_eq!((rows.row(0), rows.row(1), rows.row(2)), (&[0, 0][..], &[0, 0][..], &[127, 0][..]), "{isa}");
        }
    }

    #[test]
    fn values_that_are_not_finite_stay_in_range() {
        for isa in Isa::available() {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
                let x: Vec<f32> = (0..37).map(|i| if i % 5 == 0 { bad } else { i as f32 }).collect();
                let rows = quantized(isa, &x, 1, 37);
                assert!(rows.row(0).iter().all(|q| (-127..=127).contains(q)), "{isa} {bad}");
            }
        }
    }

    #[test]
    fn smaller_matrices_reuse_the_buffer() {
        let mut rows = Rows::with_capacity(4, 9);
        rows.quantize(&[1.0; 36], 4, 9);
        let buffer = rows.signed.as_ptr();
        rows.quantize(&[-1.0; 6], 2, 3);
        assert_eq!((rows.m(), rows.k(), rows.row(1)), (2, 3, &[-127; 3][..]));
        rows.quantize_norm(&[1.0, 2.0, 3.0], &[1.0; 3], &[0.0; 3], 1);
        assert_eq!(rows.row(0), [-127, 0, 127]);
        assert_eq!(rows.signed.as_ptr(), buffer);
        rows.quantize(&[], 0, 5);
        assert_eq!(rows.m(), 0);
    }

    proptest! {
        #[test]
        fn every_instruction_set_quantizes_alike(x in prop::collection::vec(-100.0_f32..100.0, 1..80)) {
            let expected = quantized(Isa::Scalar, &x, 1, x.len());
            for (q, x) in expected.row(0).iter().zip(&x) {
                prop_assert!((f32::from(*q) * expected.scale()[0] - x).abs() <= expected.scale()[0] * 0.5001);
            }
            for isa in Isa::available() {
                let rows = quantized(isa, &x, 1, x.len());
                prop_assert_eq!(rows.row(0), expected.row(0), "{}", isa);
                prop_assert_eq!(rows.scale(), expected.scale(), "{}", isa);
                prop_assert_eq!(&rows.unsigned, &expected.unsigned, "{}", isa);
            }
        }
    }
}
