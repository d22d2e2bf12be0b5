//! The portable kernel, and the definition of what the others compute.

use super::{Kernel, Place, Product, Sums, Tail, TileSums, finish, tile};
use crate::nn::{
    dense::{GROUP, PANEL, PANEL_ROW},
    simd,
};

#[derive(Clone, Copy)]
pub(super) struct Scalar;

impl Kernel for Scalar {
    type Acc = Sums;
    type Weights = [i8; PANEL_ROW];
    type Group = [i32; GROUP];
    const ROWS: usize = 1;
    const UNSIGNED: bool = false;

    fn start(self, sums: Sums) -> Sums {
        sums
    }

    fn weights(self, row: &[i8; PANEL_ROW]) -> [i8; PANEL_ROW] {
        *row
    }

    fn group(self, group: [u8; GROUP]) -> [i32; GROUP] {
        group.map(|x| i32::from(x as i8))
    }

    fn dot(self, mut acc: Sums, weights: [i8; PANEL_ROW], group: [i32; GROUP]) -> Sums {
        for channel in 0..PANEL {
            for input in 0..GROUP {
                acc[channel] += i32::from(weights[channel * GROUP + input]) * group[input];
            }
        }
        acc
    }

    fn sums(self, acc: Sums) -> Sums {
        acc
    }

    fn tile<const M: usize, const P: usize>(self, product: &Product<'_>, at: Place, sums: &mut TileSums) {
        tile::<Self, M, P>(self, product, at, sums);
    }

    fn finish(self, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]) {
        finish(simd::Scalar, sums, tail, out);
    }
}
