//! Where the int8 model takes its weights from: lookups by name, so that it loads from a mapped model file and from a
//! checkpoint packed in memory alike.

use crate::nn::{Dense, Shared};

/// Packed weights by name. Names and packing are those of the model file.
pub trait WeightSource {
    /// What a lookup can fail with. It must be able to carry a [`WeightError`], found while building the model.
    type Error: From<WeightError>;

    /// The packed dense layer `name`.
    ///
    /// # Errors
    /// When there is none of that name or it is malformed.
    fn dense(&self, name: &str) -> Result<Dense, Self::Error>;

    /// The f32 tensor `name`, flat in row-major order.
    ///
    /// # Errors
    /// When there is none of that name or it is not f32.
    fn tensor(&self, name: &str) -> Result<Shared<f32>, Self::Error>;
}

/// Weights or a configuration that make no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// A weight that the configuration asks for is absent.
    #[error("the weights have no `{name}`; convert the checkpoint again")]
    Missing {
        /// Name of the weight.
        name: String,
    },
    /// A weight does not have the size that the configuration asks for.
    #[error(
        "`{name}` is {found}, the configuration asks for {expected}; the weights and the configuration are of different models"
    )]
    Size {
        /// Name of the weight.
        name: String,
        /// Size by the configuration.
        expected: String,
        /// Size in the weights.
        found: String,
    },
    /// The configuration describes no model that can be built.
    #[error("configuration: {0}")]
    Config(String),
}

/// The dense layer `name`, checked to have `n` outputs and `k` inputs.
pub(crate) fn dense<W: WeightSource>(source: &W, name: &str, n: usize, k: usize) -> Result<Dense, W::Error> {
    let layer = source.dense(name)?;
    if (layer.n, layer.k) == (n, k) {
        return Ok(layer);
    }
    Err(WeightError::Size {
        name: name.into(),
        expected: format!("{n} x {k}"),
        found: format!("{} x {}", layer.n, layer.k),
    }
    .into())
}

/// The tensor `name`, checked to have `len` values.
pub(crate) fn tensor<W: WeightSource>(source: &W, name: &str, len: usize) -> Result<Shared<f32>, W::Error> {
    let values = source.tensor(name)?;
    if values.len() == len {
        return Ok(values);
    }
    let size = |n: usize| format!("{n} values");
    Err(WeightError::Size { name: name.into(), expected: size(len), found: size(values.len()) }.into())
}
