//! Vectors of Advanced SIMD (4 lanes).

use super::Simd;
use crate::nn::Isa;
use std::arch::aarch64::*;

/// Proof that the machine has Advanced SIMD.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// The proof, if it holds.
    pub(crate) fn new() -> Option<Self> {
        Isa::Neon.is_available().then_some(Self(()))
    }
}

/// Methods that are one expression of intrinsics without access to memory.
macro_rules! arithmetic {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty { $($body:tt)* })*) => {
        $(
            #[inline(always)]
            fn $name(self, $($arg: $ty),*) -> $out {
                // SAFETY: `self` proves that the machine has Advanced SIMD.
                unsafe { $($body)* }
            }
        )*
    };
}

impl Simd for Neon {
    const LANES: usize = 4;
    type F = float32x4_t;

    #[inline(always)]
    fn load(self, x: &[f32]) -> float32x4_t {
        let x = &x[..Self::LANES];
        // SAFETY: `self` proves that the machine has Advanced SIMD; `x` has 4 values.
        unsafe { vld1q_f32(x.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: float32x4_t, out: &mut [f32]) {
        let out = &mut out[..Self::LANES];
        // SAFETY: `self` proves that the machine has Advanced SIMD; `out` has 4 values.
        unsafe { vst1q_f32(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> float32x4_t {
        let x = &x[..Self::LANES];
        // SAFETY: `self` proves that the machine has Advanced SIMD; `x` has 4 values.
        unsafe { vcvtq_f32_s32(vld1q_s32(x.as_ptr())) }
    }

    #[inline(always)]
    fn store_i8(self, v: float32x4_t, out: &mut [i8]) {
        // SAFETY: `self` proves that the machine has Advanced SIMD.
        let bytes = unsafe {
            let v = vqmovn_s32(vcvtnq_s32_f32(v));
            let v = vqmovn_s16(vcombine_s16(v, v));
            vget_lane_u32::<0>(vreinterpret_u32_s8(v))
        };
        out[..Self::LANES].copy_from_slice(&bytes.to_ne_bytes().map(|byte| byte as i8));
    }

    arithmetic! {
        fn splat(x: f32) -> float32x4_t { vdupq_n_f32(x) }
        fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t { vaddq_f32(a, b) }
        fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t { vsubq_f32(a, b) }
        fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t { vmulq_f32(a, b) }
        fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t { vdivq_f32(a, b) }
        fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t { vfmaq_f32(c, a, b) }
        fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t { vmaxnmq_f32(a, b) }
        fn min(a: float32x4_t, b: float32x4_t) -> float32x4_t { vminnmq_f32(a, b) }
        fn abs(v: float32x4_t) -> float32x4_t { vabsq_f32(v) }
        fn round(v: float32x4_t) -> float32x4_t { vrndnq_f32(v) }
        fn exp2_integer(n: float32x4_t) -> float32x4_t {
            let biased = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
        }
        fn sum(v: float32x4_t) -> f32 { vaddvq_f32(v) }
        fn max_lane(v: float32x4_t) -> f32 { vmaxnmvq_f32(v) }
    }
}
