//! The metadata that describe a model, in a checkpoint as in a packed file.

#[cfg(feature = "reference")]
use std::collections::BTreeMap;

use super::config::ModelConfig;
use super::container::Header;
use super::error::ModelFileError;
use super::tokens::Tokens;

/// Reads configuration and token table and checks both.
pub(super) fn read(header: &Header) -> Result<(ModelConfig, Tokens), ModelFileError> {
    let malformed =
        |key: &str, error: serde_json::Error| ModelFileError::BadHeader { reason: format!("`{key}`: {error}") };
    let config: ModelConfig =
        serde_json::from_str(header.metadata("config")?).map_err(|error| malformed("config", error))?;
    config.validate()?;
    let pieces: Vec<String> =
        serde_json::from_str(header.metadata("tokens")?).map_err(|error| malformed("tokens", error))?;
    let tokens = Tokens::new(pieces)?;
    check_vocabulary(&config, &tokens)?;
    Ok((config, tokens))
}

/// The metadata of a model, without its format.
#[cfg(feature = "reference")]
pub(super) fn write(config: &ModelConfig, tokens: &Tokens) -> Result<BTreeMap<&'static str, String>, ModelFileError> {
    let malformed = |error: serde_json::Error| ModelFileError::BadHeader { reason: error.to_string() };
    Ok(BTreeMap::from([
        ("config", serde_json::to_string(config).map_err(malformed)?),
        ("tokens", serde_json::to_string(&tokens.pieces().collect::<Vec<_>>()).map_err(malformed)?),
    ]))
}

/// There are as many tokens as the model emits.
pub(super) fn check_vocabulary(config: &ModelConfig, tokens: &Tokens) -> Result<(), ModelFileError> {
    if tokens.len() == config.vocab_size {
        return Ok(());
    }
    let reason = format!("it has {} tokens, the model has {}", tokens.len(), config.vocab_size);
    Err(ModelFileError::BadTokens { reason })
}
