//! int8 kernels and fused operations.
//!
//! Weights are quantized and packed once ([`Dense`], held in memory that may be a mapped file: [`Shared`]). Activations
//! are quantized once per input ([`Rows`]) and multiplied by every layer that takes them ([`gemm`]), which also applies
//! bias, non-linearity and residual. What is not a product of matrices is in [`ops`].
//!
//! Each kernel exists for several instruction sets ([`Isa`]); the machine is asked which it has when the first one
//! runs. All give the same integer sums, and `f32` results that differ by rounding.
//!
//! ```
//! use linnet::nn::{Dense, Epilogue, Isa, Rows, gemm};
//!
//! let layer = Dense::quantize(&[1.0, 2.0, 3.0, 4.0], Some(&[0.5, -0.5]), 2, 2);
//! let mut rows = Rows::with_capacity(1, 2);
//! rows.quantize(&[1.0, 1.0], 1, 2);
//! let mut out = [0.0; 2];
//! gemm(Isa::detect(), &rows, &layer, &mut out, Epilogue::Store);
//! assert!((out[0] - 3.5).abs() < 0.02 && (out[1] - 6.5).abs() < 0.04);
//! ```

mod dense;
mod gemm;
mod isa;
pub mod ops;
mod rows;
mod shared;
mod simd;

pub use dense::{Dense, DenseError};
pub use gemm::{Epilogue, gemm};
pub use isa::Isa;
pub use rows::Rows;
pub use shared::{Bytes, Shared, SharedError};
