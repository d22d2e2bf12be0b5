//! Kernels of 64-bit ARM.

use super::{Kernel, Place, Product, Sums, Tail, TileSums, finish, tile};
use crate::nn::{
    Isa,
    dense::{GROUP, PANEL_ROW},
    simd,
};
use std::{
    arch::{aarch64::*, asm},
    mem::transmute,
};

/// Four channels in each quarter.
type Acc = [int32x4_t; 4];
type Weights = [int8x16_t; 4];

/// Methods that both kernels share, and the tile compiled for `$features`.
macro_rules! kernel {
    ($features:literal) => {
        type Acc = Acc;
        type Weights = Weights;
        type Group = int8x16_t;
        const UNSIGNED: bool = false;

        #[inline(always)]
        fn start(self, sums: Sums) -> Acc {
            // SAFETY: both are 64 bytes of integers.
            unsafe { transmute(sums) }
        }

        #[inline(always)]
        fn weights(self, row: &[i8; PANEL_ROW]) -> Weights {
            // SAFETY: both are 64 bytes of integers.
            unsafe { transmute(*row) }
        }

        #[inline(always)]
        fn group(self, group: [u8; GROUP]) -> int8x16_t {
            // SAFETY: `self` proves that the machine has Advanced SIMD.
            unsafe { vreinterpretq_s8_u32(vdupq_n_u32(u32::from_ne_bytes(group))) }
        }

        #[inline(always)]
        fn sums(self, acc: Acc) -> Sums {
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
            fn compiled(s: simd::Neon, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
                finish(s, sums, tail, out);
            }
            // SAFETY: `self` proves that the machine has the features.
            unsafe { compiled(self.0, sums, tail, out) }
        }
    };
}

/// Products widened to 16 bits, added in pairs, then to the 32-bit sums. A pair is at most 2 * 128 * 127 = 32,512.
#[derive(Clone, Copy)]
pub(super) struct Neon(simd::Neon);

impl Neon {
    pub(super) fn new() -> Option<Self> {
        simd::Neon::new().map(Self)
    }
}

impl Kernel for Neon {
    kernel!("neon");

    const ROWS: usize = 4;

    #[inline(always)]
    fn dot(self, mut acc: Acc, weights: Weights, group: int8x16_t) -> Acc {
        for (acc, w) in acc.iter_mut().zip(weights) {
            // SAFETY: `self` proves that the machine has Advanced SIMD.
            unsafe {
                let low = vmull_s8(vget_low_s8(w), vget_low_s8(group));
                let high = vmull_high_s8(w, group);
                *acc = vpadalq_s16(*acc, vpaddq_s16(low, high));
            }
        }
        acc
    }
}

/// `sdot`: four products per channel in one instruction.
#[derive(Clone, Copy)]
pub(super) struct NeonDotprod(simd::Neon);

impl NeonDotprod {
    pub(super) fn new() -> Option<Self> {
        simd::Neon::new().filter(|_| Isa::NeonDotprod.is_available()).map(Self)
    }
}

impl Kernel for NeonDotprod {
    kernel!("neon,dotprod");

    const ROWS: usize = 6;

    #[inline(always)]
    fn dot(self, mut acc: Acc, weights: Weights, group: int8x16_t) -> Acc {
        for (acc, w) in acc.iter_mut().zip(weights) {
            // SAFETY: `self` proves that the machine has the dot product.
            *acc = unsafe { sdot(*acc, w, group) };
        }
        acc
    }
}

/// Adds the product of the four bytes in each 32-bit lane. The intrinsic is not stable in Rust.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(mut acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function's features include the instruction, which touches nothing but the three registers.
    unsafe {
        asm!(
            "sdot {acc:v}.4s, {a:v}.16b, {b:v}.16b",
            acc = inout(vreg) acc,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}
