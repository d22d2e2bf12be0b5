//! Portable vectors of one value.

use super::Simd;

/// Plain `f32`, for machines without an instruction set of their own here, and as the reference in tests.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Simd for Scalar {
    const LANES: usize = 1;
    type F = f32;

    #[inline(always)]
    fn splat(self, x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn load(self, x: &[f32]) -> f32 {
        x[0]
    }

    #[inline(always)]
    fn store(self, v: f32, out: &mut [f32]) {
        out[0] = v;
    }

    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> f32 {
        x[0] as f32
    }

    #[inline(always)]
    fn store_i8(self, v: f32, out: &mut [i8]) {
        out[0] = v.round_ties_even() as i8;
    }

    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }

    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }

    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }

    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }

    // Not `mul_add`: without the instruction it is a slow library call.
    #[inline(always)]
    fn fma(self, a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }

    #[inline(always)]
    fn max(self, a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }

    #[inline(always)]
    fn min(self, a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }

    #[inline(always)]
    fn abs(self, v: f32) -> f32 {
        v.abs()
    }

    #[inline(always)]
    fn round(self, v: f32) -> f32 {
        v.round_ties_even()
    }

    #[inline(always)]
    fn exp2_integer(self, n: f32) -> f32 {
        f32::from_bits(((n as i32 + 127) as u32) << 23)
    }

    #[inline(always)]
    fn sum(self, v: f32) -> f32 {
        v
    }

    #[inline(always)]
    fn max_lane(self, v: f32) -> f32 {
        v
    }
}
