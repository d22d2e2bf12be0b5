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
};
use epilogue::{Tail, finish};

/// Panels that a single row is multiplied with at a time.
const SINGLE_ROW_PANELS: usize = 4;

/// The largest number of rows of a tile.
const MAX_ROWS: usize = 8;

/// The largest number of panels of a tile.
const MAX_PANELS: usize = SINGLE_ROW_PANELS;

/// `i32` sums of a panel's output channels.
type Sums = [i32; PANEL];

/// Room for the sums of a tile. All tiles have one row, or no more than two panels.
type TileSums = [Sums; 2 * MAX_ROWS];

/// The part of the product that depends on the instruction set. As with [`Simd`], a value proves that the machine has
/// the instructions.
pub(crate) trait Kernel: Copy {
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

    fn start(self, sums: Sums) -> Self::Acc;
    fn weights(self, row: &[i8; PANEL_ROW]) -> Self::Weights;
    fn group(self, group: [u8; GROUP]) -> Self::Group;
    /// Adds the product of each output channel's four weights with the four activations.
    fn dot(self, acc: Self::Acc, weights: Self::Weights, group: Self::Group) -> Self::Acc;
    fn sums(self, acc: Self::Acc) -> Sums;
    /// [`tile`], compiled for the instruction set.
    fn tile<const M: usize, const P: usize>(self, product: &Product<'_>, at: Place, sums: &mut TileSums);
    /// [`finish`], compiled for the instruction set.
    fn finish(self, sums: &[Sums], tail: Tail<'_>, out: &mut [f32]);
}

/// Operands of a product.
pub(crate) struct Product<'a> {
    /// Activations, `[m, groups]`.
    x: &'a [[u8; GROUP]],
    row_scale: &'a [f32],
    /// Panels, `[panels, groups]`.
    weight: &'a [[i8; PANEL_ROW]],
    groups: usize,
    channel_scale: &'a [[f32; PANEL]],
    channel_sum: &'a [[i32; PANEL]],
    bias: &'a [[f32; PANEL]],
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
        weight: w.weight.as_chunks().0,
        groups,
        channel_scale: w.scale.as_chunks().0,
        channel_sum: w.sum.as_chunks().0,
        bias: w.bias.as_chunks().0,
        n,
        epilogue,
    };
    assert_eq!(w.weight.len(), panels * groups * PANEL_ROW, "packed weight of a [{n}, {}] layer", w.k);
    for part in [w.scale.len(), w.sum.len(), w.bias.len()] {
        assert_eq!(part, panels * PANEL, "channels of a [{n}, {}] layer", w.k);
    }
    let (sums, mut panel) = (&mut [[0; PANEL]; 2 * MAX_ROWS], 0);
    if m == 1 {
        while panel + SINGLE_ROW_PANELS <= panels {
            run_tile::<_, 1, SINGLE_ROW_PANELS>(kernel, &product, Place { row: 0, panel }, sums, out);
            panel += SINGLE_ROW_PANELS;
        }
    } else {
        while panel + P <= panels {
            multiply_rows::<_, P>(kernel, &product, m, panel, sums, out);
            panel += P;
        }
    }
    for panel in panel..panels {
        multiply_rows::<_, 1>(kernel, &product, m, panel, sums, out);
    }
}

/// Multiplies all rows with the `P` panels from `panel` on, which stay in the first-level cache meanwhile. Rows are dealt
/// evenly to as few tiles as possible.
fn multiply_rows<K: Kernel, const P: usize>(
    kernel: K,
    product: &Product<'_>,
    m: usize,
    panel: usize,
    sums: &mut TileSums,
    out: &mut [f32],
) {
    let mut row = 0;
    for left in (1..=m.div_ceil(K::ROWS)).rev() {
        let rows = (m - row).div_ceil(left);
        let at = Place { row, panel };
        match rows {
            1 => run_tile::<_, 1, P>(kernel, product, at, sums, out),
            2 => run_tile::<_, 2, P>(kernel, product, at, sums, out),
            3 => run_tile::<_, 3, P>(kernel, product, at, sums, out),
            4 => run_tile::<_, 4, P>(kernel, product, at, sums, out),
            5 => run_tile::<_, 5, P>(kernel, product, at, sums, out),
            6 => run_tile::<_, 6, P>(kernel, product, at, sums, out),
            7 => run_tile::<_, 7, P>(kernel, product, at, sums, out),
            _ => run_tile::<_, MAX_ROWS, P>(kernel, product, at, sums, out),
        }
        row += rows;
    }
}

/// Multiplies `M` rows with `P` panels and writes their outputs.
#[inline(always)]
fn run_tile<K: Kernel, const M: usize, const P: usize>(
    kernel: K,
    product: &Product<'_>,
    at: Place,
    sums: &mut TileSums,
    out: &mut [f32],
) {
    kernel.tile::<M, P>(product, at, sums);
    for p in 0..P {
        let panel = at.panel + p;
        let first = panel * PANEL;
        let tail = Tail {
            row_scale: &product.row_scale[at.row..][..M],
            channel_scale: &product.channel_scale[panel],
            bias: &product.bias[panel],
            width: PANEL.min(product.n - first),
            stride: product.n,
            step: P,
            epilogue: product.epilogue,
        };
        kernel.finish(&sums[p..], tail, &mut out[at.row * product.n + first..]);
    }
}

/// Adds up the products of `M` rows with `P` panels, row by row, at the start of `sums`.
#[inline(always)]
fn tile<K: Kernel, const M: usize, const P: usize>(kernel: K, product: &Product<'_>, at: Place, sums: &mut TileSums) {
    const { assert!(K::ROWS <= MAX_ROWS && M <= MAX_ROWS && P <= MAX_PANELS) };
    if M > K::ROWS {
        return;
    }
    // Loops rather than `array::from_fn`, whose closure may not be inlined, and slices of one length, so that the bounds
    // are checked once.
    let groups = product.groups;
    let mut rows = [&product.x[..0]; M];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = &product.x[(at.row + r) * groups..][..groups];
    }
    let mut panels = [&product.weight[..0]; P];
    let mut acc = [[kernel.start([0; PANEL]); P]; M];
    for p in 0..P {
        let panel = at.panel + p;
        panels[p] = &product.weight[panel * groups..][..groups];
        if K::UNSIGNED {
            let start = kernel.start(product.channel_sum[panel].map(|sum| sum.wrapping_mul(-128)));
            for acc in &mut acc {
                acc[p] = start;
            }
        }
    }
    for group in 0..groups {
        let mut weights = [kernel.weights(&panels[0][group]); P];
        for p in 1..P {
            weights[p] = kernel.weights(&panels[p][group]);
        }
        for r in 0..M {
            let x = kernel.group(rows[r][group]);
            for p in 0..P {
                acc[r][p] = kernel.dot(acc[r][p], weights[p], x);
            }
        }
    }
    for r in 0..M {
        for p in 0..P {
            sums[r * P + p] = kernel.sums(acc[r][p]);
        }
    }
}

#[cfg(test)]
mod tests;
