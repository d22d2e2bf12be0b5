//! Vectors of AVX2 with FMA (8 lanes) and AVX-512 (16 lanes).

use super::Simd;
use crate::nn::Isa;
use std::arch::x86_64::*;

/// Proof that the machine has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Proof that the machine has what [`Isa::Avx512Vnni`] stands for.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    /// The proof, if it holds.
    pub(crate) fn new() -> Option<Self> {
        Isa::Avx2.is_available().then_some(Self(()))
    }
}

impl Avx512 {
    /// The proof, if it holds.
    pub(crate) fn new() -> Option<Self> {
        Isa::Avx512Vnni.is_available().then_some(Self(()))
    }
}

/// Methods that are one expression of intrinsics without access to memory.
macro_rules! arithmetic {
    ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty { $($body:tt)* })*) => {
        $(
            #[inline(always)]
            $(#[$attribute])*
            fn $name(self, $($arg: $ty),*) -> $out {
                // SAFETY: `self` proves that the machine has the instructions.
                unsafe { $($body)* }
            }
        )*
    };
}

/// All bits set in the first 8 elements: eight of them from `8 - n` on are a mask of `n` lanes.
static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Simd for Avx2 {
    const LANES: usize = 8;
    type F = __m256;

    #[inline(always)]
    fn load(self, x: &[f32]) -> __m256 {
        let x = &x[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX2; `x` has 8 values, and the load needs no alignment.
        unsafe { _mm256_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> __m256 {
        let mask = &MASK[Self::LANES - x.len()..][..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX2; the mask has 8 elements, the first `x.len()` of them set, and
        // lanes that are not set are not read.
        unsafe { _mm256_maskload_ps(x.as_ptr(), _mm256_loadu_si256(mask.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, v: __m256, out: &mut [f32]) {
        let out = &mut out[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX2; `out` has 8 values, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> __m256 {
        let x = &x[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX2; `x` has 8 values, and the load needs no alignment.
        unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(x.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store_i8(self, v: __m256, out: &mut [i8]) {
        let out = &mut out[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX2; `out` has 8 bytes, and the store needs no alignment.
        unsafe {
            let v = _mm256_cvtps_epi32(v);
            let v = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            _mm_storel_epi64(out.as_mut_ptr().cast(), _mm_packs_epi16(v, v));
        }
    }

    arithmetic! {
        fn splat(x: f32) -> __m256 { _mm256_set1_ps(x) }
        fn add(a: __m256, b: __m256) -> __m256 { _mm256_add_ps(a, b) }
        fn sub(a: __m256, b: __m256) -> __m256 { _mm256_sub_ps(a, b) }
        fn mul(a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        fn div(a: __m256, b: __m256) -> __m256 { _mm256_div_ps(a, b) }
        fn fma(a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        fn max(a: __m256, b: __m256) -> __m256 { _mm256_max_ps(a, b) }
        fn min(a: __m256, b: __m256) -> __m256 { _mm256_min_ps(a, b) }
        fn abs(v: __m256) -> __m256 { _mm256_andnot_ps(_mm256_set1_ps(-0.0), v) }
        fn round(v: __m256) -> __m256 { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v) }
        fn exp2_integer(n: __m256) -> __m256 {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
        }
        fn sum(v: __m256) -> f32 {
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
        }
        fn max_lane(v: __m256) -> f32 {
            let v = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_max_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)))
        }
    }
}

/// A mask of the first `n` of 16 lanes.
fn first_lanes(n: usize) -> u16 {
    ((1_u32 << n.min(16)) - 1) as u16
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    type F = __m512;

    #[inline(always)]
    fn load(self, x: &[f32]) -> __m512 {
        let x = &x[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX-512 F; `x` has 16 values, and the load needs no alignment.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> __m512 {
        // SAFETY: `self` proves that the machine has AVX-512 F; lanes outside of the mask, which has no more lanes than
        // `x` has values, are not read.
        unsafe { _mm512_maskz_loadu_ps(first_lanes(x.len()), x.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m512, out: &mut [f32]) {
        let out = &mut out[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX-512 F; `out` has 16 values, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: __m512, out: &mut [f32]) {
        // SAFETY: `self` proves that the machine has AVX-512 F; lanes outside of the mask, which has no more lanes than
        // `out` has values, are not written.
        unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), first_lanes(out.len()), v) }
    }

    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> __m512 {
        let x = &x[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX-512 F; `x` has 16 values, and the load needs no alignment.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(x.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store_i8(self, v: __m512, out: &mut [i8]) {
        let out = &mut out[..Self::LANES];
        // SAFETY: `self` proves that the machine has AVX-512 F; `out` has 16 bytes, and the store needs no alignment.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(v))) }
    }

    arithmetic! {
        fn splat(x: f32) -> __m512 { _mm512_set1_ps(x) }
        fn add(a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        fn sub(a: __m512, b: __m512) -> __m512 { _mm512_sub_ps(a, b) }
        fn mul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        fn div(a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        fn fma(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn max(a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        fn min(a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        fn abs(v: __m512) -> __m512 { _mm512_abs_ps(v) }
        fn round(v: __m512) -> __m512 { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v) }
        fn exp2_integer(n: __m512) -> __m512 {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
        fn sum(v: __m512) -> f32 { _mm512_reduce_add_ps(v) }
        fn max_lane(v: __m512) -> f32 { _mm512_reduce_max_ps(v) }
    }
}
