//! N-gram models in files: as a part of a model file, and on their own. The layouts are in `models/FORMAT.md`.

use std::sync::Arc;

use super::{Ngrams, PREFIX, Symbols, TABLES, Tables};
use crate::model::{
    config::NgramConfig,
    container::{self, Header},
    error::ModelFileError,
    file::Aligned,
    tokens::Tokens,
};
use crate::nn::{Bytes, Shared};

/// Value of `format` in the metadata of a file of its own.
const FORMAT: &str = "linnet-language-model";

impl Ngrams {
    /// Reads a file of its own, as [`Ngrams::to_bytes`] writes it. The bytes are copied.
    ///
    /// # Errors
    /// When it is none, is damaged, or has other tokens.
    pub(crate) fn from_bytes(bytes: &[u8], tokens: &Tokens) -> Result<Self, ModelFileError> {
        let header = Header::parse(bytes)?;
        let format = header.metadata.get("format").map_or("", String::as_str);
        if format != FORMAT {
            let reason = format!("`format` in its metadata is `{format}`, not `{FORMAT}`");
            return Err(ModelFileError::NotAModel { reason });
        }
        let malformed = |key: &str, error: serde_json::Error| {
            let reason = format!("`{key}`: {error}");
            ModelFileError::BadHeader { reason }
        };
        let config: NgramConfig =
            serde_json::from_str(header.metadata("config")?).map_err(|error| malformed("config", error))?;
        config.validate()?;
        let pieces: Vec<String> =
            serde_json::from_str(header.metadata("tokens")?).map_err(|error| malformed("tokens", error))?;
        if !tokens.pieces().eq(pieces.iter().map(String::as_str)) {
            let reason =
                "they are not those of the acoustic model; make it with `linnet lm --model` of that one".into();
            return Err(ModelFileError::BadTokens { reason });
        }
        let copy: Bytes = Arc::new(Aligned(bytes.into()));
        Self::map(&header, &copy, &config, tokens.len())
    }

    /// Takes the tables of a file where they lie.
    pub(in crate::model) fn map(
        header: &Header,
        bytes: &Bytes,
        config: &NgramConfig,
        vocab_size: usize,
    ) -> Result<Self, ModelFileError> {
        let shared = |table: &str| view::<u8>(header, bytes, table, "U8");
        let symbols = |table: &str| match Symbols::are_narrow(vocab_size) {
            true => shared(table).map(Symbols::Narrow),
            false => view(header, bytes, table, "U16").map(Symbols::Wide),
        };
        let [tokens, scores, parents, children, back_offs] = TABLES;
        let tables = Tables {
            tokens: symbols(tokens)?,
            scores: shared(scores)?,
            parents: shared(parents)?,
            children: symbols(children)?,
            back_offs: shared(back_offs)?,
        };
        Self::new(config.clone(), tables, vocab_size)
            .map_err(|reason| ModelFileError::BadTensor { name: PREFIX.trim_end_matches('.').into(), reason })
    }

    /// The model as a file of its own for a recognizer with these tokens.
    ///
    /// # Errors
    /// [`ModelFileError::BadHeader`] when its description cannot be written as JSON.
    #[cfg(feature = "reference")]
    pub fn to_bytes(&self, tokens: &Tokens) -> Result<Vec<u8>, ModelFileError> {
        use std::collections::BTreeMap;

        let malformed = |error: serde_json::Error| ModelFileError::BadHeader { reason: error.to_string() };
        let metadata = BTreeMap::from([
            ("format", FORMAT.into()),
            ("config", serde_json::to_string(&self.config).map_err(malformed)?),
            ("tokens", serde_json::to_string(&tokens.pieces().collect::<Vec<_>>()).map_err(malformed)?),
        ]);
        container::write(&metadata, &self.to_tensors().collect::<Vec<_>>())
    }
}

#[cfg(feature = "reference")]
impl Ngrams {
    /// The tables, those of wider numbers first, so that all are aligned.
    pub(in crate::model) fn to_tensors(&self) -> impl Iterator<Item = container::OutTensor<'_>> {
        let tables = &self.tables;
        let [tokens, scores, parents, children, back_offs] = TABLES;
        let tensors: [(&str, &'static str, usize, &[u8]); 5] = [
            (tokens, tables.tokens.dtype(), tables.tokens.len(), tables.tokens.bytes()),
            (children, tables.children.dtype(), tables.children.len(), tables.children.bytes()),
            (scores, "U8", tables.scores.len(), &tables.scores),
            (parents, "U8", tables.parents.len(), &tables.parents),
            (back_offs, "U8", tables.back_offs.len(), &tables.back_offs),
        ];
        tensors.into_iter().map(|(table, dtype, entries, data)| container::OutTensor {
            name: format!("{PREFIX}{table}"),
            dtype,
            shape: vec![entries],
            data,
        })
    }
}

fn view<T: bytemuck::Pod>(
    header: &Header,
    bytes: &Bytes,
    table: &str,
    dtype: &'static str,
) -> Result<Shared<T>, ModelFileError> {
    let name = format!("{PREFIX}{table}");
    let Some(info) = header.tensors.get(&name) else {
        return Err(ModelFileError::MissingTensor { name, expected: Vec::new() });
    };
    if info.dtype != dtype {
        return Err(ModelFileError::WrongType { name, expected: dtype, found: info.dtype.clone() });
    }
    Shared::map(bytes.clone(), header.range(info))
        .map_err(|error| ModelFileError::BadTensor { name, reason: error.to_string() })
}

/// Whether bytes can be such a file, rather than text.
pub(crate) fn is_container(bytes: &[u8]) -> bool {
    container::is_container(bytes)
}
