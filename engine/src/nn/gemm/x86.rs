//! Kernels of x86-64.

use super::{Kernel, Place, Product, Sums, Tail, TileSums, finish, tile};
use crate::nn::{
    Isa,
    dense::{GROUP, PANEL_ROW},
    simd,
};
use std::{arch::x86_64::*, mem::transmute};

/// Eight channels in each half.
type Halves = [__m256i; 2];

/// Methods of kernels whose sums are two 256-bit registers, and the tile compiled for `$features`.
macro_rules! kernel_256 {
    ($features:literal) => {
        type Acc = Halves;
        type Group = __m256i;

        #[inline(always)]
        fn start(self, sums: Sums) -> Halves {
            // SAFETY: both are 64 bytes of integers.
            unsafe { transmute(sums) }
        }

        #[inline(always)]
        fn group(self, group: [u8; GROUP]) -> __m256i {
            // SAFETY: `self` proves that the machine has AVX2.
            unsafe { _mm256_set1_epi32(i32::from_ne_bytes(group)) }
        }

        #[inline(always)]
        fn sums(self, acc: Halves) -> Sums {
            // SAFETY: both are 64 bytes of integers.
            unsafe { transmute(acc) }
        }

        fn tile<const M: usize, const P: usize>(self, product: &Product<'_>, at: Place, sums: &mut TileSums) {
            #[target_feature(enable = $features)]
            fn compiled<const M: usize, const P: usize>(
                kernel: impl Kernel,
                product: &Product<'_>,
                at: Place,
                sums: &mut TileSums,
            ) {
                tile::<_, M, P>(kernel, product, at, sums);
            }
            // SAFETY: `self` proves that the machine has the features.
            unsafe { compiled::<M, P>(self, product, at, sums) }
        }

        fn finish(self, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
            #[target_feature(enable = $features)]
            fn compiled(s: simd::Avx2, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
                finish(s, sums, tail, out);
            }
            // SAFETY: `self` proves that the machine has the features.
            unsafe { compiled(self.0, sums, tail, out) }
        }
    };
}

/// `vpmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16 bits, saturating. It is given `|w|` and `x` with
/// the sign of `w`: a pair is then at most 2 * 128 * 127 = 32,512 and never saturates.
#[derive(Clone, Copy)]
pub(super) struct Avx2(simd::Avx2);

impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        simd::Avx2::new().map(Self)
    }
}

impl Kernel for Avx2 {
    kernel_256!("avx2,fma");

    /// Weights and their magnitudes.
    type Weights = [Halves; 2];
    const ROWS: usize = 4;
    const UNSIGNED: bool = false;

    #[inline(always)]
    fn weights(self, row: &[i8; PANEL_ROW]) -> [Halves; 2] {
        // SAFETY: both are 64 bytes of integers.
        let weights: Halves = unsafe { transmute(*row) };
        // SAFETY: `self` proves that the machine has AVX2.
        [weights, unsafe { [_mm256_abs_epi8(weights[0]), _mm256_abs_epi8(weights[1])] }]
    }

    #[inline(always)]
    fn dot(self, mut acc: Halves, [weights, magnitudes]: [Halves; 2], group: __m256i) -> Halves {
        for half in 0..2 {
            // SAFETY: `self` proves that the machine has AVX2.
            unsafe {
                let pairs = _mm256_maddubs_epi16(magnitudes[half], _mm256_sign_epi8(group, weights[half]));
                acc[half] = _mm256_add_epi32(acc[half], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            }
        }
        acc
    }
}

/// `vpdpbusd` on 256 bits.
#[derive(Clone, Copy)]
pub(super) struct AvxVnni(simd::Avx2);

impl AvxVnni {
    pub(super) fn new() -> Option<Self> {
        simd::Avx2::new().filter(|_| Isa::AvxVnni.is_available()).map(Self)
    }
}

impl Kernel for AvxVnni {
    kernel_256!("avx2,fma,avxvnni");

    type Weights = Halves;
    const ROWS: usize = 6;
    const UNSIGNED: bool = true;

    #[inline(always)]
    fn weights(self, row: &[i8; PANEL_ROW]) -> Halves {
        // SAFETY: both are 64 bytes of integers.
        unsafe { transmute(*row) }
    }

    #[inline(always)]
    fn dot(self, [low, high]: Halves, weights: Halves, group: __m256i) -> Halves {
        // SAFETY: `self` proves that the machine has AVX-VNNI.
        unsafe { [_mm256_dpbusd_avx_epi32(low, group, weights[0]), _mm256_dpbusd_avx_epi32(high, group, weights[1])] }
    }
}

/// `vpdpbusd` on 512 bits.
#[derive(Clone, Copy)]
pub(super) struct Avx512Vnni(simd::Avx512);

impl Avx512Vnni {
    pub(super) fn new() -> Option<Self> {
        simd::Avx512::new().map(Self)
    }
}

impl Kernel for Avx512Vnni {
    type Acc = __m512i;
    type Weights = __m512i;
    type Group = __m512i;
    const ROWS: usize = 8;
    const UNSIGNED: bool = true;

    #[inline(always)]
    fn start(self, sums: Sums) -> __m512i {
        // SAFETY: both are 64 bytes of integers.
        unsafe { transmute(sums) }
    }

    #[inline(always)]
    fn weights(self, row: &[i8; PANEL_ROW]) -> __m512i {
        // SAFETY: both are 64 bytes of integers.
        unsafe { transmute(*row) }
    }

    #[inline(always)]
    fn group(self, group: [u8; GROUP]) -> __m512i {
        // SAFETY: `self` proves that the machine has AVX-512 F.
        unsafe { _mm512_set1_epi32(i32::from_ne_bytes(group)) }
    }

    #[inline(always)]
    fn dot(self, acc: __m512i, weights: __m512i, group: __m512i) -> __m512i {
        // SAFETY: `self` proves that the machine has AVX512-VNNI.
        unsafe { _mm512_dpbusd_epi32(acc, group, weights) }
    }

    #[inline(always)]
    fn sums(self, acc: __m512i) -> Sums {
        // SAFETY: both are 64 bytes of integers.
        unsafe { transmute(acc) }
    }

    fn tile<const M: usize, const P: usize>(self, product: &Product<'_>, at: Place, sums: &mut TileSums) {
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
        fn compiled<const M: usize, const P: usize>(
            kernel: Avx512Vnni,
            product: &Product<'_>,
            at: Place,
            sums: &mut TileSums,
        ) {
            tile::<_, M, P>(kernel, product, at, sums);
        }
        // SAFETY: `self` proves that the machine has the features.
        unsafe { compiled::<M, P>(self, product, at, sums) }
    }

    fn finish(self, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
        fn compiled(s: simd::Avx512, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
            finish(s, sums, tail, out);
        }
        // SAFETY: `self` proves that the machine has the features.
        unsafe { compiled(self.0, sums, tail, out) }
    }
}

/// The VNNI kernels with their one instruction computed in AVX2, so that their loop, layout and correction are tested on
/// machines without it. `ROWS` is that of the kernel that it stands for.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(super) struct EmulatedVnni<const ROWS: usize>(simd::Avx2);

#[cfg(test)]
impl<const ROWS: usize> EmulatedVnni<ROWS> {
    pub(super) fn new() -> Option<Self> {
        simd::Avx2::new().map(Self)
    }
}

#[cfg(test)]
impl<const R: usize> Kernel for EmulatedVnni<R> {
    kernel_256!("avx2,fma");

    type Weights = Halves;
    const ROWS: usize = R;
    const UNSIGNED: bool = true;

    #[inline(always)]
    fn weights(self, row: &[i8; PANEL_ROW]) -> Halves {
        // SAFETY: both are 64 bytes of integers.
        unsafe { transmute(*row) }
    }

    /// Bytes 0 and 2, then 1 and 3 of each channel, widened to 16 bits, multiplied and added in 32.
    #[inline(always)]
    fn dot(self, mut acc: Halves, weights: Halves, group: __m256i) -> Halves {
        for (acc, w) in acc.iter_mut().zip(weights) {
            // SAFETY: `self` proves that the machine has AVX2.
            unsafe {
                let even = _mm256_madd_epi16(
                    _mm256_and_si256(group, _mm256_set1_epi16(0xff)),
                    _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w)),
                );
                let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(group), _mm256_srai_epi16::<8>(w));
                *acc = _mm256_add_epi32(*acc, _mm256_add_epi32(even, odd));
            }
        }
        acc
    }
}
