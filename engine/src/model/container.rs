//! The safetensors container (<https://github.com/huggingface/safetensors>): an eight-byte length, a JSON header, the
//! data of the tensors.
//!
//! Read here rather than with the `safetensors` crate because a model file must be told apart from a truncated, a
//! foreign and a newer one before its tensors are looked at, and written here because the packed layout needs tensors
//! in an order of its own.

#[cfg(feature = "reference")]
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
#[cfg(feature = "reference")]
use serde::Serialize;

use super::error::ModelFileError;

/// Largest header accepted; that of a 1.1 B parameter model has 300 kB.
const MAX_HEADER_BYTES: u64 = 16 << 20;
/// The data start at a multiple of this in files written here.
pub(super) const ALIGNMENT: usize = 64;

/// Entry of the header for one tensor.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "reference", derive(Serialize))]
pub(super) struct TensorInfo {
    pub dtype: String,
    pub shape: Vec<usize>,
    /// Offsets of the data from the start of the data section.
    pub data_offsets: [usize; 2],
}

/// The header of a container, checked against the length of the file.
#[derive(Debug)]
pub(super) struct Header {
    pub metadata: HashMap<String, String>,
    pub tensors: HashMap<String, TensorInfo>,
    /// Where the data section starts in the file.
    pub data_start: usize,
}

#[derive(Deserialize)]
struct RawHeader {
    #[serde(default, rename = "__metadata__")]
    metadata: HashMap<String, String>,
    #[serde(flatten)]
    tensors: HashMap<String, TensorInfo>,
}

/// Whether a file that starts with these bytes can be a container.
pub(super) fn is_container(bytes: &[u8]) -> bool {
    header_length(bytes).is_some() && bytes.get(8) == Some(&b'{')
}

fn header_length(bytes: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    (2..=MAX_HEADER_BYTES).contains(&length).then_some(length)
}

impl Header {
    /// Reads the header of a file. Every tensor lies within the file, and its length is that of its shape when the
    /// type is one of those used here.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelFileError> {
        let found = bytes.len() as u64;
        if bytes.len() < 9 {
            return Err(ModelFileError::Truncated { found, needed: 9 });
        }
        let Some(length) = header_length(bytes).filter(|_| is_container(bytes)) else {
            return Err(ModelFileError::NotAModel { reason: "it does not start with a safetensors header".into() });
        };
        let data_start = 8 + length as usize;
        let header = bytes.get(8..data_start).ok_or(ModelFileError::Truncated { found, needed: data_start as u64 })?;
        let raw: RawHeader =
            serde_json::from_slice(header).map_err(|error| ModelFileError::BadHeader { reason: error.to_string() })?;
        let header = Self { metadata: raw.metadata, tensors: raw.tensors, data_start };
        header.check_extents(bytes.len())?;
        Ok(header)
    }

    /// A value of the metadata.
    pub fn metadata(&self, key: &str) -> Result<&str, ModelFileError> {
        let value = self.metadata.get(key);
        value
            .map(String::as_str)
            .ok_or_else(|| ModelFileError::BadHeader { reason: format!("the metadata have no `{key}`") })
    }

    /// Where the data of a tensor lie in the file.
    pub fn range(&self, info: &TensorInfo) -> Range<usize> {
        // `check_extents` has ensured that the sums stay within the file.
        self.data_start + info.data_offsets[0]..self.data_start + info.data_offsets[1]
    }

    fn check_extents(&self, file_bytes: usize) -> Result<(), ModelFileError> {
        let data_bytes = file_bytes - self.data_start;
        let end = self.tensors.values().map(|info| info.data_offsets[1]).max().unwrap_or(0);
        if end > data_bytes {
            let needed = (self.data_start as u64).saturating_add(end as u64);
            return Err(ModelFileError::Truncated { found: file_bytes as u64, needed });
        }
        for (name, info) in &self.tensors {
            let [start, end] = info.data_offsets;
            let bytes = end.checked_sub(start);
            let expected = match element_bytes(&info.dtype) {
                Some(size) => info.shape.iter().try_fold(size, |bytes, &dim| bytes.checked_mul(dim)),
                None => bytes,
            };
            if bytes.is_none() || bytes != expected {
                let reason = format!("tensor `{name}` of shape {:?} lies at {start}..{end}", info.shape);
                return Err(ModelFileError::BadHeader { reason });
            }
        }
        self.check_cover(data_bytes)
    }

    /// The tensors cover the data section without holes and overlaps.
    fn check_cover(&self, data_bytes: usize) -> Result<(), ModelFileError> {
        let mut extents: Vec<[usize; 2]> = self.tensors.values().map(|info| info.data_offsets).collect();
        extents.sort_unstable();
        let covered = extents.iter().try_fold(0, |covered, &[start, end]| (start == covered).then_some(end));
        if covered == Some(data_bytes) {
            return Ok(());
        }
        Err(ModelFileError::BadHeader { reason: "the tensors overlap, or leave a part of the data to none".into() })
    }
}

fn element_bytes(dtype: &str) -> Option<usize> {
    match dtype {
        "I8" | "U8" => Some(1),
        "F16" | "BF16" | "U16" => Some(2),
        "F32" | "I32" => Some(4),
        _ => None,
    }
}

/// A tensor to be written.
#[cfg(feature = "reference")]
pub(super) struct OutTensor<'a> {
    pub name: String,
    pub dtype: &'static str,
    pub shape: Vec<usize>,
    pub data: &'a [u8],
}

/// Writes a container with the tensors in the order given. The same input gives the same bytes.
#[cfg(feature = "reference")]
pub(super) fn write(metadata: &BTreeMap<&str, String>, tensors: &[OutTensor<'_>]) -> Result<Vec<u8>, ModelFileError> {
    let malformed = |error: serde_json::Error| ModelFileError::BadHeader { reason: error.to_string() };
    let mut header = String::from("{\"__metadata__\":");
    header += &serde_json::to_string(metadata).map_err(malformed)?;
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.data.len();
        let info = TensorInfo { dtype: tensor.dtype.into(), shape: tensor.shape.clone(), data_offsets: [offset, end] };
        header += ",";
        header += &serde_json::to_string(&tensor.name).map_err(malformed)?;
        header += ":";
        header += &serde_json::to_string(&info).map_err(malformed)?;
        offset = end;
    }
    header += "}";
    while !(8 + header.len()).is_multiple_of(ALIGNMENT) {
        header.push(' ');
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + offset);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    for tensor in tensors {
        bytes.extend_from_slice(tensor.data);
    }
    Ok(bytes)
}

#[cfg(all(test, feature = "reference"))]
mod tests {
    use super::*;

    fn container(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn written_containers_are_read_back_and_by_the_reference_crate() {
        let metadata = BTreeMap::from([("format", "linnet".to_string()), ("a \"key\"", "▁".to_string())]);
        let tensors = [
            OutTensor { name: "b".into(), dtype: "I8", shape: vec![3], data: &[1, 2, 3] },
            OutTensor { name: "a".into(), dtype: "I32", shape: vec![1, 2], data: &[0, 0, 0, 1, 2, 0, 0, 0] },
        ];
        let bytes = write(&metadata, &tensors).unwrap();
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.data_start % ALIGNMENT, 0);
        assert_eq!(header.metadata("a \"key\"").unwrap(), "▁");
        assert!(header.metadata("other").unwrap_err().to_string().contains("`other`"));
        assert_eq!(bytes[header.range(&header.tensors["b"])], [1, 2, 3]);

        let reference = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = reference.tensor("a").unwrap();
        assert_eq!((tensor.shape(), tensor.data()), (&[1, 2][..], tensors[1].data));
    }

    #[test]
    fn foreign_and_truncated_files_are_told_apart() {
        let whole = container(r#"{"t":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}"#, &[1, 2]);
        assert!(Header::parse(&whole).is_ok());
        for length in 0..whole.len() {
            let error = Header::parse(&whole[..length]).unwrap_err();
            assert!(matches!(error, ModelFileError::Truncated { .. }), "{length}: {error}");
        }
        for foreign in [&b"GGUF\x03\0\0\0\0\0\0\0"[..], b"RIFF\x24\0\0\0WAVEfmt ", &[0xFF; 64], &[0; 64]] {
            assert!(matches!(Header::parse(foreign), Err(ModelFileError::NotAModel { .. })));
        }
    }

    #[test]
    fn contradictory_headers_are_refused() {
        for header in [
            r#"{"t":{"dtype":"I8","shape":[3],"data_offsets":[0,2]}}"#,
            r#"{"t":{"dtype":"I32","shape":[4611686018427387904,4],"data_offsets":[0,2]}}"#,
            r#"{"t":{"dtype":"U4","shape":[1],"data_offsets":[3,2]}}"#,
            r#"{"t":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#,
            r#"{"t":{"dtype":"I8","shape":[-1],"data_offsets":[0,2]}}"#,
            r#"{"t":7}"#,
            r#"{"__metadata__":7}"#,
            "{}",
            "{{{{",
        ] {
            let error = Header::parse(&container(header, &[0, 0])).unwrap_err();
            assert!(matches!(error, ModelFileError::BadHeader { .. }), "{header}: {error}");
        }
        let beyond = r#"{"t":{"dtype":"I8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}"#;
        assert!(matches!(Header::parse(&container(beyond, &[0, 0])), Err(ModelFileError::Truncated { .. })));
    }
}
