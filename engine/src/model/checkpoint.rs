//! A model with plain weights: what training and conversion produce, what the reference encoder runs, and what the
//! packer reads. The format is in `models/FORMAT.md`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use super::config::ModelConfig;
use super::container::{self, Header, OutTensor};
use super::description;
use super::error::ModelFileError;
use super::file::{self, Aligned, CHECKPOINT_FORMAT as FORMAT};
use super::layout::{self, Entry, Source};
use super::ngrams::Ngrams;
use super::tokens::Tokens;
use crate::nn::Bytes;

/// The plain weights of a model, under the names that NeMo gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Shape of the model.
    pub config: ModelConfig,
    /// Its token table.
    pub tokens: Tokens,
    /// Its weights, and possibly others that are ignored.
    pub tensors: BTreeMap<String, Tensor>,
    /// Its n-gram model, of which the configuration tells.
    pub ngrams: Option<Arc<Ngrams>>,
}

/// A tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Dimensions, the last one contiguous.
    pub shape: Vec<usize>,
    /// As many values as the product of the dimensions.
    pub data: Vec<f32>,
}

impl Checkpoint {
    /// Reads a checkpoint file and checks that it is complete.
    ///
    /// # Errors
    /// [`ModelFileError`] when it cannot be read, or is no checkpoint of a model that can be run.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelFileError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| ModelFileError::Io { path: path.into(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Reads a checkpoint from memory and checks that it is complete. Weights are stored as F32, F16 or BF16.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelFileError> {
        let header = Header::parse(bytes)?;
        let format = header.metadata.get("format").map_or("", String::as_str);
        if format == file::FORMAT {
            return Err(ModelFileError::IsPacked);
        }
        if format != FORMAT {
            let reason = format!("`format` in its metadata is `{format}`, not `{FORMAT}`");
            return Err(ModelFileError::NotAModel { reason });
        }
        let (config, tokens) = description::read(&header)?;
        let tensors = read_tensors(&header, bytes, &layout::entries(&config))?;
        let ngrams = match &config.language_model {
            Some(ngrams) => {
                let copy: Bytes = Arc::new(Aligned(bytes.into()));
                Some(Arc::new(Ngrams::map(&header, &copy, ngrams, tokens.len())?))
            }
            None => None,
        };
        let checkpoint = Self { config, tokens, tensors, ngrams };
        checkpoint.validate()?;
        Ok(checkpoint)
    }

    /// The checkpoint as a file with F32 weights. The same checkpoint gives the same bytes.
    ///
    /// # Errors
    /// [`ModelFileError::BadHeader`] when the configuration cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelFileError> {
        let mut metadata = description::write(&self.config, &self.tokens)?;
        metadata.insert("format", FORMAT.into());
        let tensors = self.tensors.iter().map(|(name, tensor)| OutTensor {
            name: name.clone(),
            dtype: "F32",
            shape: tensor.shape.clone(),
            data: bytemuck::cast_slice(&tensor.data),
        });
        let tables = self.ngrams.iter().flat_map(|ngrams| ngrams.to_tensors());
        container::write(&metadata, &tensors.chain(tables).collect::<Vec<_>>())
    }

    /// Checks that the configuration can be run, that it fits the token table, and that every tensor it implies is
    /// there with the right shape and finite values.
    ///
    /// # Errors
    /// [`ModelFileError`] that names the field or the tensor, what was expected and what was found.
    pub fn validate(&self) -> Result<(), ModelFileError> {
        self.config.validate()?;
        description::check_vocabulary(&self.config, &self.tokens)?;
        if self.ngrams.as_ref().map(|ngrams| ngrams.config()) != self.config.language_model.as_ref() {
            let reason = "the configuration tells of another than there is".into();
            return Err(ModelFileError::BadTensor { name: "language_model".into(), reason });
        }
        for source in layout::entries(&self.config).iter().flat_map(layout::sources) {
            self.check(source)?;
        }
        let embed = self.tensor("decoder.prediction.embed.weight");
        let blank = self.config.vocab_size * self.config.predictor.hidden;
        if embed.is_some_and(|embed| embed[blank..].iter().any(|&x| x != 0.0)) {
            return Err(ModelFileError::BadTensor {
                name: "decoder.prediction.embed.weight".into(),
                reason: "its last row, the blank, which starts an utterance, must be zero".into(),
            });
        }
        Ok(())
    }

    /// Values of a tensor.
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        Some(&self.tensors.get(name)?.data)
    }

    /// Number of weights that the model uses.
    pub fn parameters(&self) -> usize {
        layout::entries(&self.config)
            .iter()
            .flat_map(layout::sources)
            .filter_map(|source| self.tensor(&source.name))
            .map(<[f32]>::len)
            .sum()
    }

    /// The weights as f32 candle tensors on the CPU, under their names.
    ///
    /// # Errors
    /// When a tensor has not as many values as its shape says.
    pub fn var_builder(&self) -> Result<VarBuilder<'static>, candle_core::Error> {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let tensor = candle_core::Tensor::from_slice(&tensor.data, tensor.shape.as_slice(), &Device::Cpu)?;
                Ok((name.clone(), tensor))
            })
            .collect::<Result<HashMap<_, _>, candle_core::Error>>()?;
        Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
    }

    /// A model of this shape with random weights and no n-grams, for tests and for measuring shapes that nobody has
    /// trained. Layers keep the variance of their input, norms scale by about one. The same seed gives the same weights.
    ///
    /// # Errors
    /// [`ModelFileError::BadConfig`] when the configuration cannot be run.
    pub fn random(config: &ModelConfig, seed: u64) -> Result<Self, ModelFileError> {
        config.validate()?;
        let mut random = SplitMix64(seed);
        let mut tensors = BTreeMap::new();
        for source in layout::entries(config).iter().flat_map(layout::sources) {
            let tensor = random_tensor(source, &mut random);
            tensors.insert(source.name.clone(), tensor);
        }
        if let Some(embed) = tensors.get_mut("decoder.prediction.embed.weight") {
            let blank = config.vocab_size * config.predictor.hidden;
            embed.data[blank..].fill(0.0);
        }
        let tokens = Tokens::new((0..config.vocab_size).map(|id| format!("▁{id}")))?;
        let config = ModelConfig { language_model: None, ..config.clone() };
        Ok(Self { config, tokens, tensors, ngrams: None })
    }

    fn check(&self, source: &Source) -> Result<(), ModelFileError> {
        let name = source.name.clone();
        let expected = source.shape.clone();
        let Some(tensor) = self.tensors.get(&name) else {
            return if source.optional { Ok(()) } else { Err(ModelFileError::MissingTensor { name, expected }) };
        };
        if tensor.shape != expected || tensor.data.len() != expected.iter().product::<usize>() {
            return Err(ModelFileError::WrongShape { name, expected, found: tensor.shape.clone() });
        }
        if let Some(at) = tensor.data.iter().position(|x| !x.is_finite()) {
            let reason = format!("value {at} is {}; training diverged or the file is damaged", tensor.data[at]);
            return Err(ModelFileError::BadTensor { name, reason });
        }
        Ok(())
    }
}

/// The tensors of these entries that a file has, widened to f32.
pub(super) fn read_tensors(
    header: &Header,
    bytes: &[u8],
    wanted: &[Entry],
) -> Result<BTreeMap<String, Tensor>, ModelFileError> {
    let mut tensors = BTreeMap::new();
    for source in wanted.iter().flat_map(layout::sources) {
        let Some(info) = header.tensors.get(&source.name) else { continue };
        let name = source.name.clone();
        if info.shape != source.shape {
            let (expected, found) = (source.shape.clone(), info.shape.clone());
            return Err(ModelFileError::WrongShape { name, expected, found });
        }
        let Some(data) = to_f32(&info.dtype, &bytes[header.range(info)]) else {
            let (expected, found) = ("F32, F16 or BF16", info.dtype.clone());
            return Err(ModelFileError::WrongType { name, expected, found });
        };
        tensors.insert(name, Tensor { shape: info.shape.clone(), data });
    }
    Ok(tensors)
}

/// Little-endian values of one of the types that weights are stored in; `None` for others.
pub(super) fn to_f32(dtype: &str, bytes: &[u8]) -> Option<Vec<f32>> {
    fn convert<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (values, _) = bytes.as_chunks::<N>();
        values.iter().map(|&bytes| value(bytes)).collect()
    }
    match dtype {
        "F32" => Some(convert(bytes, f32::from_le_bytes)),
        "F16" => Some(convert(bytes, |b| half::f16::from_le_bytes(b).to_f32())),
        "BF16" => Some(convert(bytes, |b| half::bf16::from_le_bytes(b).to_f32())),
        _ => None,
    }
}

/// Weights drawn so that activations stay of the order of one.
fn random_tensor(source: &Source, random: &mut SplitMix64) -> Tensor {
    let count = source.shape.iter().product();
    let inputs: usize = source.shape.iter().skip(1).product();
    let (mean, spread) = match source.shape.len() {
        1 if source.name.contains("norm") && source.name.ends_with("weight") => (1.0, 0.2),
        1 => (0.0, 0.1),
        // Uniform values in ±s have the variance s²/3.
        _ => (0.0, (3.0 / inputs as f32).sqrt()),
    };
    let data = (0..count).map(|_| mean + spread * random.next()).collect();
    Tensor { shape: source.shape.clone(), data }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and enough for weights that mean nothing.
struct SplitMix64(u64);

impl SplitMix64 {
    /// Uniform in -1..1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{tiny_config, tiny_tokens};

    fn tiny() -> Checkpoint {
        Checkpoint { tokens: tiny_tokens(), ..Checkpoint::random(&tiny_config(), 1).unwrap() }
    }

    /// A checkpoint file whose tensors are stored with `encode`.
    fn stored(checkpoint: &Checkpoint, dtype: &'static str, encode: fn(f32) -> Vec<u8>) -> Vec<u8> {
        let mut metadata = description::write(&checkpoint.config, &checkpoint.tokens).unwrap();
        metadata.insert("format", FORMAT.into());
        let data: Vec<Vec<u8>> =
            checkpoint.tensors.values().map(|tensor| tensor.data.iter().flat_map(|&x| encode(x)).collect()).collect();
        let tensors: Vec<OutTensor<'_>> = checkpoint
            .tensors
            .iter()
            .zip(&data)
            .map(|((name, tensor), data)| OutTensor { name: name.clone(), dtype, shape: tensor.shape.clone(), data })
            .collect();
        container::write(&metadata, &tensors).unwrap()
    }

    #[test]
    fn written_checkpoints_are_read_back() {
        let checkpoint = tiny();
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(bytes, checkpoint.to_bytes().unwrap());
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
    }

    #[test]
    fn half_precision_is_widened() {
        let mut checkpoint = tiny();
        for tensor in checkpoint.tensors.values_mut() {
            tensor.data.iter_mut().for_each(|x| *x = half::bf16::from_f32(*x).to_f32());
        }
        let bf16 = stored(&checkpoint, "BF16", |x| half::bf16::from_f32(x).to_le_bytes().to_vec());
        assert_eq!(Checkpoint::from_bytes(&bf16).unwrap(), checkpoint);
        let f16 = stored(&checkpoint, "F16", |x| half::f16::from_f32(x).to_le_bytes().to_vec());
        let read = Checkpoint::from_bytes(&f16).unwrap();
        for (name, tensor) in &checkpoint.tensors {
            // Eight bits of a bf16 fit the eleven of an f16; what is smaller than its normal range is rounded.
            let close = tensor.data.iter().zip(&read.tensors[name].data).all(|(a, b)| (a - b).abs() < 1e-7);
            assert!(close, "{name}");
        }
    }

    #[test]
    fn other_types_and_formats_are_refused() {
        let i32s = stored(&tiny(), "I32", |x| (x as i32).to_le_bytes().to_vec());
        let error = Checkpoint::from_bytes(&i32s).unwrap_err();
        assert!(matches!(error, ModelFileError::WrongType { expected: "F32, F16 or BF16", .. }), "{error}");
        let foreign = container::write(&BTreeMap::from([("format", "pt".to_string())]), &[]).unwrap();
        let error = Checkpoint::from_bytes(&foreign).unwrap_err();
        assert!(error.to_string().contains("`pt`"), "{error}");
    }

    #[test]
    fn missing_misshapen_and_unusable_tensors_are_named() {
        let name = "encoder.layers.1.self_attn.linear_q.weight";
        let mut checkpoint = tiny();
        let tensor = checkpoint.tensors.remove(name).unwrap();
        let error = checkpoint.validate().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("[24, 24]"), "{error}");

        checkpoint.tensors.insert(name.into(), Tensor { shape: vec![12, 48], ..tensor.clone() });
        let error = checkpoint.validate().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("[24, 24]") && error.contains("[12, 48]"), "{error}");
        let error = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap_err();
        assert!(matches!(error, ModelFileError::WrongShape { .. }), "{error}");

        let mut nan = tensor.clone();
        nan.data[7] = f32::NAN;
        checkpoint.tensors.insert(name.into(), nan);
        assert!(checkpoint.validate().unwrap_err().to_string().contains("value 7 is NaN"));

        checkpoint.tensors.insert(name.into(), tensor);
        checkpoint.validate().unwrap();
        *checkpoint.tensors.get_mut("decoder.prediction.embed.weight").unwrap().data.last_mut().unwrap() = 1.0;
        assert!(checkpoint.validate().unwrap_err().to_string().contains("blank"));
    }

    #[test]
    fn biases_may_be_absent_and_the_table_must_fit() {
        let mut checkpoint = tiny();
        let all = checkpoint.parameters();
        checkpoint.tensors.remove("encoder.layers.0.feed_forward1.linear1.bias").unwrap();
        checkpoint.tensors.remove("encoder.layers.0.conv.depthwise_conv.bias").unwrap();
        checkpoint.validate().unwrap();
        assert_eq!(checkpoint.parameters(), all - 36 - 24);
        checkpoint.tokens = Tokens::new(["a", "b"]).unwrap();
        assert!(checkpoint.validate().unwrap_err().to_string().contains("2 tokens"));
    }

    #[test]
    fn candle_sees_every_tensor() {
        let checkpoint = tiny();
        let vars = checkpoint.var_builder().unwrap();
        for (name, tensor) in &checkpoint.tensors {
            let candle = vars.get(tensor.shape.as_slice(), name).unwrap();
            assert_eq!(candle.flatten_all().unwrap().to_vec1::<f32>().unwrap(), tensor.data, "{name}");
        }
    }
}
