//! The encoder and the head against NeMo's on the same random weights, every way of feeding the encoder against the
//! whole utterance at once, and int8 against f32. `models/parity/` makes the fixtures.
#![cfg(feature = "reference")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use linnet::model::checkpoint::Checkpoint;
use linnet::model::encoder::int8::{Int8Encoder, Int8Weights};
use linnet::model::encoder::reference::{ReferenceEncoder, ReferenceWeights};
use linnet::model::encoder::{Encoder, EncoderError};
use linnet::model::file::ModelFile;
use linnet::model::head::{Int8Head, ReferenceHead, TransducerHead};
use linnet::model::pack::pack;
use linnet::nn::Isa;

/// The bound on the relative RMS of int8 against f32 for the fixture. Layers of 32 inputs average fewer rounding errors
/// than those of a real model. Errors add up over the layers: ten of the default model stayed
/// below 3 %, twelve do not.
const FIXTURE_RMS: f32 = 0.04;
const MODEL_RMS: f32 = 0.035;

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixture() -> Checkpoint {
    Checkpoint::open(manifest("tests/data/parity-checkpoint.safetensors")).unwrap()
}

fn reference(checkpoint: &Checkpoint) -> ReferenceEncoder {
    ReferenceEncoder::new(reference_weights(checkpoint)).unwrap()
}

fn reference_weights(checkpoint: &Checkpoint) -> Arc<ReferenceWeights> {
    Arc::new(ReferenceWeights::load(checkpoint.var_builder().unwrap(), &checkpoint.config.encoder).unwrap())
}

fn packed(checkpoint: &Checkpoint) -> ModelFile {
    ModelFile::from_bytes(pack(checkpoint).unwrap()).unwrap()
}

fn int8(checkpoint: &Checkpoint, isa: Isa) -> Int8Encoder {
    let weights = Int8Weights::load(&packed(checkpoint), &checkpoint.config.encoder).unwrap().with_isa(isa);
    Int8Encoder::new(Arc::new(weights)).unwrap()
}

struct Expected(HashMap<String, Tensor>);

impl Expected {
    fn load() -> Self {
        let path = manifest("tests/data/parity-expected.safetensors");
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.0[name].flatten_all().unwrap().to_vec1().unwrap()
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "number of values");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Root mean square of `a - b` relative to that of `b`.
fn relative_rms(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "number of values");
    let error: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    (error / b.iter().map(|b| b.powi(2)).sum::<f32>()).sqrt()
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

/// Feeds an encoder in parts, with a change of look-ahead before some of them.
fn stream(encoder: &mut dyn Encoder, mel: &[f32], parts: &[usize], changes: &[(usize, usize)]) -> Vec<f32> {
    let bins = encoder.config().mel_bins;
    let mut out = Vec::new();
    let (mut at, mut frames) = (0, 0);
    for (i, part) in parts.iter().enumerate() {
        for (_, look_ahead) in changes.iter().filter(|(before, _)| *before == i) {
            encoder.set_look_ahead(*look_ahead).unwrap();
        }
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
    let checkpoint = fixture();
    let (expected, weights) = (Expected::load(), reference_weights(&checkpoint));
    for &look_ahead in &checkpoint.config.encoder.look_aheads {
        let out = weights.forward(&expected.0["mel"], look_ahead).unwrap();
        let out: Vec<f32> = out.flatten_all().unwrap().to_vec1().unwrap();
        let difference = largest_difference(&out, &expected.values(&format!("encoder.{look_ahead}")));
        assert!(difference < 1e-4, "look-ahead {look_ahead}: {difference}");
    }
}

#[test]
fn reference_stream_is_nemos_at_any_split() {
    let checkpoint = fixture();
    let expected = Expected::load();
    let mel = expected.values("mel");
    let n = mel.len() / checkpoint.config.encoder.mel_bins;
    let mut encoder = reference(&checkpoint);
    for &look_ahead in &checkpoint.config.encoder.look_aheads {
        encoder.set_look_ahead(look_ahead).unwrap();
        let whole = expected.values(&format!("encoder.{look_ahead}"));
        for parts in [vec![n], vec![1; n], splits(n, 40, 1), splits(n, 200, 2)] {
            encoder.reset();
            let out = stream(&mut encoder, &mel, &parts, &[]);
            let difference = largest_difference(&out, &whole);
            assert!(difference < 1e-4, "look-ahead {look_ahead}, {} parts: {difference}", parts.len());
        }
    }
}

#[test]
fn short_inputs_are_nemos() {
    let mut checkpoint = fixture();
    let expected = Expected::load();
    let mel = expected.values("mel");
    let bins = checkpoint.config.encoder.mel_bins;
    let (mut encoder, mut quantized) = (reference(&checkpoint), int8(&checkpoint, Isa::detect()));
    assert_eq!(encoder.look_ahead(), 3);
    for name in expected.0.keys().filter(|name| name.starts_with("short.")) {
        let n: usize = name["short.".len()..].parse().unwrap();
        encoder.reset();
        let out = stream(&mut encoder, &mel[..n * bins], &splits(n, 8, 3), &[]);
        let difference = largest_difference(&out, &expected.values(name));
        assert!(difference < 1e-4, "{n} frames: {difference}");
        quantized.reset();
        let rms = relative_rms(&stream(&mut quantized, &mel[..n * bins], &[n], &[]), &out);
        assert!(rms < 2.0 * FIXTURE_RMS, "{n} frames in int8: {rms}");
    }
    checkpoint.config.encoder.xscaling = false;
    let mut encoder = reference(&checkpoint);
    let out = stream(&mut encoder, &mel[..65 * bins], &[65], &[]);
    let difference = largest_difference(&out, &expected.values("no_xscaling.3"));
    assert!(difference < 1e-4, "without scaling: {difference}");
    assert!(largest_difference(&out, &expected.values("short.65")) > 1e-2, "scaling makes a difference");
}

#[test]
fn misuse_is_an_error() {
    let checkpoint = fixture();
    let encoders: [Box<dyn Encoder>; 2] =
        [Box::new(reference(&checkpoint)), Box::new(int8(&checkpoint, Isa::detect()))];
    for mut encoder in encoders {
        let mut out = Vec::new();
        assert!(matches!(encoder.set_look_ahead(2), Err(EncoderError::LookAhead { asked: 2, .. })));
        let odd = encoder.push(&[0.0; 81], &mut out);
        assert!(matches!(odd, Err(EncoderError::InputLength { values: 81, mel_bins: 80 })));
        assert_eq!(encoder.finish(&mut out).unwrap(), 0, "an empty stream has no frames");
        assert!(matches!(encoder.push(&[0.0; 80], &mut out), Err(EncoderError::Finished)));
        assert!(matches!(encoder.finish(&mut out), Err(EncoderError::Finished)));
        encoder.reset();
        assert_eq!(encoder.push(&[0.0; 80 * 25], &mut out).unwrap(), 4);
    }
}

#[test]
fn int8_is_near_f32_on_every_instruction_set() {
    let checkpoint = fixture();
    let expected = Expected::load();
    let mel = expected.values("mel");
    let n = mel.len() / checkpoint.config.encoder.mel_bins;
    for isa in Isa::available() {
        let mut encoder = int8(&checkpoint, isa);
        for &look_ahead in &checkpoint.config.encoder.look_aheads {
            encoder.set_look_ahead(look_ahead).unwrap();
            encoder.reset();
            let whole = stream(&mut encoder, &mel, &[n], &[]);
            let rms = relative_rms(&whole, &expected.values(&format!("encoder.{look_ahead}")));
            println!("{isa}, look-ahead {look_ahead}: relative RMS {rms:.4}");
            assert!(rms < FIXTURE_RMS, "{isa}, look-ahead {look_ahead}: {rms}");
            for parts in [vec![1; n], splits(n, 40, 4)] {
                encoder.reset();
                assert_eq!(stream(&mut encoder, &mel, &parts, &[]), whole, "{isa}, look-ahead {look_ahead}");
            }
        }
    }
}

#[test]
fn the_look_ahead_changes_between_chunks() {
    let checkpoint = fixture();
    let mel = Expected::load().values("mel");
    let (n, d) = (mel.len() / checkpoint.config.encoder.mel_bins, checkpoint.config.encoder.d_model);
    let (mut f32, mut quantized) = (reference(&checkpoint), int8(&checkpoint, Isa::detect()));
    let parts = splits(n, 20, 5);
    let changes = [(0, 13), (9, 0), (15, 6), (22, 1), (23, 3)];
    let out = stream(&mut f32, &mel, &parts, &changes);
    assert_eq!(out.len() / d, 43, "a change loses and repeats nothing");
    let rms = relative_rms(&stream(&mut quantized, &mel, &parts, &changes), &out);
    assert!(rms < FIXTURE_RMS, "{rms}");

    // Until the first change takes effect, all is as without it.
    f32.reset();
    f32.set_look_ahead(13).unwrap();
    let unchanged = stream(&mut f32, &mel, &parts, &[]);
    assert!(largest_difference(&out[..14 * d], &unchanged[..14 * d]) < 1e-5);
    assert!(largest_difference(&out, &unchanged) > 1e-2);
}

#[test]
fn heads_join_as_nemos() {
    let checkpoint = fixture();
    let expected = Expected::load();
    let exact = ReferenceHead::load(checkpoint.var_builder().unwrap(), &checkpoint.config).unwrap();
    let quantized = Int8Head::load(&packed(&checkpoint), &checkpoint.config).unwrap();
    let tokens = expected.values("tokens");
    let frames = &expected.values("encoder.3")[..4 * checkpoint.config.encoder.d_model];
    let wanted = expected.values("logits");
    for (head, name) in [(&exact as &dyn TransducerHead, "f32"), (&quantized, "int8")] {
        let (mut state, mut scratch) = (head.new_state(), head.new_scratch());
        let mut projected = Vec::new();
        head.project(frames, &mut projected, &mut scratch);
        // `[frame, token, score]`, as NeMo orders them; the state before the first token comes first.
        let scores = head.vocab_size() + 1;
        let mut logits = vec![0.0; 4 * (tokens.len() + 1) * scores];
        head.start(&mut state, &mut scratch);
        for step in 0..=tokens.len() {
            if step > 0 {
                head.advance(tokens[step - 1] as u32, &mut state, &mut scratch);
            }
            for (frame, projected) in projected.chunks_exact(head.joiner_width()).enumerate() {
                let at = (frame * (tokens.len() + 1) + step) * scores;
                head.logits(projected, &state, &mut scratch, &mut logits[at..][..scores]);
            }
        }
        let (difference, rms) = (largest_difference(&logits, &wanted), relative_rms(&logits, &wanted));
        println!("{name}: largest difference {difference:.2e}, relative RMS {rms:.4}");
        assert!(if name == "f32" { difference < 1e-4 } else { rms < FIXTURE_RMS }, "{name}: {difference}, {rms}");
    }
}

#[test]
fn int8_is_near_f32_for_the_default_model() {
    let path = manifest("../models/linnet-en.safetensors");
    let Ok(checkpoint) = Checkpoint::open(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let mel = Expected::load().values("mel");
    let n = mel.len() / checkpoint.config.encoder.mel_bins;
    let weights = reference_weights(&checkpoint);
    let (mut exact, mut quantized) = (reference(&checkpoint), int8(&checkpoint, Isa::detect()));
    for &look_ahead in &checkpoint.config.encoder.look_aheads {
        for encoder in [&mut exact as &mut dyn Encoder, &mut quantized] {
            encoder.reset();
            encoder.set_look_ahead(look_ahead).unwrap();
        }
        let streamed = stream(&mut exact, &mel, &splits(n, 30, 6), &[]);
        let input = Tensor::from_slice(&mel, (n, checkpoint.config.encoder.mel_bins), &Device::Cpu).unwrap();
        let whole: Vec<f32> = weights.forward(&input, look_ahead).and_then(|x| x.flatten_all()?.to_vec1()).unwrap();
        let difference = largest_difference(&streamed, &whole);
        assert!(difference < 1e-4, "look-ahead {look_ahead}: {difference}");
        let rms = relative_rms(&stream(&mut quantized, &mel, &[n], &[]), &whole);
        println!("look-ahead {look_ahead}: relative RMS of int8 {rms:.4}");
        assert!(rms < MODEL_RMS, "look-ahead {look_ahead}: {rms}");
    }
}
