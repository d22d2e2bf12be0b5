//! The packed model file: what ships. Opening one is a map and a check; the weights are used where they lie, and
//! processes that open the same file share its pages. The format is in `models/FORMAT.md`.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::nn::{Bytes, Dense, Shared};

use super::config::ModelConfig;
use super::container::{ALIGNMENT, Header, TensorInfo};
use super::description;
pub use super::error::ModelFileError;
use super::layout::{self, Entry};
use super::ngrams::Ngrams;
use super::tokens::Tokens;
use super::weights::WeightSource;

/// Value of `format` in the metadata of a model file.
pub(super) const FORMAT: &str = "linnet";
/// The newest version of the format that this engine reads, and the one that it writes.
pub const FORMAT_VERSION: u32 = 1;
/// Value of `format` in the metadata of a checkpoint.
pub(super) const CHECKPOINT_FORMAT: &str = "linnet-checkpoint";

/// Output channels of a panel of packed weights.
pub(super) const PANEL: usize = 16;
/// Consecutive inputs of one output channel in a panel.
pub(super) const GROUP: usize = 4;

#[cfg(target_endian = "big")]
compile_error!("model files hold little-endian numbers that are used where they lie; big-endian hosts cannot run them");

/// An open model: configuration, token table and weights. Clones share the memory.
#[derive(Clone)]
pub struct ModelFile {
    bytes: Bytes,
    header: Arc<Header>,
    config: Arc<ModelConfig>,
    tokens: Arc<Tokens>,
    /// Outputs and inputs of the dense layers; their packed shapes are rounded up.
    dense: Arc<HashMap<String, [usize; 2]>>,
    ngrams: Option<Arc<Ngrams>>,
    parameters: u64,
}

impl ModelFile {
    /// Maps a model file into memory and checks it: header, configuration, every tensor's place, type and shape, and
    /// the checksum of the data.
    ///
    /// The file must not be changed or shortened while it is open, by any process: weights would change under the
    /// engine, or the process be killed on the first access behind the new end. Replace a model by renaming a new
    /// file over it.
    ///
    /// # Errors
    /// [`ModelFileError`] when the file cannot be read, or is truncated, damaged, foreign or newer than this engine.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelFileError> {
        Self::from_mapping(Arc::new(map(path.as_ref())?))
    }

    /// Takes a model from memory. The bytes are copied once, to an aligned place.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ModelFileError> {
        Self::from_mapping(Arc::new(Aligned(bytes.as_ref().into())))
    }

    /// Takes a model that is part of the program (`include_bytes!`). Nothing is copied when the bytes start at a
    /// multiple of 64; wrap them in a `#[repr(align(64))]` struct to ensure that. Others are copied once.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_static(bytes: &'static [u8]) -> Result<Self, ModelFileError> {
        if bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            Self::from_mapping(Arc::new(bytes))
        } else {
            Self::from_bytes(bytes)
        }
    }

    pub(super) fn from_mapping(bytes: Bytes) -> Result<Self, ModelFileError> {
        let all = (*bytes).as_ref();
        let header = Header::parse(all)?;
        check_format(&header)?;
        let (config, tokens) = description::read(&header)?;
        let entries = layout::entries(&config);
        let mut dense = HashMap::new();
        let mut parameters = 0;
        for entry in &entries {
            check_entry(&header, entry)?;
            if let Entry::Dense(layer) = entry {
                dense.insert(layer.name.clone(), [layer.n, layer.k]);
            }
            parameters += layout::sources(entry).iter().map(|source| count(&source.shape)).sum::<u64>();
        }
        check_data(&header, all)?;
        let ngrams = config.language_model.as_ref();
        let ngrams =
            ngrams.map(|ngrams| Ngrams::map(&header, &bytes, ngrams, config.vocab_size)).transpose()?.map(Arc::new);
        Ok(Self {
            bytes,
            header: header.into(),
            config: config.into(),
            tokens: tokens.into(),
            dense: dense.into(),
            ngrams,
            parameters,
        })
    }

    /// Shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its token table.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Number of weights of the checkpoint that was packed, biases included.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// Its n-gram model, where it lies in the file.
    pub fn ngrams(&self) -> Option<&Arc<Ngrams>> {
        self.ngrams.as_ref()
    }

    /// Size of the file.
    pub fn size_bytes(&self) -> usize {
        (*self.bytes).as_ref().len()
    }

    /// The packed dense layer `name`, where it lies in the file.
    ///
    /// # Errors
    /// [`ModelFileError::MissingTensor`] when the model has no such layer.
    pub fn dense(&self, name: &str) -> Result<Dense, ModelFileError> {
        let Some(&[n, k]) = self.dense.get(name) else {
            return Err(ModelFileError::MissingTensor { name: name.into(), expected: Vec::new() });
        };
        let malformed = |reason: String| ModelFileError::BadTensor { name: name.into(), reason };
        let weight = self.view(&format!("{name}.weight"), "I8")?;
        let scale = self.view(&format!("{name}.scale"), "F32")?;
        let sum = self.view(&format!("{name}.sum"), "I32")?;
        let bias = self.view(&format!("{name}.bias"), "F32")?;
        Dense::from_parts(n, k, weight, scale, sum, bias).map_err(|error| malformed(error.to_string()))
    }

    /// The f32 tensor `name`, where it lies in the file, flat in row-major order.
    ///
    /// # Errors
    /// [`ModelFileError::MissingTensor`] or [`ModelFileError::WrongType`] when the model has no such tensor.
    pub fn tensor(&self, name: &str) -> Result<Shared<f32>, ModelFileError> {
        self.view(name, "F32")
    }

    fn view<T: bytemuck::Pod>(&self, name: &str, dtype: &'static str) -> Result<Shared<T>, ModelFileError> {
        let info = self.header.tensors.get(name);
        let info = info.ok_or_else(|| ModelFileError::MissingTensor { name: name.into(), expected: Vec::new() })?;
        check_type(name, info, dtype)?;
        Shared::map(self.bytes.clone(), self.header.range(info))
            .map_err(|error| ModelFileError::BadTensor { name: name.into(), reason: error.to_string() })
    }
}

impl WeightSource for ModelFile {
    type Error = ModelFileError;

    fn dense(&self, name: &str) -> Result<Dense, ModelFileError> {
        Self::dense(self, name)
    }

    fn tensor(&self, name: &str) -> Result<Shared<f32>, ModelFileError> {
        Self::tensor(self, name)
    }
}

impl std::fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelFile")
            .field("name", &self.config.name)
            .field("parameters", &self.parameters)
            .field("size_bytes", &self.size_bytes())
            .finish_non_exhaustive()
    }
}

/// Bytes at a multiple of 64.
pub(super) struct Aligned(pub(super) Shared<u8>);

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Maps a file for reading.
pub(super) fn map(path: &Path) -> Result<Mmap, ModelFileError> {
    let failed = |source| ModelFileError::Io { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    // SAFETY: nothing here writes to the file, and `ModelFile::open` and `open_any` require of their callers that
    // nobody else changes it while it is mapped.
    unsafe { Mmap::map(&file) }.map_err(failed)
}

/// Shape of the packed weights of a dense layer.
pub(super) fn packed_shape(n: usize, k: usize) -> [usize; 4] {
    [n.div_ceil(PANEL), k.div_ceil(GROUP), PANEL, GROUP]
}

fn count(shape: &[usize]) -> u64 {
    shape.iter().map(|&dim| dim as u64).product()
}

fn check_format(header: &Header) -> Result<(), ModelFileError> {
    match header.metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(CHECKPOINT_FORMAT) => return Err(ModelFileError::IsCheckpoint),
        other => {
            let reason = match other {
                Some(format) => format!("it is a safetensors file with the format `{format}`"),
                None => "it is a safetensors file without a format".into(),
            };
            return Err(ModelFileError::NotAModel { reason });
        }
    }
    let version = header.metadata("format_version")?;
    match version.parse() {
        Ok(FORMAT_VERSION) => Ok(()),
        Ok(found) if found > FORMAT_VERSION => Err(ModelFileError::NewerFormat { found, supported: FORMAT_VERSION }),
        _ => Err(ModelFileError::BadHeader { reason: format!("`format_version` is `{version}`") }),
    }
}

/// Checks the checksum of the data and that they start at a cache line.
fn check_data(header: &Header, all: &[u8]) -> Result<(), ModelFileError> {
    if !header.data_start.is_multiple_of(ALIGNMENT) {
        let reason = format!("the data start at {}, no multiple of {ALIGNMENT}", header.data_start);
        return Err(ModelFileError::BadHeader { reason });
    }
    let stored = header.metadata("crc32")?;
    let expected = u32::from_str_radix(stored, 16)
        .map_err(|_| ModelFileError::BadHeader { reason: format!("`crc32` is `{stored}`") })?;
    let found = crc32fast::hash(&all[header.data_start..]);
    if found == expected { Ok(()) } else { Err(ModelFileError::Checksum { expected, found }) }
}

fn check_entry(header: &Header, entry: &Entry) -> Result<(), ModelFileError> {
    match entry {
        Entry::Plain(source) => check_tensor(header, &source.name, "F32", &source.shape),
        Entry::InputTable(table) => check_tensor(header, &table.name, "F32", &table.shape),
        Entry::Dense(layer) => {
            let packed = packed_shape(layer.n, layer.k);
            let channels = [packed[0] * PANEL];
            for (part, dtype, shape) in [
                ("weight", "I8", &packed[..]),
                ("scale", "F32", &channels),
                ("sum", "I32", &channels),
                ("bias", "F32", &channels),
            ] {
                check_tensor(header, &format!("{}.{part}", layer.name), dtype, shape)?;
            }
            Ok(())
        }
    }
}

fn check_tensor(header: &Header, name: &str, dtype: &'static str, shape: &[usize]) -> Result<(), ModelFileError> {
    let Some(info) = header.tensors.get(name) else {
        return Err(ModelFileError::MissingTensor { name: name.into(), expected: shape.into() });
    };
    check_type(name, info, dtype)?;
    if info.shape != shape {
        let (expected, found) = (shape.into(), info.shape.clone());
        return Err(ModelFileError::WrongShape { name: name.into(), expected, found });
    }
    let alignment = if dtype == "I8" { ALIGNMENT } else { 4 };
    if !info.data_offsets[0].is_multiple_of(alignment) {
        let reason = format!("it starts at {}, no multiple of {alignment}", info.data_offsets[0]);
        return Err(ModelFileError::BadTensor { name: name.into(), reason });
    }
    Ok(())
}

fn check_type(name: &str, info: &TensorInfo, dtype: &'static str) -> Result<(), ModelFileError> {
    if info.dtype == dtype {
        return Ok(());
    }
    Err(ModelFileError::WrongType { name: name.into(), expected: dtype, found: info.dtype.clone() })
}

#[cfg(all(test, feature = "reference"))]
#[path = "file_tests.rs"]
mod tests;
