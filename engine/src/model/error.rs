//! What can go wrong while a model is read.

use std::path::PathBuf;

use super::bounds::ConfigError;
use super::weights::WeightError;

/// Why a model file, a checkpoint or a `.nemo` archive cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file ends too early.
    #[error("the file is truncated: {found} of {needed} bytes; copy or download it again")]
    Truncated {
        /// Bytes the file has.
        found: u64,
        /// Bytes it must have at least.
        needed: u64,
    },
    /// The file is something else.
    #[error("this is no Linnet model: {reason}; pass a .linnet file, a checkpoint or a .nemo archive")]
    NotAModel {
        /// What gave it away.
        reason: String,
    },
    /// The file is a checkpoint where a packed model is needed.
    #[error("this is a checkpoint with plain weights, not a packed model; open it with `open_any`, or pack it first")]
    IsCheckpoint,
    /// The file is a packed model where a checkpoint is needed.
    #[error("this is a packed model; the reference needs plain weights: pass the checkpoint or the .nemo archive")]
    IsPacked,
    /// The header contradicts itself or the specification.
    #[error("the header of the file is malformed: {reason}; write the file again")]
    BadHeader {
        /// What is wrong.
        reason: String,
    },
    /// The data are not those that were written.
    #[error(
        "the checksum of the data is {found:08x}, not {expected:08x}: the file is damaged; copy or download it again"
    )]
    Checksum {
        /// CRC-32 in the header.
        expected: u32,
        /// CRC-32 of the data.
        found: u32,
    },
    /// The file was written for a newer version of the engine.
    #[error("the file has format version {found}, this engine reads up to {supported}; update the engine")]
    NewerFormat {
        /// Version of the file.
        found: u32,
        /// Newest version that can be read.
        supported: u32,
    },
    /// The configuration describes no model that can be run.
    #[error(transparent)]
    BadConfig(#[from] ConfigError),
    /// The token table is unusable.
    #[error("the token table is unusable: {reason}; export the model again")]
    BadTokens {
        /// What is wrong.
        reason: String,
    },
    /// A tensor that the configuration calls for is absent.
    #[error("tensor `{name}` {expected:?} is missing; the file does not fit its configuration, export the model again")]
    MissingTensor {
        /// Name of the tensor.
        name: String,
        /// Shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the configuration calls for.
    #[error("tensor `{name}` has shape {found:?}, not {expected:?}; the file does not fit its configuration")]
    WrongShape {
        /// Name of the tensor.
        name: String,
        /// Shape it should have.
        expected: Vec<usize>,
        /// Shape it has.
        found: Vec<usize>,
    },
    /// A tensor is stored in another type.
    #[error("tensor `{name}` is stored as {found}, not {expected}; export the model again")]
    WrongType {
        /// Name of the tensor.
        name: String,
        /// Types that can be read.
        expected: &'static str,
        /// Type in the file.
        found: String,
    },
    /// A tensor has values that no model has.
    #[error("tensor `{name}` is unusable: {reason}")]
    BadTensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The weights make no model.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The model needs something that the engine does not have.
    #[error("cannot run this model: `{field}` is {value}, {needed}")]
    Unsupported {
        /// Field of the configuration.
        field: String,
        /// Its value.
        value: String,
        /// What the engine runs.
        needed: String,
    },
    /// A part of an archive cannot be read.
    #[error("cannot read {part} of the archive: {reason}")]
    BadArchive {
        /// The part.
        part: String,
        /// What is wrong.
        reason: String,
    },
    /// The engine was built without the conversion of checkpoints.
    #[error(
        "this is {what}; this build opens packed models only: pack it first, or build with the feature `reference`"
    )]
    NeedsReference {
        /// What the file is.
        what: &'static str,
    },
}
