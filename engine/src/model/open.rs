//! Opens a model in whatever form it comes, told by its content and not by its name.

use std::path::Path;
use std::sync::Arc;

use super::container::{self, Header};
use super::error::ModelFileError;
use super::file::{self, ModelFile};
#[cfg(feature = "reference")]
use super::{checkpoint::Checkpoint, nemo, pack::pack};

/// Opens a packed model file, a checkpoint, or a `.nemo` archive. The latter two need the feature `reference`, are
/// packed in memory, and take the time and the memory of that.
///
/// The file must not be changed while a packed model is open: see [`ModelFile::open`].
///
/// # Errors
/// [`ModelFileError`] when the file cannot be read or holds no model that can be run.
pub fn open_any(path: impl AsRef<Path>) -> Result<ModelFile, ModelFileError> {
    let path = path.as_ref();
    let mapping = file::map(path)?;
    if container::is_container(&mapping) {
        let header = Header::parse(&mapping)?;
        if header.metadata.get("format").is_some_and(|format| format == file::CHECKPOINT_FORMAT) {
            return pack_checkpoint(&mapping);
        }
        return ModelFile::from_mapping(Arc::new(mapping));
    }
    if is_archive(&mapping) {
        return pack_nemo(&mapping, path);
    }
    // Neither: let the reader of model files say what is wrong.
    ModelFile::from_mapping(Arc::new(mapping))
}

/// Opens the plain weights of a checkpoint or of a `.nemo` archive.
///
/// # Errors
/// [`ModelFileError::IsPacked`] for a packed model, which has no plain weights any more; others as [`open_any`].
#[cfg(feature = "reference")]
pub fn open_checkpoint(path: impl AsRef<Path>) -> Result<Checkpoint, ModelFileError> {
    let path = path.as_ref();
    let mapping = file::map(path)?;
    if is_archive(&mapping) { nemo::read(&mapping, &model_name(path)) } else { Checkpoint::from_bytes(&mapping) }
}

/// The name of a model whose file does not name it.
#[cfg(feature = "reference")]
fn model_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "nemo".into(), |stem| stem.to_string_lossy().into_owned())
}

/// Whether a file starts like a tar archive, gzipped or not.
fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1F, 0x8B]) || bytes.get(257..262) == Some(b"ustar")
}

#[cfg(feature = "reference")]
fn pack_checkpoint(bytes: &[u8]) -> Result<ModelFile, ModelFileError> {
    ModelFile::from_bytes(pack(&Checkpoint::from_bytes(bytes)?)?)
}

#[cfg(feature = "reference")]
fn pack_nemo(bytes: &[u8], path: &Path) -> Result<ModelFile, ModelFileError> {
    ModelFile::from_bytes(pack(&nemo::read(bytes, &model_name(path))?)?)
}

#[cfg(not(feature = "reference"))]
fn pack_checkpoint(_: &[u8]) -> Result<ModelFile, ModelFileError> {
    Err(ModelFileError::NeedsReference { what: "a checkpoint" })
}

#[cfg(not(feature = "reference"))]
fn pack_nemo(_: &[u8], _: &Path) -> Result<ModelFile, ModelFileError> {
    Err(ModelFileError::NeedsReference { what: "a .nemo archive" })
}
