//! Tests on a tiny archive with random weights that `models/convert/tests/make_tiny_nemo.py` has made.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::model::open::{open_any, open_checkpoint};

const ARCHIVE: &[u8] = include_bytes!("../../tests/data/tiny.nemo");

/// The archive with its parts changed, or left out.
fn rebuilt(change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in parts(ARCHIVE).unwrap() {
        let Some(data) = change(&name, data.to_vec()) else { continue };
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, &name, &data[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The archive with a line of its configuration replaced.
fn configured(from: &str, to: &str) -> Vec<u8> {
    rebuilt(|name, data| {
        if name != CONFIG {
            return Some(data);
        }
        let text = String::from_utf8(data).unwrap();
        assert!(text.contains(from), "`{from}` is not in the configuration");
        Some(text.replacen(from, to, 1).into_bytes())
    })
}

fn crc32(name: &str) -> u64 {
    crc32fast::hash(name.as_bytes()).into()
}

#[test]
fn shape_tokens_and_weights_arrive() {
    let checkpoint = read(ARCHIVE, "tiny").unwrap();
    let config = &checkpoint.config;
    assert_eq!((config.name.as_str(), config.language.as_str()), ("tiny", "und"));
    assert_eq!(
        config.features,
        FeatureConfig {
            sample_rate_hz: 16_000,
            fft: 512,
            window: 400,
            hop: 160,
            mel_bins: 24,
            low_hz: 0.0,
            high_hz: 8000.0,
            preemphasis: 0.97,
        }
    );
    assert_eq!(
        config.encoder,
        EncoderConfig {
            mel_bins: 24,
            d_model: 16,
            layers: 2,
            heads: 2,
            d_ff: 64,
            conv_kernel: 5,
            subsampling_channels: 4,
            subsampling: 8,
            xscaling: false,
            left_context: 12,
            look_aheads: vec![0, 1, 3],
            default_look_ahead: 3,
        }
    );
    assert_eq!((config.predictor.hidden, config.predictor.layers), (12, 1));
    assert_eq!((config.joiner.hidden, config.joiner.activation), (10, Activation::Relu));
    assert_eq!(config.vocab_size, 30);
    assert_eq!(checkpoint.tokens.piece(0), Some("<unk>"));
    assert!(checkpoint.tokens.is_special(checkpoint.tokens.id("<EOU>").unwrap()));
    assert!(checkpoint.tokens.pieces().any(|piece| piece == "▁the"));

    assert_eq!(checkpoint.tensors.len(), 12 + 2 * 37 + 5 + 6);
    for (name, tensor) in &checkpoint.tensors {
        let used = if name.ends_with("embed.weight") { tensor.data.len() - 12 } else { tensor.data.len() };
        for (i, &value) in tensor.data[..used].iter().enumerate() {
            let expected = ((crc32(name) + 7919 * i as u64) % 2001) as f32 - 1000.0;
            assert_eq!(value, expected / 1000.0, "{name} {i}");
        }
    }
}

#[test]
fn archives_are_opened_by_content() {
    let folder = std::env::temp_dir().join(format!("linnet-nemo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(ARCHIVE).unwrap();
    let checkpoint = read(ARCHIVE, "model").unwrap();
    let packed = crate::model::pack::pack(&checkpoint).unwrap();
    for (form, bytes) in [
        ("tar", ARCHIVE.to_vec()),
        ("gzip", gzip.finish().unwrap()),
        ("checkpoint", checkpoint.to_bytes().unwrap()),
        ("packed", packed.clone()),
    ] {
        let path = folder.join("model.bin");
        std::fs::write(&path, bytes).unwrap();
        let file = open_any(&path).unwrap();
        assert_eq!(file.config(), &checkpoint.config, "{form}");
        assert_eq!(file.size_bytes(), packed.len(), "{form}");
        assert_eq!(file.tensor("joint.enc.bias").unwrap().len(), 16);
        match open_checkpoint(&path) {
            Ok(opened) => assert!(opened == checkpoint && form != "packed", "{form}"),
            Err(error) => assert!(matches!(error, ModelFileError::IsPacked) && form == "packed", "{form}: {error}"),
        }
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::write(folder.join("text"), "no model at all, but some text that is long enough").unwrap();
    let error = open_any(folder.join("text")).unwrap_err();
    assert!(matches!(error, ModelFileError::NotAModel { .. }), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_run_is_named() {
    for (from, to, field, value) in [
        ("conv_norm_type: layer_norm", "conv_norm_type: batch_norm", "encoder.conv_norm_type", "batch_norm"),
        ("causal_downsampling: true", "causal_downsampling: false", "encoder.causal_downsampling", "false"),
        ("att_context_style: chunked_limited", "att_context_style: regular", "encoder.att_context_style", "regular"),
        ("normalize: NA", "normalize: per_feature", "preprocessor.normalize", "per_feature"),
        ("window: hann", "window: hamming", "preprocessor.window", "hamming"),
        ("subsampling: dw_striding", "subsampling: striding", "encoder.subsampling", "striding"),
        ("conv_context_size: causal", "conv_context_size: [2, 2]", "encoder.conv_context_size", "[2,2]"),
        ("modules.RNNTDecoder", "modules.StatelessTransducerDecoder", "decoder._target_", "Stateless"),
        ("log_softmax: null", "num_extra_outputs: 5", "joint.num_extra_outputs", "5"),
        ("loss_name: default", "loss_name: tdt", "loss.loss_name", "tdt"),
        ("pred_hidden: 12", "tdt_durations: [0, 1, 2]", "model_defaults.tdt_durations", "[0,1,2]"),
        ("activation: relu", "activation: swish", "joint.jointnet.activation", "swish"),
        ("sample_rate: 16000\nmodel", "num_prompts: 128\nmodel", "num_prompts", "128"),
        ("d_model: 16", "d_model: wide", "encoder.d_model", "wide"),
        ("n_heads: 2", "n_heads: null", "encoder.n_heads", "absent"),
    ] {
        let error = read(&configured(from, to), "tiny").unwrap_err();
        let ModelFileError::Unsupported { field: found, value: shown, .. } = &error else { panic!("{field}: {error}") };
        assert_eq!(found, field, "{error}");
        assert!(shown.contains(value), "{error}");
    }
}

#[test]
fn numbers_that_make_no_model_are_named() {
    let error = read(&configured("n_heads: 2", "n_heads: 0"), "tiny").unwrap_err().to_string();
    assert!(error.contains("`encoder.heads` is 0"), "{error}");
    let error = read(&configured("subsampling_factor: 8", "subsampling_factor: 4"), "tiny").unwrap_err().to_string();
    assert!(error.contains("`encoder.subsampling` is 4"), "{error}");
    let error = read(&configured("joint_hidden: 10\n    activation", "joint_hidden: 11\n    activation"), "tiny");
    assert!(matches!(error, Err(ModelFileError::WrongShape { .. })));
}

#[test]
fn attention_contexts_are_a_pair_or_a_list() {
    let contexts = |text: &str| {
        let yaml = Yaml::parse(format!("encoder:\n  att_context_size: {text}\n").as_bytes()).unwrap();
        attention_contexts(&yaml).map_err(|error| error.to_string())
    };
    assert_eq!(contexts("[70, 13]"), Ok((70, vec![13], 13)));
    assert_eq!(contexts("[[70, 13], [70, 6], [70, 1], [70, 0]]"), Ok((70, vec![0, 1, 6, 13], 13)));
    for other in ["[-1, -1]", "[[70, 13], [140, 6]]", "[70]", "[]", "null", "full"] {
        assert!(contexts(other).unwrap_err().contains("encoder.att_context_size"), "{other}");
    }
}

#[test]
fn tokens_come_from_the_configuration_when_the_tokenizer_has_not_all() {
    let without = rebuilt(|name, data| (!name.ends_with("tokenizer.model")).then_some(data));
    let listed = read(&without, "tiny").unwrap();
    assert_eq!(listed.tokens, read(ARCHIVE, "tiny").unwrap().tokens);
    let error =
        read(&configured("num_classes: 30\n  vocabulary", "num_classes: 31\n  vocabulary"), "tiny").unwrap_err();
    assert!(error.to_string().contains("30 pieces") && error.to_string().contains("31"), "{error}");
}

#[test]
fn incomplete_archives_are_refused() {
    for part in [CONFIG, WEIGHTS] {
        let error = read(&rebuilt(|name, data| (name != part).then_some(data)), "tiny").unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let error = read(&rebuilt(|name, data| Some(if name == WEIGHTS { b"torch".into() } else { data })), "tiny");
    assert!(error.unwrap_err().to_string().contains(WEIGHTS));
    assert!(read(&ARCHIVE[..ARCHIVE.len() / 2], "tiny").is_err());
    assert!(read(&[], "tiny").is_err());
}

#[test]
fn the_output_layer_is_found_without_dropout() {
    assert_eq!(output_layer("joint.joint_net.1.weight"), "joint.joint_net.2.weight");
    assert_eq!(output_layer("joint.joint_net.2.bias"), "joint.joint_net.2.bias");
    assert_eq!(output_layer("joint.enc.bias"), "joint.enc.bias");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever happens to the bytes, an archive is refused or read, and nothing panics.
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = ARCHIVE.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = read(&bytes, "tiny");
    }

    /// The same for the text of the configuration alone.
    #[test]
    fn changed_configurations_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let bytes = rebuilt(|name, mut data| {
            if name == CONFIG {
                for (at, value) in &changes {
                    let at = at.index(data.len());
                    data[at] = *value;
                }
            }
            Some(data)
        });
        let _ = read(&bytes, "tiny");
    }
}
