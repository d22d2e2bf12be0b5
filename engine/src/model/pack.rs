//! Packs a checkpoint into the bytes of a model file: int8 weights in the order that the kernels read, scales, and
//! what stays f32. The layout is in `models/FORMAT.md`.

use std::borrow::Cow;

use crate::nn::{Dense, Shared};

use super::checkpoint::Checkpoint;
use super::container::{self, ALIGNMENT, OutTensor};
use super::description;
use super::error::ModelFileError;
use super::file;
use super::layout::{self, DenseEntry, Entry, Source, TableEntry};

/// The model file of a checkpoint. The same checkpoint gives the same bytes, on every machine.
///
/// # Errors
/// [`ModelFileError`] when the checkpoint is not complete: see [`Checkpoint::validate`].
pub fn pack(checkpoint: &Checkpoint) -> Result<Vec<u8>, ModelFileError> {
    checkpoint.validate()?;
    let mut packed = Vec::new();
    for entry in layout::entries(&checkpoint.config) {
        match entry {
            Entry::Plain(source) => {
                let values = values(checkpoint, &source)?;
                packed.push(Packed { name: source.name, shape: source.shape, values: Values::Plain(values) });
            }
            Entry::Dense(dense) => pack_dense(checkpoint, &dense, &mut packed)?,
            Entry::InputTable(table) => packed.push(Packed {
                shape: table.shape.into(),
                values: Values::Plain(input_table(checkpoint, &table)?.into()),
                name: table.name,
            }),
        }
    }
    let tables = checkpoint.ngrams.iter().flat_map(|ngrams| ngrams.to_tensors());
    packed.extend(tables.map(|OutTensor { name, dtype, shape, data }| Packed {
        name,
        shape,
        values: Values::Table(dtype, data),
    }));
    // Int8 panels are read a cache line at a time, so they come first, where every one of them starts at a cache line;
    // then the other tensors of whole cache lines, and last the tables of small numbers, which would break that.
    packed.sort_by_key(|tensor| match &tensor.values {
        Values::I8(_) => 0,
        Values::Table(dtype, _) => 3 + u8::from(*dtype == "U8"),
        values => 1 + u8::from(!values.bytes().len().is_multiple_of(ALIGNMENT)),
    });

    let mut checksum = crc32fast::Hasher::new();
    packed.iter().for_each(|tensor| checksum.update(tensor.values.bytes()));
    let mut metadata = description::write(&checkpoint.config, &checkpoint.tokens)?;
    metadata.insert("format", file::FORMAT.into());
    metadata.insert("format_version", file::FORMAT_VERSION.to_string());
    metadata.insert("crc32", format!("{:08x}", checksum.finalize()));
    let out: Vec<OutTensor<'_>> = packed
        .iter()
        .map(|tensor| OutTensor {
            name: tensor.name.clone(),
            dtype: tensor.values.dtype(),
            shape: tensor.shape.clone(),
            data: tensor.values.bytes(),
        })
        .collect();
    container::write(&metadata, &out)
}

/// A tensor of the model file.
struct Packed<'a> {
    name: String,
    shape: Vec<usize>,
    values: Values<'a>,
}

enum Values<'a> {
    I8(Shared<i8>),
    I32(Shared<i32>),
    F32(Shared<f32>),
    Plain(Cow<'a, [f32]>),
    /// Its type, and its bytes.
    Table(&'static str, &'a [u8]),
}

impl Values<'_> {
    fn dtype(&self) -> &'static str {
        match self {
            Self::I8(_) => "I8",
            Self::I32(_) => "I32",
            Self::F32(_) | Self::Plain(_) => "F32",
            Self::Table(dtype, _) => dtype,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::I8(values) => bytemuck::cast_slice(values),
            Self::I32(values) => bytemuck::cast_slice(values),
            Self::F32(values) => bytemuck::cast_slice(values),
            Self::Plain(values) => bytemuck::cast_slice(values),
            Self::Table(_, bytes) => bytes,
        }
    }
}

fn pack_dense(checkpoint: &Checkpoint, entry: &DenseEntry, packed: &mut Vec<Packed<'_>>) -> Result<(), ModelFileError> {
    let layer = quantize(checkpoint, entry)?;
    let [panels, groups, ..] = file::packed_shape(entry.n, entry.k);
    let channels = vec![panels * file::PANEL];
    let weight = vec![panels, groups, file::PANEL, file::GROUP];
    for (part, shape, values) in [
        ("weight", weight, Values::I8(layer.weight)),
        ("scale", channels.clone(), Values::F32(layer.scale)),
        ("sum", channels.clone(), Values::I32(layer.sum)),
        ("bias", channels, Values::F32(layer.bias)),
    ] {
        packed.push(Packed { name: format!("{}.{part}", entry.name), shape, values });
    }
    Ok(())
}

/// Stacks the parts of a layer and quantizes them.
fn quantize(checkpoint: &Checkpoint, entry: &DenseEntry) -> Result<Dense, ModelFileError> {
    let mut weight = Vec::with_capacity(entry.n * entry.k);
    let mut bias = Vec::with_capacity(entry.n);
    for part in &entry.parts {
        weight.extend_from_slice(&values(checkpoint, &part.weight)?);
        let rows = part.weight.shape[0];
        bias.resize(bias.len() + rows, 0.0);
        let own = bias.len() - rows;
        for source in &part.biases {
            add(&mut bias[own..], &values(checkpoint, source)?);
        }
    }
    Ok(Dense::quantize(&weight, Some(&bias), entry.n, entry.k))
}

/// Computes `embed · Wᵀ + b_ih + b_hh` for every token.
fn input_table(checkpoint: &Checkpoint, table: &TableEntry) -> Result<Vec<f32>, ModelFileError> {
    let embed = values(checkpoint, &table.embed)?;
    let weight = values(checkpoint, &table.weight)?;
    let [gates, hidden] = [table.weight.shape[0], table.weight.shape[1]];
    // Transposed, so that the inner loop runs over neighbouring gates.
    let mut transposed = vec![0.0; weight.len()];
    for (gate, row) in weight.chunks_exact(hidden).enumerate() {
        for (input, &w) in row.iter().enumerate() {
            transposed[input * gates + gate] = w;
        }
    }
    let mut biases = vec![0.0; gates];
    for source in &table.biases {
        add(&mut biases, &values(checkpoint, source)?);
    }
    let mut rows = Vec::with_capacity(table.shape[0] * gates);
    for embedding in embed.chunks_exact(hidden) {
        let start = rows.len();
        rows.extend_from_slice(&biases);
        for (&x, weights) in embedding.iter().zip(transposed.chunks_exact(gates)) {
            rows[start..].iter_mut().zip(weights).for_each(|(sum, w)| *sum += x * w);
        }
    }
    Ok(rows)
}

/// The values of a tensor: zeros where it may be absent and is.
fn values<'a>(checkpoint: &'a Checkpoint, source: &Source) -> Result<Cow<'a, [f32]>, ModelFileError> {
    match checkpoint.tensor(&source.name) {
        Some(values) => Ok(values.into()),
        None if source.optional => Ok(vec![0.0; source.shape.iter().product()].into()),
        None => Err(ModelFileError::MissingTensor { name: source.name.clone(), expected: source.shape.clone() }),
    }
}

fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::ModelFile;
    use crate::model::testing::tiny_config;

    /// Largest difference between weights and their quantized form, in steps of the coarsest channel.
    fn steps_off(dense: &Dense, weight: &[f32]) -> f32 {
        let step = dense.scale.iter().fold(0.0_f32, |max, &scale| max.max(scale));
        let off = dense.dequantize().iter().zip(weight).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
        off / step
    }

    #[test]
    fn packing_is_deterministic_and_reads_back() {
        let checkpoint = Checkpoint::random(&tiny_config(), 3).unwrap();
        let bytes = pack(&checkpoint).unwrap();
        assert_eq!(bytes, pack(&checkpoint).unwrap());
        let file = ModelFile::from_bytes(&bytes).unwrap();
        assert_eq!(file.config(), &checkpoint.config);
        assert_eq!(file.tokens(), &checkpoint.tokens);
        assert_eq!(file.parameters(), checkpoint.parameters() as u64);
        assert_eq!(file.size_bytes(), bytes.len());
    }

    #[test]
    fn attention_inputs_are_stacked() {
        let checkpoint = Checkpoint::random(&tiny_config(), 4).unwrap();
        let file = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        let dense = file.dense("encoder.layers.1.self_attn.linear_qkv").unwrap();
        let part = |which: &str, kind: &str| {
            checkpoint.tensor(&format!("encoder.layers.1.self_attn.linear_{which}.{kind}")).unwrap()
        };
        let stacked = |kind: &str| [part("q", kind), part("k", kind), part("v", kind)].concat();
        assert_eq!((dense.n, dense.k), (72, 24));
        assert!(steps_off(&dense, &stacked("weight")) < 0.501);
        assert_eq!(dense.bias[..72], stacked("bias"));
        assert_eq!(dense.bias[72..], [0.0; 8]);
    }

    #[test]
    fn the_input_table_is_the_lstm_input_of_each_token() {
        let checkpoint = Checkpoint::random(&tiny_config(), 5).unwrap();
        let file = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        let table = file.tensor("decoder.prediction.input_table").unwrap();
        let lstm = |name: &str| checkpoint.tensor(&format!("decoder.prediction.dec_rnn.lstm.{name}_l0")).unwrap();
        let embed = checkpoint.tensor("decoder.prediction.embed.weight").unwrap();
        let (tokens, hidden, gates) = (10, 10, 40);
        assert_eq!(table.len(), tokens * gates);
        for token in 0..tokens {
            for gate in 0..gates {
                let dot: f64 = (0..hidden)
                    .map(|i| f64::from(embed[token * hidden + i]) * f64::from(lstm("weight_ih")[gate * hidden + i]))
                    .sum();
                let expected = dot + f64::from(lstm("bias_ih")[gate]) + f64::from(lstm("bias_hh")[gate]);
                assert!((f64::from(table[token * gates + gate]) - expected).abs() < 1e-5);
            }
        }
        assert_eq!(file.dense("decoder.prediction.dec_rnn.lstm.hh_l0").unwrap().bias[..], [0.0; 48]);
    }

    #[test]
    fn upper_lstm_layers_keep_their_input_side() {
        let mut config = tiny_config();
        config.predictor.layers = 2;
        let checkpoint = Checkpoint::random(&config, 6).unwrap();
        let file = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        let dense = file.dense("decoder.prediction.dec_rnn.lstm.ih_l1").unwrap();
        let lstm = |name: &str| checkpoint.tensor(&format!("decoder.prediction.dec_rnn.lstm.{name}_l1")).unwrap();
        assert!(steps_off(&dense, lstm("weight_ih")) < 0.501);
        let sum: Vec<f32> = lstm("bias_ih").iter().zip(lstm("bias_hh")).map(|(a, b)| a + b).collect();
        assert_eq!(dense.bias[..40], sum);
    }

    #[test]
    fn absent_biases_become_zero_and_the_rest_stays() {
        let mut checkpoint = Checkpoint::random(&tiny_config(), 7).unwrap();
        checkpoint.tensors.remove("encoder.layers.0.conv.pointwise_conv1.bias").unwrap();
        checkpoint.tensors.remove("encoder.layers.0.conv.depthwise_conv.bias").unwrap();
        let file = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        let dense = file.dense("encoder.layers.0.conv.pointwise_conv1").unwrap();
        assert!(dense.bias.iter().all(|&bias| bias == 0.0));
        assert_eq!(file.tensor("encoder.layers.0.conv.depthwise_conv.bias").unwrap()[..], [0.0; 24]);
        let name = "encoder.layers.0.self_attn.pos_bias_u";
        assert_eq!(file.tensor(name).unwrap()[..], *checkpoint.tensor(name).unwrap());
    }

    #[test]
    fn incomplete_checkpoints_are_refused() {
        let mut checkpoint = Checkpoint::random(&tiny_config(), 8).unwrap();
        checkpoint.tensors.remove("joint.pred.weight").unwrap();
        assert!(pack(&checkpoint).unwrap_err().to_string().contains("joint.pred.weight"));
    }
}
