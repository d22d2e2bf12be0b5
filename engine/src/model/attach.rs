//! Attaches to a checkpoint what is made apart from the acoustic model: an endpointing network, a speaker network, an
//! n-gram model and the calibration of word confidences. The formats of their files are in `models/FORMAT.md`.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, de::DeserializeOwned};

use super::checkpoint::{Checkpoint, read_tensors};
use super::config::{
    ConfidenceConfig, EndpointConfig, FeatureConfig, LanguageNetworkConfig, ModelConfig, SpeakerNetworkConfig,
};
use super::container::Header;
use super::error::ModelFileError;
use super::layout;
use super::ngrams::Ngrams;

/// Value of `format` in the metadata of a file with an endpointing network.
const ENDPOINT: &str = "linnet-endpoint";

/// The same of a file with a speaker network.
const SPEAKER: &str = "linnet-speaker";

/// The same of a file with a language network.
const LANGUAGE_NETWORK: &str = "linnet-language-network";

/// Metadata `config` of such a file.
#[derive(Deserialize)]
struct Description<C> {
    #[serde(flatten)]
    network: C,
    /// The front end that it was trained on.
    features: FeatureConfig,
}

impl Checkpoint {
    /// Reads the endpointing network of a file and makes it part of this model, in place of one that it may have.
    ///
    /// # Errors
    /// [`ModelFileError::Unsupported`] when it was trained on other features than this model takes; others when the
    /// file cannot be read or is none. The checkpoint is unchanged then.
    pub fn attach_endpoint(&mut self, path: impl AsRef<Path>) -> Result<(), ModelFileError> {
        self.attach_endpoint_bytes(&read(path.as_ref())?)
    }

    /// As [`Checkpoint::attach_endpoint`] from memory.
    ///
    /// # Errors
    /// As [`Checkpoint::attach_endpoint`].
    pub fn attach_endpoint_bytes(&mut self, bytes: &[u8]) -> Result<(), ModelFileError> {
        let header = Header::parse(bytes)?;
        let network: EndpointConfig = self.describe(&header, ENDPOINT)?;
        let config = ModelConfig { endpoint: Some(network.clone()), ..self.config.clone() };
        config.validate()?;
        let entries = layout::endpointing(&network, config.features.mel_bins);
        self.attach(config, "endpoint.", &entries, (&header, bytes))
    }

    /// Reads the speaker network of a file and makes it part of this model, in place of one that it may have.
    ///
    /// # Errors
    /// As [`Checkpoint::attach_endpoint`].
    pub fn attach_speaker(&mut self, path: impl AsRef<Path>) -> Result<(), ModelFileError> {
        self.attach_speaker_bytes(&read(path.as_ref())?)
    }

    /// As [`Checkpoint::attach_speaker`] from memory.
    ///
    /// # Errors
    /// As [`Checkpoint::attach_endpoint`].
    pub fn attach_speaker_bytes(&mut self, bytes: &[u8]) -> Result<(), ModelFileError> {
        let header = Header::parse(bytes)?;
        let network: SpeakerNetworkConfig = self.describe(&header, SPEAKER)?;
        let config = ModelConfig { speaker: Some(network.clone()), ..self.config.clone() };
        config.validate()?;
        let entries = layout::speaker(&network, config.features.mel_bins);
        self.attach(config, "speaker.", &entries, (&header, bytes))
    }

    /// Reads the language network of a file and makes it part of this model, in place of one that it may have.
    ///
    /// # Errors
    /// [`ModelFileError::BadTokens`] when it was trained on other tokens than this model writes; others when the file
    /// cannot be read or is none. The checkpoint is unchanged then.
    pub fn attach_language_network(&mut self, path: impl AsRef<Path>) -> Result<(), ModelFileError> {
        self.attach_language_network_bytes(&read(path.as_ref())?)
    }

    /// As [`Checkpoint::attach_language_network`] from memory.
    ///
    /// # Errors
    /// As [`Checkpoint::attach_language_network`].
    pub fn attach_language_network_bytes(&mut self, bytes: &[u8]) -> Result<(), ModelFileError> {
        let header = Header::parse(bytes)?;
        expect_format(&header, LANGUAGE_NETWORK)?;
        let network: LanguageNetworkConfig = parse(&header, "config")?;
        let pieces: Vec<String> = parse(&header, "tokens")?;
        if !self.tokens.pieces().eq(pieces.iter().map(String::as_str)) {
            let reason = "they are not those of the acoustic model; train the network on these".into();
            return Err(ModelFileError::BadTokens { reason });
        }
        let config = ModelConfig { language_network: Some(network.clone()), ..self.config.clone() };
        config.validate()?;
        let entries = layout::language(&network, config.vocab_size);
        self.attach(config, "language_network.", &entries, (&header, bytes))
    }

    /// The configuration of a network that was trained on the features of this model.
    fn describe<C: DeserializeOwned>(&self, header: &Header, expected: &str) -> Result<C, ModelFileError> {
        expect_format(header, expected)?;
        let Description { network, features } = parse(header, "config")?;
        if features != self.config.features {
            return Err(ModelFileError::Unsupported {
                field: "features".into(),
                value: format!("{features:?}"),
                needed: format!("the acoustic model takes {:?}; train the network on these", self.config.features),
            });
        }
        Ok(network)
    }

    /// Takes the tensors of a network in, in place of those whose names start with `prefix`.
    fn attach(
        &mut self,
        config: ModelConfig,
        prefix: &str,
        entries: &[layout::Entry],
        (header, bytes): (&Header, &[u8]),
    ) -> Result<(), ModelFileError> {
        let mut combined = self.clone();
        combined.tensors.retain(|name, _| !name.starts_with(prefix));
        combined.tensors.extend(read_tensors(header, bytes, entries)?);
        combined.config = config;
        combined.validate()?;
        *self = combined;
        Ok(())
    }

    /// Makes an n-gram model of the same tokens part of this model, in place of one that it may have.
    ///
    /// # Errors
    /// [`ModelFileError::BadTokens`] when it has not as many tokens as this model. The checkpoint is unchanged then.
    pub fn attach_ngrams(&mut self, ngrams: Arc<Ngrams>) -> Result<(), ModelFileError> {
        if ngrams.vocab_size() as usize != self.tokens.len() {
            let reason = format!("the n-gram model has {}, the recognizer {}", ngrams.vocab_size(), self.tokens.len());
            return Err(ModelFileError::BadTokens { reason });
        }
        self.config.language_model = Some(ngrams.config().clone());
        self.ngrams = Some(ngrams);
        Ok(())
    }

    /// Reads the calibration of word confidences from a JSON file (the fields of [`ConfidenceConfig`]) and makes it part
    /// of this model, in place of one that it may have.
    ///
    /// # Errors
    /// When the file can't be read, lacks a field or holds a number that no calibration has. The checkpoint is
    /// unchanged then.
    pub fn attach_confidence(&mut self, path: impl AsRef<Path>) -> Result<(), ModelFileError> {
        self.attach_confidence_bytes(&read(path.as_ref())?)
    }

    /// As [`Checkpoint::attach_confidence`] from memory.
    ///
    /// # Errors
    /// As [`Checkpoint::attach_confidence`].
    pub fn attach_confidence_bytes(&mut self, bytes: &[u8]) -> Result<(), ModelFileError> {
        let confidence: ConfidenceConfig = serde_json::from_slice(bytes)
            .map_err(|error| ModelFileError::BadHeader { reason: format!("confidence: {error}") })?;
        let config = ModelConfig { confidence: Some(confidence), ..self.config.clone() };
        config.validate()?;
        self.config = config;
        Ok(())
    }
}

fn expect_format(header: &Header, expected: &str) -> Result<(), ModelFileError> {
    let format = header.metadata.get("format").map_or("", String::as_str);
    if format == expected {
        return Ok(());
    }
    let reason = format!("`format` in its metadata is `{format}`, not `{expected}`");
    Err(ModelFileError::NotAModel { reason })
}

/// Metadata that is JSON.
fn parse<T: DeserializeOwned>(header: &Header, key: &str) -> Result<T, ModelFileError> {
    serde_json::from_str(header.metadata(key)?)
        .map_err(|error| ModelFileError::BadHeader { reason: format!("`{key}`: {error}") })
}

fn read(path: &Path) -> Result<Vec<u8>, ModelFileError> {
    std::fs::read(path).map_err(|source| ModelFileError::Io { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{
        container::{self, OutTensor},
        file::ModelFile,
        ngrams::Node,
        pack::pack,
        testing::{tiny_config, tiny_tokens},
        tokens::Tokens,
    };

    fn network() -> EndpointConfig {
        EndpointConfig { stack: 4, width: 9, hidden: 7, floor_rise: 0.0 }
    }

    /// The tensors of a part of a model, as they are written.
    fn tensors<'a>(whole: &'a Checkpoint, prefix: &str) -> Vec<OutTensor<'a>> {
        let of_part = whole.tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        of_part
            .map(|(name, tensor)| OutTensor {
                name: name.clone(),
                dtype: "F32",
                shape: tensor.shape.clone(),
                data: bytemuck::cast_slice(&tensor.data),
            })
            .collect()
    }

    /// The file of a network with random weights, without the tensor `missing`.
    fn file(features: &FeatureConfig, missing: &str) -> Vec<u8> {
        let config = ModelConfig { endpoint: Some(network()), ..tiny_config() };
        let whole = Checkpoint::random(&config, 5).unwrap();
        let mut tensors = tensors(&whole, "endpoint.");
        tensors.retain(|tensor| tensor.name != missing);
        let features = serde_json::to_string(features).unwrap();
        let config = format!(r#"{{"stack": 4, "width": 9, "hidden": 7, "features": {features}}}"#);
        container::write(&BTreeMap::from([("format", ENDPOINT.into()), ("config", config)]), &tensors).unwrap()
    }

    #[test]
    fn an_attached_network_is_packed_with_the_model() {
        let mut checkpoint = Checkpoint::random(&tiny_config(), 1).unwrap();
        let plain = checkpoint.parameters();
        let bytes = file(&checkpoint.config.features, "");
        checkpoint.attach_endpoint_bytes(&bytes).unwrap();
        let once = checkpoint.clone();
        checkpoint.attach_endpoint_bytes(&bytes).unwrap();
        assert_eq!(checkpoint, once, "a network is replaced");
        assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap(), checkpoint);
        let added = 2 * 20 + 9 * 81 + 21 * 10 + 21 * 8 + 2 * 8;
        assert_eq!(checkpoint.parameters(), plain + added);
        let packed = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        assert_eq!(packed.config().endpoint, Some(network()));
        let input = packed.dense("endpoint.input").unwrap();
        assert_eq!((input.n, input.k), (9, 80));
    }

    #[test]
    fn a_speaker_network_is_packed_beside_it() {
        let network = SpeakerNetworkConfig {
            stack: 4,
            width: 9,
            blocks: 2,
            embedding: 5,
            threshold: 0.5,
            switch: 1.0,
            merge: 0.75,
        };
        let config = ModelConfig { speaker: Some(network.clone()), ..tiny_config() };
        let whole = Checkpoint::random(&config, 5).unwrap();
        let tensors = tensors(&whole, "speaker.");
        let features = serde_json::to_string(&config.features).unwrap();
        let numbers =
            r#""stack": 4, "width": 9, "blocks": 2, "embedding": 5, "threshold": 0.5, "switch": 1, "merge": 0.75"#;
        let described = format!(r#"{{{numbers}, "features": {features}}}"#);
        let metadata = BTreeMap::from([("format", SPEAKER.into()), ("config", described)]);
        let bytes = container::write(&metadata, &tensors).unwrap();

        let mut checkpoint = Checkpoint::random(&tiny_config(), 1).unwrap();
        let plain = checkpoint.parameters();
        checkpoint.attach_endpoint_bytes(&file(&checkpoint.config.features, "")).unwrap();
        let with_endpoint = checkpoint.parameters();
        checkpoint.attach_speaker_bytes(&bytes).unwrap();
        let added = 2 * 20 + 9 * 81 + 2 * (27 + 9 * 10) + 10 + 2 * 18 + 5 * 19;
        assert_eq!(checkpoint.parameters(), with_endpoint + added);
        assert!(with_endpoint > plain && checkpoint.config.endpoint.is_some());
        let packed = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        assert_eq!(packed.config().speaker, Some(network));
        let error = checkpoint.attach_endpoint_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("linnet-speaker"), "{error}");
    }

    #[test]
    fn n_grams_are_packed_with_the_model() {
        let mut checkpoint = Checkpoint::random(&tiny_config(), 1).unwrap();
        let (plain, vocab_size) = (checkpoint.parameters(), checkpoint.tokens.len());
        let leaf = |token| Node { token, children: 0, score: -1.5, back_off: 0.0 };
        let parent = |token, children| Node { children, back_off: -0.5, ..leaf(token) };
        let nodes = [parent(0, 3), leaf(0), parent(4, 2), leaf(vocab_size as u32), leaf(2), leaf(8)];
        let mut ngrams = Ngrams::pack(&nodes, vocab_size).unwrap();
        ngrams.set_weights(0.25, 1.5, 0.125);
        let alone = Ngrams::from_bytes(&ngrams.to_bytes(&checkpoint.tokens).unwrap(), &checkpoint.tokens).unwrap();
        assert_eq!(alone, ngrams);

        checkpoint.attach_ngrams(Arc::new(ngrams.clone())).unwrap();
        assert_eq!(checkpoint.parameters(), plain);
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
        let packed = pack(&checkpoint).unwrap();
        let file = ModelFile::from_bytes(&packed).unwrap();
        assert_eq!(file.ngrams().map(|found| &**found), Some(&ngrams));
        assert_eq!(file.config().language_model.as_ref().unwrap().token_reward, 1.5);

        let other = tiny_tokens();
        let error = Ngrams::from_bytes(&ngrams.to_bytes(&checkpoint.tokens).unwrap(), &other).unwrap_err();
        assert!(error.to_string().contains("linnet lm"), "{error}");
        let smaller = Ngrams::pack(&nodes, vocab_size - 1).unwrap();
        let error = checkpoint.clone().attach_ngrams(Arc::new(smaller)).unwrap_err().to_string();
        assert!(error.contains("the n-gram model has"), "{error}");
        checkpoint.config.language_model.as_mut().unwrap().nodes += 1;
        assert!(pack(&checkpoint).unwrap_err().to_string().contains("language_model"));
    }

    #[test]
    fn a_language_network_of_the_same_tokens_is_packed_with_the_model() {
        let network = LanguageNetworkConfig { embedding: 3, hidden: 7, weight: 0.25 };
        let whole =
            Checkpoint::random(&ModelConfig { language_network: Some(network.clone()), ..tiny_config() }, 5).unwrap();
        let tensors = tensors(&whole, "language_network.");
        let file = |tokens: &Tokens| {
            let metadata = BTreeMap::from([
                ("format", LANGUAGE_NETWORK.into()),
                ("config", r#"{"embedding": 3, "hidden": 7, "weight": 0.25}"#.into()),
                ("tokens", serde_json::to_string(&tokens.pieces().collect::<Vec<_>>()).unwrap()),
            ]);
            container::write(&metadata, &tensors).unwrap()
        };
        let mut checkpoint = Checkpoint::random(&tiny_config(), 1).unwrap();
        let plain = checkpoint.clone();
        let error = checkpoint.attach_language_network_bytes(&file(&tiny_tokens())).unwrap_err().to_string();
        assert!(error.contains("not those of the acoustic model"), "{error}");
        assert_eq!(checkpoint, plain);
        checkpoint.attach_language_network_bytes(&file(&checkpoint.tokens)).unwrap();
        assert_eq!(checkpoint.parameters(), plain.parameters() + 10 * 3 + 28 * (3 + 1) + 28 * (7 + 1) + 10 * 8);
        assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap(), checkpoint);
        let packed = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        assert_eq!(packed.config().language_network, Some(network));
        assert_eq!(packed.dense("language_network.lstm.hh").unwrap().k, 7);
    }

    #[test]
    fn a_calibration_of_confidences_is_packed_with_the_model() {
        let mut checkpoint = Checkpoint::random(&tiny_config(), 1).unwrap();
        let json =
            br#"{"bias": -1.5, "least": 0.75, "mean_log": 0.5, "tokens": 0.25, "before": 1.0, "agreement": 0.5}"#;
        checkpoint.attach_confidence_bytes(json).unwrap();
        let expected =
            ConfidenceConfig { bias: -1.5, least: 0.75, mean_log: 0.5, tokens: 0.25, before: 1.0, agreement: 0.5 };
        let packed = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        assert_eq!(packed.config().confidence, Some(expected));

        let before = checkpoint.clone();
        let missing = checkpoint.attach_confidence_bytes(br#"{"bias": 1}"#).unwrap_err().to_string();
        assert!(missing.contains("least"), "{missing}");
        let huge = br#"{"bias": 1e9, "least": 0, "mean_log": 0, "tokens": 0, "before": 0}"#;
        let huge = checkpoint.attach_confidence_bytes(huge).unwrap_err().to_string();
        assert!(huge.contains("confidence.bias"), "{huge}");
        assert_eq!(checkpoint, before);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut checkpoint = Checkpoint::random(&tiny_config(), 1).unwrap();
        let before = checkpoint.clone();
        let other = FeatureConfig { hop: 128, ..before.config.features.clone() };
        let error = checkpoint.attach_endpoint_bytes(&file(&other, "")).unwrap_err().to_string();
        assert!(error.contains("features") && error.contains("128"), "{error}");
        let missing = "endpoint.gru.weight_hh_l0";
        let error = checkpoint.attach_endpoint_bytes(&file(&before.config.features, missing)).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
        let error = checkpoint.attach_endpoint_bytes(&before.to_bytes().unwrap()).unwrap_err().to_string();
        assert!(error.contains("linnet-checkpoint"), "{error}");
        assert_eq!(checkpoint, before);
    }
}
