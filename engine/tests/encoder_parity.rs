//! The encoder against NeMo's on the same random weights, and every way of feeding it against the whole utterance at
//! once. `models/parity/` makes the fixtures.
#![cfg(feature = "reference")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use linnet::model::config::ModelConfig;
use linnet::model::encoder::reference::{ReferenceEncoder, ReferenceWeights};
use linnet::model::encoder::{Encoder, EncoderError};

struct Checkpoint {
    config: ModelConfig,
    tensors: HashMap<String, Tensor>,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn checkpoint(path: &Path) -> Checkpoint {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    let config = serde_json::from_str(&metadata["config"]).unwrap();
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    Checkpoint { config, tensors }
}

impl Checkpoint {
    fn reference(&self) -> Arc<ReferenceWeights> {
        let vb = VarBuilder::from_tensors(self.tensors.clone(), DType::F32, &Device::Cpu);
        Arc::new(ReferenceWeights::load(vb.pp("encoder"), &self.config.encoder).unwrap())
    }
}

struct Expected(HashMap<String, Tensor>);

impl Expected {
    fn load() -> Self {
        Self(candle_core::safetensors::load(data("parity-expected.safetensors"), &Device::Cpu).unwrap())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.0[name].flatten_all().unwrap().to_vec1().unwrap()
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "number of values");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Splits of `n` frames that a linear congruential generator draws, `1..=largest` frames each.
fn splits(n: usize, largest: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut left = n;
    let mut parts = Vec::new();
    while left > 0 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let part = ((state >> 33) as usize % largest + 1).min(left);
        parts.push(part);
        left -= part;
    }
    parts
}

fn stream(encoder: &mut dyn Encoder, mel: &[f32], parts: &[usize]) -> Vec<f32> {
    let bins = encoder.config().mel_bins;
    let mut out = Vec::new();
    let (mut at, mut frames) = (0, 0);
    for part in parts {
        frames += encoder.push(&mel[at * bins..][..part * bins], &mut out).unwrap();
        at += part;
    }
    assert_eq!(at * bins, mel.len(), "the splits cover the input");
    frames += encoder.finish(&mut out).unwrap();
    assert_eq!(frames * encoder.config().d_model, out.len(), "frames reported");
    out
}

#[test]
fn reference_forward_is_nemos() {
    let checkpoint = checkpoint(&data("parity-checkpoint.safetensors"));
    let (expected, weights) = (Expected::load(), checkpoint.reference());
    for &look_ahead in &checkpoint.config.encoder.look_aheads {
        let out = weights.forward(&expected.0["mel"], look_ahead).unwrap();
        let out: Vec<f32> = out.flatten_all().unwrap().to_vec1().unwrap();
        let difference = largest_difference(&out, &expected.values(&format!("encoder.{look_ahead}")));
        assert!(difference < 1e-4, "look-ahead {look_ahead}: {difference}");
    }
}

#[test]
fn reference_stream_is_nemos_at_any_split() {
    let checkpoint = checkpoint(&data("parity-checkpoint.safetensors"));
    let (expected, weights) = (Expected::load(), checkpoint.reference());
    let mel = expected.values("mel");
    let n = mel.len() / checkpoint.config.encoder.mel_bins;
    let mut encoder = ReferenceEncoder::new(weights).unwrap();
    for &look_ahead in &checkpoint.config.encoder.look_aheads {
        encoder.set_look_ahead(look_ahead).unwrap();
        let whole = expected.values(&format!("encoder.{look_ahead}"));
        for parts in [vec![n], vec![1; n], splits(n, 40, 1), splits(n, 200, 2)] {
            encoder.reset();
            let out = stream(&mut encoder, &mel, &parts);
            let difference = largest_difference(&out, &whole);
            assert!(difference < 1e-4, "look-ahead {look_ahead}, {} parts: {difference}", parts.len());
        }
    }
}

#[test]
fn short_inputs_are_nemos() {
    let mut checkpoint = checkpoint(&data("parity-checkpoint.safetensors"));
    let expected = Expected::load();
    let mel = expected.values("mel");
    let bins = checkpoint.config.encoder.mel_bins;
    let mut encoder = ReferenceEncoder::new(checkpoint.reference()).unwrap();
    assert_eq!(encoder.look_ahead(), 3);
    for name in expected.0.keys().filter(|name| name.starts_with("short.")) {
        let n: usize = name["short.".len()..].parse().unwrap();
        encoder.reset();
        let out = stream(&mut encoder, &mel[..n * bins], &splits(n, 8, 3));
        let difference = largest_difference(&out, &expected.values(name));
        assert!(difference < 1e-4, "{n} frames: {difference}");
    }
    checkpoint.config.encoder.xscaling = false;
    let mut encoder = ReferenceEncoder::new(checkpoint.reference()).unwrap();
    let out = stream(&mut encoder, &mel[..65 * bins], &[65]);
    let difference = largest_difference(&out, &expected.values("no_xscaling.3"));
    assert!(difference < 1e-4, "without scaling: {difference}");
    assert!(largest_difference(&out, &expected.values("short.65")) > 1e-2, "scaling makes a difference");
}

#[test]
fn misuse_is_an_error() {
    let checkpoint = checkpoint(&data("parity-checkpoint.safetensors"));
    let mut encoder = ReferenceEncoder::new(checkpoint.reference()).unwrap();
    let mut out = Vec::new();
    assert!(matches!(encoder.set_look_ahead(2), Err(EncoderError::LookAhead { asked: 2, .. })));
    assert!(matches!(encoder.push(&[0.0; 81], &mut out), Err(EncoderError::InputLength { values: 81, mel_bins: 80 })));
    assert_eq!(encoder.finish(&mut out).unwrap(), 0, "an empty stream has no frames");
    assert!(matches!(encoder.push(&[0.0; 80], &mut out), Err(EncoderError::Finished)));
    assert!(matches!(encoder.finish(&mut out), Err(EncoderError::Finished)));
    encoder.reset();
    assert_eq!(encoder.push(&[0.0; 80 * 25], &mut out).unwrap(), 4);
}
