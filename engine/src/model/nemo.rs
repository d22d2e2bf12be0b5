//! Reads the streaming FastConformer transducers that NVIDIA publishes as `.nemo` archives: a tar file, gzipped or not,
//! of a configuration in YAML, a PyTorch checkpoint and a SentencePiece tokenizer.
//!
//! What the engine cannot run is refused with the name of the field that says so.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};

use serde_json::Value;

use super::checkpoint::Checkpoint;
use super::config::{Activation, EncoderConfig, FeatureConfig, JoinerConfig, ModelConfig, PredictorConfig};
use super::error::ModelFileError;
use super::layout;
use super::tokens::Tokens;
use super::{sentencepiece, torch};

const CONFIG: &str = "model_config.yaml";
const WEIGHTS: &str = "model_weights.ckpt";
/// Largest configuration accepted, in bytes.
const MAX_CONFIG_BYTES: usize = 4 << 20;
/// Largest archive accepted after decompression, in bytes.
const MAX_ARCHIVE_BYTES: u64 = 16 << 30;

/// Reads an archive. Archives do not name their model: it is called `name`.
///
/// # Errors
/// [`ModelFileError::Unsupported`] with the field of the configuration that the engine cannot run, or another when the
/// archive cannot be read.
pub fn read(bytes: &[u8], name: &str) -> Result<Checkpoint, ModelFileError> {
    let bytes = decompress(bytes)?;
    let parts = parts(&bytes)?;
    let part = |name: &str| {
        let found = parts.get(name).copied();
        found.ok_or_else(|| broken(name, "the archive has none; it is no .nemo archive of a model"))
    };
    let yaml = Yaml::parse(part(CONFIG)?)?;
    let pieces = vocabulary(&yaml, &parts)?;
    let config = config(&yaml, name, pieces.len())?;
    config.validate()?;
    let entries = layout::entries(&config);
    let wanted: HashSet<&str> = entries.iter().flat_map(layout::sources).map(|source| source.name.as_str()).collect();
    let tensors = torch::tensors(part(WEIGHTS)?, |name| wanted.contains(output_layer(name).as_ref()))
        .map_err(|reason| broken(WEIGHTS, reason))?;
    let tensors = tensors.into_iter().map(|(name, tensor)| (output_layer(&name).into_owned(), tensor)).collect();
    let checkpoint = Checkpoint { config, tokens: Tokens::new(pieces)?, tensors, ngrams: None };
    checkpoint.validate()?;
    Ok(checkpoint)
}

/// NeMo counts the dropout in the joint network when there is one: without, the output layer has the index 1.
fn output_layer(name: &str) -> Cow<'_, str> {
    match name.strip_prefix("joint.joint_net.1.") {
        Some(kind) => format!("joint.joint_net.2.{kind}").into(),
        None => name.into(),
    }
}

fn broken(part: &str, reason: impl Into<String>) -> ModelFileError {
    ModelFileError::BadArchive { part: part.into(), reason: reason.into() }
}

fn decompress(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ModelFileError> {
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(bytes.into());
    }
    let mut plain = Vec::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(bytes).take(MAX_ARCHIVE_BYTES);
    decoder.read_to_end(&mut plain).map_err(|error| broken("the gzip stream", error.to_string()))?;
    Ok(plain.into())
}

/// The files of the archive by name, without folders, where they lie.
fn parts(bytes: &[u8]) -> Result<HashMap<String, &[u8]>, ModelFileError> {
    let unreadable = |error: std::io::Error| broken("the tar file", error.to_string());
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    let mut parts = HashMap::new();
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(unreadable)?;
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let start = entry.raw_file_position();
        let end = start.saturating_add(entry.size());
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let data = range.and_then(|(start, end)| bytes.get(start..end));
        parts.insert(name, data.ok_or(ModelFileError::Truncated { found: bytes.len() as u64, needed: end })?);
    }
    Ok(parts)
}

/// The pieces: from the SentencePiece model, or else the list in the configuration.
fn vocabulary(yaml: &Yaml, parts: &HashMap<String, &[u8]>) -> Result<Vec<String>, ModelFileError> {
    let emitted = yaml.count("joint.num_classes")?;
    let model = parts.iter().find(|(name, _)| name.ends_with("tokenizer.model"));
    let pieces = match model {
        Some((name, model)) => {
            sentencepiece::pieces(model).ok_or_else(|| broken(name, "it is no SentencePiece model"))?
        }
        None => Vec::new(),
    };
    if pieces.len() == emitted {
        return Ok(pieces);
    }
    // Tokens that were added after the tokenizer was trained are only listed here.
    for field in ["joint.vocabulary", "labels"] {
        if let Some(listed) = yaml.get(field).as_array().filter(|listed| listed.len() == emitted) {
            let text = |piece: &Value| piece.as_str().map(str::to_string);
            let listed: Option<Vec<String>> = listed.iter().map(text).collect();
            return listed.ok_or_else(|| yaml.unsupported(field, "a list of pieces"));
        }
    }
    let reason = format!(
        "the tokenizer has {} pieces, the model emits {emitted} (`joint.num_classes`), and neither \
         `joint.vocabulary` nor `labels` lists as many",
        pieces.len()
    );
    Err(ModelFileError::BadTokens { reason })
}

fn config(yaml: &Yaml, name: &str, vocab_size: usize) -> Result<ModelConfig, ModelFileError> {
    refuse_other_models(yaml)?;
    let features = features(yaml)?;
    Ok(ModelConfig {
        name: name.into(),
        // The archives do not say.
        language: "und".into(),
        encoder: encoder(yaml)?,
        features,
        predictor: PredictorConfig {
            hidden: yaml.count("decoder.prednet.pred_hidden")?,
            layers: yaml.count("decoder.prednet.pred_rnn_layers")?,
        },
        joiner: JoinerConfig {
            hidden: yaml.count("joint.jointnet.joint_hidden")?,
            activation: match yaml.get("joint.jointnet.activation").as_str() {
                Some("relu") => Activation::Relu,
                Some("tanh") => Activation::Tanh,
                Some("sigmoid") => Activation::Sigmoid,
                _ => return Err(yaml.unsupported("joint.jointnet.activation", "relu, tanh or sigmoid")),
            },
        },
        vocab_size,
        endpoint: None,
        confidence: None,
        speaker: None,
        language_model: None,
        language_network: None,
    })
}

/// Refuses what would run wrongly because it is another kind of model.
fn refuse_other_models(yaml: &Yaml) -> Result<(), ModelFileError> {
    yaml.require("encoder._target_", "the ConformerEncoder", |value| ends_with(value, ".ConformerEncoder"))?;
    yaml.require("decoder._target_", "the RNNTDecoder", |value| ends_with(value, ".RNNTDecoder"))?;
    yaml.require("joint._target_", "the RNNTJoint", |value| ends_with(value, ".RNNTJoint"))?;
    for field in ["model_defaults.tdt_durations", "decoding.durations", "loss.tdt_kwargs.durations"] {
        yaml.require(field, "absent: token-and-duration transducers are not supported", is_empty)?;
    }
    yaml.require("joint.num_extra_outputs", "0: the joiner emits tokens and the blank", is_zero)?;
    yaml.require("loss.loss_name", "a loss of plain transducers, not tdt", |value| value.as_str() != Some("tdt"))?;
    for field in ["model_defaults.num_prompts", "model_defaults.prompt_dictionary", "num_prompts", "prompt_dictionary"]
    {
        yaml.require(field, "absent: prompts that choose a language are not supported", is_empty)?;
    }
    yaml.require("tokenizer.type", "bpe: one SentencePiece tokenizer", |value| {
        value.is_null() || value.as_str() == Some("bpe")
    })
}

fn features(yaml: &Yaml) -> Result<FeatureConfig, ModelFileError> {
    let at = |field: &str| format!("preprocessor.{field}");
    yaml.require("preprocessor._target_", "the AudioToMelSpectrogramPreprocessor", |value| {
        ends_with(value, ".AudioToMelSpectrogramPreprocessor")
    })?;
    yaml.require(&at("normalize"), "NA: a stream has no mean over its end", |value| {
        is_empty(value) || matches!(value.as_str(), Some("NA" | "None" | "none"))
    })?;
    yaml.require(&at("window"), "hann", |value| value.is_null() || value.as_str() == Some("hann"))?;
    yaml.require(&at("log"), "true", |value| value.as_bool().unwrap_or(true))?;
    yaml.require(&at("frame_splicing"), "1", |value| value.is_null() || value.as_u64() == Some(1))?;
    yaml.require(&at("mag_power"), "2", |value| value.is_null() || value.as_f64() == Some(2.0))?;
    yaml.require(&at("mel_norm"), "slaney", |value| value.is_null() || value.as_str() == Some("slaney"))?;
    yaml.require(&at("exact_pad"), "false", is_zero)?;
    yaml.require(&at("log_zero_guard_type"), "add", |value| value.is_null() || value.as_str() == Some("add"))?;
    yaml.require(&at("log_zero_guard_value"), "2^-24", |value| {
        value.is_null() || value.as_f64().is_some_and(|guard| (guard * f64::from(1 << 24) - 1.0).abs() < 1e-6)
    })?;

    let sample_rate_hz = yaml.count(&at("sample_rate"))?;
    let samples = |seconds: f64| (seconds * sample_rate_hz as f64).round() as usize;
    let window = samples(yaml.number(&at("window_size"), None)?);
    let high_hz = yaml.get(&at("highfreq")).as_f64().filter(|&hz| hz > 0.0);
    Ok(FeatureConfig {
        sample_rate_hz: u32::try_from(sample_rate_hz).unwrap_or(u32::MAX),
        fft: match yaml.get(&at("n_fft")) {
            // As NeMo chooses it.
            Value::Null => window.checked_next_power_of_two().unwrap_or(usize::MAX),
            _ => yaml.count(&at("n_fft"))?,
        },
        window,
        hop: samples(yaml.number(&at("window_stride"), None)?),
        mel_bins: yaml.count(&at("features"))?,
        low_hz: yaml.number(&at("lowfreq"), Some(0.0))? as f32,
        high_hz: high_hz.unwrap_or(sample_rate_hz as f64 / 2.0) as f32,
        preemphasis: yaml.number(&at("preemph"), Some(0.97))? as f32,
    })
}

fn encoder(yaml: &Yaml) -> Result<EncoderConfig, ModelFileError> {
    let at = |field: &str| format!("encoder.{field}");
    let is = |field: &str, needed: &str| yaml.require(&at(field), needed, |value| value.as_str() == Some(needed));
    is("subsampling", "dw_striding")?;
    is("self_attention_model", "rel_pos")?;
    is("att_context_style", "chunked_limited")?;
    is("conv_norm_type", "layer_norm")?;
    yaml.require(&at("causal_downsampling"), "true", |value| value.as_bool() == Some(true))?;
    yaml.require(&at("reduction"), "absent", is_empty)?;
    yaml.require(&at("global_tokens"), "0", is_zero)?;
    let d_model = yaml.count(&at("d_model"))?;
    let conv_kernel = yaml.count(&at("conv_kernel_size"))?;
    yaml.require(&at("feat_out"), "-1: the width of the model", |value| {
        value.is_null() || value.as_i64() == Some(-1) || value.as_u64() == Some(d_model as u64)
    })?;
    yaml.require(&at("conv_context_size"), "causal", |value| match value.as_array().map(Vec::as_slice) {
        Some([left, right]) => left.as_u64() == Some(conv_kernel.saturating_sub(1) as u64) && is_zero(right),
        _ => value.as_str() == Some("causal"),
    })?;
    let expansion = yaml.count(&at("ff_expansion_factor"))?;
    let (left_context, look_aheads, default_look_ahead) = attention_contexts(yaml)?;
    Ok(EncoderConfig {
        mel_bins: yaml.count(&at("feat_in"))?,
        d_model,
        layers: yaml.count(&at("n_layers"))?,
        heads: yaml.count(&at("n_heads"))?,
        d_ff: d_model.saturating_mul(expansion),
        conv_kernel,
        subsampling_channels: match yaml.get(&at("subsampling_conv_channels")).as_i64() {
            Some(-1) => d_model,
            _ => yaml.count(&at("subsampling_conv_channels"))?,
        },
        subsampling: yaml.count(&at("subsampling_factor"))?,
        xscaling: yaml.get(&at("xscaling")).as_bool().unwrap_or(true),
        left_context,
        look_aheads,
        default_look_ahead,
    })
}

/// Left context and look-aheads: `att_context_size` is a pair, or a list of pairs of which the first is the default.
fn attention_contexts(yaml: &Yaml) -> Result<(usize, Vec<usize>, usize), ModelFileError> {
    let field = "encoder.att_context_size";
    let refuse = || yaml.unsupported(field, "limited contexts [left, right] that share one left context");
    let value = yaml.get(field);
    let listed = value.as_array().ok_or_else(refuse)?;
    let pairs = if listed.iter().all(Value::is_array) { &listed[..] } else { std::slice::from_ref(value) };
    let pair = |pair: &Value| {
        let [left, right] = &pair.as_array()?[..] else { return None };
        Some((usize::try_from(left.as_u64()?).ok()?, usize::try_from(right.as_u64()?).ok()?))
    };
    let pairs: Vec<(usize, usize)> = pairs.iter().map(pair).collect::<Option<_>>().ok_or_else(refuse)?;
    let &(left, default) = pairs.first().ok_or_else(refuse)?;
    if pairs.iter().any(|&(other, _)| other != left) {
        return Err(refuse());
    }
    let mut look_aheads: Vec<usize> = pairs.iter().map(|&(_, right)| right).collect();
    look_aheads.sort_unstable();
    look_aheads.dedup();
    Ok((left, look_aheads, default))
}

fn ends_with(value: &Value, suffix: &str) -> bool {
    value.as_str().is_some_and(|text| text.ends_with(suffix))
}

/// Absent, or an empty list, dictionary or text.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Absent, zero or false.
fn is_zero(value: &Value) -> bool {
    value.is_null() || value.as_f64() == Some(0.0) || value.as_bool() == Some(false)
}

/// The configuration, looked up by dotted paths.
struct Yaml(Value);

impl Yaml {
    fn parse(bytes: &[u8]) -> Result<Self, ModelFileError> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(broken(CONFIG, format!("{} bytes are too many", bytes.len())));
        }
        // Pieces such as `n` and `off` are text, not YAML 1.1 booleans.
        let options = serde_saphyr::options! { strict_booleans: true };
        let root =
            serde_saphyr::from_slice_with_options(bytes, options).map_err(|error| broken(CONFIG, error.to_string()))?;
        Ok(Self(root))
    }

    /// The value at a path; null where there is none.
    fn get(&self, path: &str) -> &Value {
        path.split('.').fold(&self.0, |value, key| &value[key])
    }

    fn require(&self, path: &str, needed: &str, holds: impl Fn(&Value) -> bool) -> Result<(), ModelFileError> {
        if holds(self.get(path)) { Ok(()) } else { Err(self.unsupported(path, needed)) }
    }

    /// A whole number that is not negative.
    fn count(&self, path: &str) -> Result<usize, ModelFileError> {
        let number = self.get(path).as_u64().and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| self.unsupported(path, "a whole number"))
    }

    fn number(&self, path: &str, default: Option<f64>) -> Result<f64, ModelFileError> {
        let value = self.get(path);
        let number = if value.is_null() { default } else { value.as_f64() };
        number.ok_or_else(|| self.unsupported(path, "a number"))
    }

    fn unsupported(&self, path: &str, needed: &str) -> ModelFileError {
        let value = self.get(path);
        let mut shown = if value.is_null() { "absent".into() } else { value.to_string() };
        if let Some((end, _)) = shown.char_indices().nth(80) {
            shown.truncate(end);
            shown += "…";
        }
        ModelFileError::Unsupported { field: path.into(), value: shown, needed: format!("it must be {needed}") }
    }
}

#[cfg(test)]
#[path = "nemo_tests.rs"]
mod tests;
