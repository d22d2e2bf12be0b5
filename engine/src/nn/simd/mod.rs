//! Vectors of `f32` behind one trait, so that each operation is written once.
//!
//! A value of a type that implements [`Simd`] proves that the machine has its instructions: it can only be made by a
//! constructor that asks the machine. That is why the methods are safe to call.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::Neon;
pub(crate) use scalar::Scalar;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// The widest vector, in `f32` lanes.
pub(crate) const MAX_LANES: usize = 16;

/// Arithmetic on vectors of [`Simd::LANES`] values.
///
/// Every method is inlined into the caller, which enables the instruction set for the whole operation; see `dispatch!`
/// in [`super::ops`].
pub(crate) trait Simd: Copy {
    /// Values of a vector, at most [`MAX_LANES`] and a power of two.
    const LANES: usize;
    /// A vector.
    type F: Copy;

    /// [`Simd::LANES`]
    #[inline(always)]
    fn lanes(self) -> usize {
        Self::LANES
    }
    /// All lanes the same.
    fn splat(self, x: f32) -> Self::F;
    /// The first lanes of `x`. Panics when `x` is shorter than a vector.
    fn load(self, x: &[f32]) -> Self::F;
    /// `x`, shorter than a vector, followed by zeros.
    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> Self::F {
        let mut lanes = [0.0; MAX_LANES];
        lanes[..x.len()].copy_from_slice(x);
        self.load(&lanes)
    }
    /// Writes the lanes to the start of `out`. Panics when `out` is shorter than a vector.
    fn store(self, v: Self::F, out: &mut [f32]);
    /// Fills `out`, shorter than a vector, with the first lanes.
    #[inline(always)]
    fn store_partial(self, v: Self::F, out: &mut [f32]) {
        let mut lanes = [0.0; MAX_LANES];
        self.store(v, &mut lanes);
        out.copy_from_slice(&lanes[..out.len()]);
    }
    /// The first lanes of `x`, converted. Panics when `x` is shorter than a vector.
    fn load_i32(self, x: &[i32]) -> Self::F;
    /// Rounds to nearest, ties to even, and writes the lanes as `i8`. Every lane must be in -128..=127.
    fn store_i8(self, v: Self::F, out: &mut [i8]);

    /// `a + b`
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a - b`
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b`
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, fused where the instruction set has it.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The greater of each pair; `b` where `a` is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The lesser of each pair; `b` where `a` is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// Magnitudes.
    fn abs(self, v: Self::F) -> Self::F;
    /// The nearest integers, ties to even.
    fn round(self, v: Self::F) -> Self::F;
    /// `2^n` for integers `n` in -126..=127.
    fn exp2_integer(self, n: Self::F) -> Self::F;
    /// The sum of the lanes.
    fn sum(self, v: Self::F) -> f32;
    /// The greatest lane.
    fn max_lane(self, v: Self::F) -> f32;
}

/// Replaces each value of the slice `$x` by an expression of it, a vector `$v` at a time.
///
/// This and the other loops are macros because a closure is a function of its own: one that the compiler chose not to
/// inline would be compiled without the instruction set.
macro_rules! map_in_place {
    ($s:ident, $x:expr, |$v:ident| $value:expr) => {{
        let mut chunks = $x.chunks_exact_mut($s.lanes());
        for chunk in &mut chunks {
            let $v = $s.load(chunk);
            $s.store($value, chunk);
        }
        let tail = chunks.into_remainder();
        if !tail.is_empty() {
            let $v = $s.load_partial(tail);
            $s.store_partial($value, tail);
        }
    }};
}

/// Replaces each value of the slice `$y` by an expression of it and of the value of `$x`, a slice of the same length.
macro_rules! zip_in_place {
    ($s:ident, $x:expr, $y:expr, |$v:ident, $w:ident| $value:expr) => {{
        let (mut xs, mut ys) = ($x.chunks_exact($s.lanes()), $y.chunks_exact_mut($s.lanes()));
        for (x, y) in (&mut xs).zip(&mut ys) {
            let ($v, $w) = ($s.load(x), $s.load(y));
            $s.store($value, y);
        }
        let (x, y) = (xs.remainder(), ys.into_remainder());
        if !x.is_empty() {
            let ($v, $w) = ($s.load_partial(x), $s.load_partial(y));
            $s.store_partial($value, y);
        }
    }};
}

pub(crate) use {map_in_place, zip_in_place};
