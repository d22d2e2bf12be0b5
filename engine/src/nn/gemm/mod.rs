//! Products of quantized activations and packed int8 weights.
//!
//! One loop serves all instruction sets: it walks the panels of the weights, and for each panel the rows of the
//! activations in tiles of up to [`Kernel::ROWS`] rows, whose sums stay in registers while the inputs pass by in groups
//! of four. A single row is multiplied with [`SINGLE_ROW_PANELS`] panels at a time instead, since it reads each weight
//! once and is bound by memory. What differs is [`Kernel::dot`], the product of four activations with the 64 weights of a
//! panel row. Sums are exact in `i32` for up to 66,000 inputs.
//!
//! The epilogue turns the sums of a tile into `f32` while they are in the cache: scales of row and channel, bias,
//! non-linearity, residual.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod epilogue;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use epilogue::Epilogue;

use super::{
    Dense, Isa, Rows,
    dense::{GROUP, PANEL, PANEL_ROW},
    simd::Simd,
};
use epilogue::{Tail, finish};

/// Panels that a single row is multiplied with at a time.
const SINGLE_ROW_PANELS: usize = 4;

/// The largest number of rows of a tile.
const MAX_ROWS: usize = 8;

/// `i32` sums of a panel's output channels.
type Sums = [i32; PANEL];

/// The part of the product that depends on the instruction set. As with [`Simd`], a value proves that the machine has
/// the instructions.
pub(crate) trait Kernel: Copy {
    /// Vectors of the epilogue.
    type Simd: Simd;
    /// Sixteen `i32` sums.
    type Acc: Copy;
    /// The 64 weights of a panel row, prepared for [`Kernel::dot`].
    type Weights: Copy;
    /// Four activations, copied to every output channel.
    type Group: Copy;
    /// Rows of a tile, at most [`MAX_ROWS`].
    const ROWS: usize;
    /// Whether the activations are `q + 128`, which the sums then start from `-128 * sum(weights)` for.
    const UNSIGNED: bool;

    fn simd(self) -> Self::Simd;
    fn start(self, sums: Sums) -> Self::Acc;
    fn weights(self, row: &[i8; PANEL_ROW]) -> Self::Weights;
    fn group(self, group: [u8; GROUP]) -> Self::Group;
    /// Adds the product of each output channel's four weights with the four activations.
    fn dot(self, acc: Self::Acc, weights: Self::Weights, group: Self::Group) -> Self::Acc;
    fn sums(self, acc: Self::Acc) -> Sums;
    /// [`tile`], compiled for the instruction set.
    fn tile<const M: usize, const P: usize>(self, product: &Product<'_>, at: Place, out: &mut [f32]);
}

/// Operands of a product.
pub(crate) struct Product<'a> {
    /// Activations, `[m, groups]`.
    x: &'a [[u8; GROUP]],
    row_scale: &'a [f32],
    /// Panels, `[panels, groups]`.
    weight: &'a [[i8; PANEL_ROW]],
    groups: usize,
    channel_scale: &'a [f32],
    channel_sum: &'a [i32],
    bias: &'a [f32],
    /// Output channels.
    n: usize,
    epilogue: Epilogue,
}

/// First row and panel of a tile.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    row: usize,
    panel: usize,
}

/// `out = epilogue(x Wᵀ + bias)`, `out` being `[x.m(), w.n]`, row major.
///
/// An instruction set that the machine lacks is replaced by [`Isa::Scalar`]. The sums are the same on every instruction
/// set, bit for bit; the `f32` results differ by rounding.
///
/// # Panics
/// When `x.k()` is not `w.k`, `out` does not have `x.m() * w.n` values, or the parts of `w` do not have the lengths that
/// [`Dense::from_parts`] asks for.
pub fn gemm(isa: Isa, x: &Rows, w: &Dense, out: &mut [f32], epilogue: Epilogue) {
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512Vnni => {
            if let Some(kernel) = x86::Avx512Vnni::new() {
                return multiply::<_, 2>(kernel, x, w, out, epilogue);
            }
        }
        Isa::AvxVnni => {
            if let Some(kernel) = x86::AvxVnni::new() {
                return multiply::<_, 1>(kernel, x, w, out, epilogue);
            }
        }
        Isa::Avx2 => {
            if let Some(kernel) = x86::Avx2::new() {
                return multiply::<_, 1>(kernel, x, w, out, epilogue);
            }
        }
        _ => {}
    }
    #[cfg(target_arch = "aarch64")]
    match isa {
        Isa::NeonDotprod => {
            if let Some(kernel) = aarch64::NeonDotprod::new() {
                return multiply::<_, 1>(kernel, x, w, out, epilogue);
            }
        }
        Isa::Neon => {
            if let Some(kernel) = aarch64::Neon::new() {
                return multiply::<_, 1>(kernel, x, w, out, epilogue);
            }
        }
        _ => {}
    }
    let _ = isa;
    multiply::<_, 1>(scalar::Scalar, x, w, out, epilogue);
}

/// Multiplies with `P` panels at a time.
fn multiply<K: Kernel, const P: usize>(kernel: K, x: &Rows, w: &Dense, out: &mut [f32], epilogue: Epilogue) {
    let (m, n, groups) = (x.m(), w.n, w.k.div_ceil(GROUP));
    let panels = n.div_ceil(PANEL);
    assert_eq!(x.k(), w.k, "inputs of a [{n}, {}] layer", w.k);
    assert_eq!(out.len(), m * n, "outputs of a [{n}, {}] layer for {m} rows", w.k);
    let product = Product {
        x: if K::UNSIGNED { x.unsigned_groups() } else { x.signed_groups() },
        row_scale: x.scale(),
        weight: bytemuck::cast_slice(&w.weight),
        groups,
        channel_scale: &w.scale,
        channel_sum: &w.sum,
        bias: &w.bias,
        n,
        epilogue,
    };
    assert_eq!(product.weight.len(), panels * groups, "packed weight of a [{n}, {}] layer", w.k);
    for part in [product.channel_scale.len(), product.channel_sum.len(), product.bias.len()] {
        assert_eq!(part, panels * PANEL, "channels of a [{n}, {}] layer", w.k);
    }
    if m == 1 {
        return multiply_row(kernel, &product, panels, out);
    }
    // Panel by panel, so that a panel stays in the first-level cache for all rows.
    let mut panel = 0;
    while panel + P <= panels {
        multiply_rows::<_, P>(kernel, &product, m, panel, out);
        panel += P;
    }
    for panel in panel..panels {
        multiply_rows::<_, 1>(kernel, &product, m, panel, out);
    }
}

fn multiply_row<K: Kernel>(kernel: K, product: &Product<'_>, panels: usize, out: &mut [f32]) {
    let mut panel = 0;
    while panel + SINGLE_ROW_PANELS <= panels {
        kernel.tile::<1, SINGLE_ROW_PANELS>(product, Place { row: 0, panel }, out);
        panel += SINGLE_ROW_PANELS;
    }
    for panel in panel..panels {
        kernel.tile::<1, 1>(product, Place { row: 0, panel }, out);
    }
}

/// Multiplies all rows with the `P` panels from `panel` on. Rows are dealt evenly to as few tiles as possible.
fn multiply_rows<K: Kernel, const P: usize>(kernel: K, product: &Product<'_>, m: usize, panel: usize, out: &mut [f32]) {
    let mut row = 0;
    for left in (1..=m.div_ceil(K::ROWS)).rev() {
        let rows = (m - row).div_ceil(left);
        let at = Place { row, panel };
        match rows {
            1 => kernel.tile::<1, P>(product, at, out),
            2 => kernel.tile::<2, P>(product, at, out),
            3 => kernel.tile::<3, P>(product, at, out),
            4 => kernel.tile::<4, P>(product, at, out),
            5 => kernel.tile::<5, P>(product, at, out),
            6 => kernel.tile::<6, P>(product, at, out),
            7 => kernel.tile::<7, P>(product, at, out),
            _ => kernel.tile::<MAX_ROWS, P>(product, at, out),
        }
        row += rows;
    }
}

/// Multiplies `M` rows with `P` panels and writes their outputs.
#[inline(always)]
fn tile<K: Kernel, const M: usize, const P: usize>(kernel: K, product: &Product<'_>, at: Place, out: &mut [f32]) {
    const { assert!(K::ROWS <= MAX_ROWS) };
    if M > K::ROWS {
        return;
    }
    let groups = product.groups;
    let rows: [&[[u8; GROUP]]; M] = std::array::from_fn(|r| &product.x[(at.row + r) * groups..][..groups]);
    let panels: [&[[i8; PANEL_ROW]]; P] = std::array::from_fn(|p| &product.weight[(at.panel + p) * groups..][..groups]);
    let mut acc: [[K::Acc; P]; M] = [std::array::from_fn(|p| kernel.start(start::<K>(product, at.panel + p))); M];
    for group in 0..groups {
        let weights: [K::Weights; P] = std::array::from_fn(|p| kernel.weights(&panels[p][group]));
        for (row, acc) in rows.iter().zip(&mut acc) {
            let x = kernel.group(row[group]);
            for (acc, weights) in acc.iter_mut().zip(weights) {
                *acc = kernel.dot(*acc, weights, x);
            }
        }
    }
    let sums = acc.map(|row| row.map(|acc| kernel.sums(acc)));
    for (r, sums) in sums.iter().enumerate() {
        let row = at.row + r;
        for (p, sums) in sums.iter().enumerate() {
            let first = (at.panel + p) * PANEL;
            let width = PANEL.min(product.n - first);
            let tail = Tail {
                row_scale: product.row_scale[row],
                channel_scale: &product.channel_scale[first..][..PANEL],
                bias: &product.bias[first..][..PANEL],
                epilogue: product.epilogue,
            };
            finish(kernel.simd(), sums, tail, &mut out[row * product.n + first..][..width]);
        }
    }
}

/// What the sums of a panel start from.
#[inline(always)]
fn start<K: Kernel>(product: &Product<'_>, panel: usize) -> Sums {
    let mut start = [0; PANEL];
    if K::UNSIGNED {
        for (start, sum) in start.iter_mut().zip(&product.channel_sum[panel * PANEL..][..PANEL]) {
            *start = sum.wrapping_mul(-128);
        }
    }
    start
}

#[cfg(test)]
mod tests;
