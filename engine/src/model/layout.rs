//! The tensors of a model: which ones its configuration implies in a checkpoint, and what becomes of them in a packed
//! file. The names are those of NeMo's FastConformer transducers.

use super::config::{EncoderConfig, EndpointConfig, LanguageNetworkConfig, ModelConfig, SpeakerNetworkConfig};

/// One entry of a packed model and the checkpoint tensors it is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// A tensor that stays f32, with its shape.
    Plain(Source),
    /// Linear layers over the same input, stacked to one int8 layer.
    Dense(DenseEntry),
    /// The input side of the first LSTM layer for every token: `embed · W_ihᵀ + b_ih + b_hh`, `[V + 1, 4 P]`.
    InputTable(TableEntry),
}

/// A tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub name: String,
    pub shape: Vec<usize>,
    /// May be absent, and is zero then: biases of models trained without them.
    pub optional: bool,
}

/// A dense layer `[n, k]` of a packed model: the rows of `parts` in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DenseEntry {
    pub name: String,
    pub n: usize,
    pub k: usize,
    pub parts: Vec<DensePart>,
}

/// One linear layer of a checkpoint. Its bias is the sum of `biases`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DensePart {
    pub weight: Source,
    pub biases: Vec<Source>,
}

/// The sources of the input table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TableEntry {
    pub name: String,
    pub shape: [usize; 2],
    pub embed: Source,
    pub weight: Source,
    pub biases: [Source; 2],
}

/// Everything a model with this configuration consists of, in a fixed order.
pub(super) fn entries(config: &ModelConfig) -> Vec<Entry> {
    let mut entries = Vec::new();
    subsampling(&config.encoder, &mut entries);
    for layer in 0..config.encoder.layers {
        conformer_layer(&config.encoder, &format!("encoder.layers.{layer}"), &mut entries);
    }
    predictor(config, &mut entries);
    let (frame, inner) = (config.encoder.d_model, config.joiner.hidden);
    entries.push(linear("joint.enc", inner, frame));
    entries.push(linear("joint.pred", inner, config.predictor.hidden));
    entries.push(linear("joint.joint_net.2", config.vocab_size + 1, inner));
    if let Some(endpoint) = &config.endpoint {
        entries.extend(endpointing(endpoint, config.features.mel_bins));
    }
    if let Some(network) = &config.speaker {
        entries.extend(speaker(network, config.features.mel_bins));
    }
    if let Some(network) = &config.language_network {
        entries.extend(language(network, config.vocab_size));
    }
    entries
}

/// The endpointing network, an optional part of a model.
pub(super) fn endpointing(config: &EndpointConfig, mel_bins: usize) -> Vec<Entry> {
    let (width, hidden) = (config.width, config.hidden);
    let gates = |side: &str, inputs: usize| {
        let weight = source(format!("endpoint.gru.weight_{side}_l0"), &[3 * hidden, inputs]);
        let bias = source(format!("endpoint.gru.bias_{side}_l0"), &[3 * hidden]);
        let parts = vec![DensePart { weight, biases: vec![bias] }];
        Entry::Dense(DenseEntry { name: format!("endpoint.gru.{side}"), n: 3 * hidden, k: inputs, parts })
    };
    vec![
        plain("endpoint.mean".into(), &[mel_bins]),
        plain("endpoint.scale".into(), &[mel_bins]),
        linear("endpoint.input", width, config.inputs(mel_bins)),
        gates("ih", width),
        gates("hh", hidden),
        linear("endpoint.output", 2, hidden),
    ]
}

/// The speaker network, an optional part of a model.
pub(super) fn speaker(config: &SpeakerNetworkConfig, mel_bins: usize) -> Vec<Entry> {
    let SpeakerNetworkConfig { stack, width, blocks, embedding, .. } = *config;
    let mut entries = vec![
        plain("speaker.mean".into(), &[mel_bins]),
        plain("speaker.scale".into(), &[mel_bins]),
        linear("speaker.input", width, stack * mel_bins),
    ];
    for block in 0..blocks {
        entries.push(plain(format!("speaker.blocks.{block}.taps"), &[width, 3]));
        entries.push(linear(&format!("speaker.blocks.{block}.linear"), width, width));
    }
    entries.push(linear("speaker.gate", 1, width));
    entries.push(plain("speaker.pool.scale".into(), &[2 * width]));
    entries.push(plain("speaker.pool.bias".into(), &[2 * width]));
    entries.push(linear("speaker.output", embedding, 2 * width));
    entries
}

/// The language network, an optional part of a model.
pub(super) fn language(config: &LanguageNetworkConfig, vocab_size: usize) -> Vec<Entry> {
    let LanguageNetworkConfig { embedding, hidden, .. } = *config;
    let at = |name: &str| format!("language_network.lstm.{name}");
    let biases = ["ih", "hh"].map(|side| source(at(&format!("bias_{side}_l0")), &[4 * hidden]));
    let input = DensePart { weight: source(at("weight_ih_l0"), &[4 * hidden, embedding]), biases: biases.into() };
    vec![
        plain("language_network.embed.weight".into(), &[vocab_size + 1, embedding]),
        Entry::Dense(DenseEntry { name: at("ih"), n: 4 * hidden, k: embedding, parts: vec![input] }),
        without_bias(at("hh"), at("weight_hh_l0"), &[4 * hidden, hidden]),
        linear("language_network.output", vocab_size + 1, hidden),
    ]
}

/// The checkpoint tensors of an entry.
pub(super) fn sources(entry: &Entry) -> Vec<&Source> {
    match entry {
        Entry::Plain(source) => vec![source],
        Entry::Dense(dense) => {
            dense.parts.iter().flat_map(|part| std::iter::once(&part.weight).chain(&part.biases)).collect()
        }
        Entry::InputTable(table) => [&table.embed, &table.weight].into_iter().chain(&table.biases).collect(),
    }
}

fn subsampling(config: &EncoderConfig, entries: &mut Vec<Entry>) {
    let channels = config.subsampling_channels;
    let conv = |index: usize| format!("encoder.pre_encode.conv.{index}");
    for index in [0, 2, 5] {
        entries.push(plain(format!("{}.weight", conv(index)), &[channels, 1, 3, 3]));
        entries.push(optional(format!("{}.bias", conv(index)), &[channels]));
        if index != 0 {
            entries.push(dense(&conv(index + 1), &[channels, channels, 1, 1]));
        }
    }
    entries.push(linear("encoder.pre_encode.out", config.d_model, channels * config.subsampled_bins()));
}

fn conformer_layer(config: &EncoderConfig, prefix: &str, entries: &mut Vec<Entry>) {
    let d = config.d_model;
    let at = |name: &str| format!("{prefix}.{name}");
    let norm = |name: &str, entries: &mut Vec<Entry>| {
        entries.push(plain(at(&format!("{name}.weight")), &[d]));
        entries.push(plain(at(&format!("{name}.bias")), &[d]));
    };

    norm("norm_feed_forward1", entries);
    entries.push(linear(&at("feed_forward1.linear1"), config.d_ff, d));
    entries.push(linear(&at("feed_forward1.linear2"), d, config.d_ff));

    norm("norm_self_att", entries);
    let heads = [config.heads, d / config.heads];
    entries.push(plain(at("self_attn.pos_bias_u"), &heads));
    entries.push(plain(at("self_attn.pos_bias_v"), &heads));
    let parts = ["q", "k", "v"].map(|which| part(&at(&format!("self_attn.linear_{which}")), &[d, d]));
    entries.push(Entry::Dense(DenseEntry { name: at("self_attn.linear_qkv"), n: 3 * d, k: d, parts: parts.into() }));
    entries.push(linear(&at("self_attn.linear_out"), d, d));
    entries.push(without_bias(at("self_attn.linear_pos"), at("self_attn.linear_pos.weight"), &[d, d]));

    norm("norm_conv", entries);
    entries.push(dense(&at("conv.pointwise_conv1"), &[2 * d, d, 1]));
    entries.push(plain(at("conv.depthwise_conv.weight"), &[d, 1, config.conv_kernel]));
    entries.push(optional(at("conv.depthwise_conv.bias"), &[d]));
    norm("conv.batch_norm", entries);
    entries.push(dense(&at("conv.pointwise_conv2"), &[d, d, 1]));

    norm("norm_feed_forward2", entries);
    entries.push(linear(&at("feed_forward2.linear1"), config.d_ff, d));
    entries.push(linear(&at("feed_forward2.linear2"), d, config.d_ff));
    norm("norm_out", entries);
}

fn predictor(config: &ModelConfig, entries: &mut Vec<Entry>) {
    let (hidden, tokens) = (config.predictor.hidden, config.vocab_size + 1);
    let at = |name: &str| format!("decoder.prediction.dec_rnn.lstm.{name}");
    let gates = 4 * hidden;
    for layer in 0..config.predictor.layers {
        let weight = source(at(&format!("weight_ih_l{layer}")), &[gates, hidden]);
        let biases = ["ih", "hh"].map(|side| source(at(&format!("bias_{side}_l{layer}")), &[gates]));
        entries.push(if layer == 0 {
            Entry::InputTable(TableEntry {
                name: "decoder.prediction.input_table".into(),
                shape: [tokens, gates],
                embed: source("decoder.prediction.embed.weight".into(), &[tokens, hidden]),
                weight,
                biases,
            })
        } else {
            let parts = vec![DensePart { weight, biases: biases.into() }];
            Entry::Dense(DenseEntry { name: at(&format!("ih_l{layer}")), n: gates, k: hidden, parts })
        });
        entries.push(without_bias(at(&format!("hh_l{layer}")), at(&format!("weight_hh_l{layer}")), &[gates, hidden]));
    }
}

fn source(name: String, shape: &[usize]) -> Source {
    Source { name, shape: shape.into(), optional: false }
}

fn plain(name: String, shape: &[usize]) -> Entry {
    Entry::Plain(source(name, shape))
}

fn optional(name: String, shape: &[usize]) -> Entry {
    Entry::Plain(Source { name, shape: shape.into(), optional: true })
}

fn part(prefix: &str, shape: &[usize]) -> DensePart {
    let bias = Source { name: format!("{prefix}.bias"), shape: vec![shape[0]], optional: true };
    DensePart { weight: source(format!("{prefix}.weight"), shape), biases: vec![bias] }
}

/// A layer of one linear map whose weight has trailing dimensions of one where it is a pointwise convolution.
fn dense(name: &str, shape: &[usize]) -> Entry {
    Entry::Dense(DenseEntry { name: name.into(), n: shape[0], k: shape[1], parts: vec![part(name, shape)] })
}

fn linear(name: &str, n: usize, k: usize) -> Entry {
    dense(name, &[n, k])
}

fn without_bias(name: String, weight: String, shape: &[usize]) -> Entry {
    let parts = vec![DensePart { weight: source(weight, shape), biases: Vec::new() }];
    Entry::Dense(DenseEntry { name, n: shape[0], k: shape[1], parts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tiny_config;

    fn names(entries: &[Entry]) -> Vec<String> {
        entries
            .iter()
            .map(|entry| match entry {
                Entry::Plain(source) => source.name.clone(),
                Entry::Dense(dense) => dense.name.clone(),
                Entry::InputTable(table) => table.name.clone(),
            })
            .collect()
    }

    #[test]
    fn every_tensor_of_a_checkpoint_is_named_once() {
        let mut config = tiny_config();
        config.predictor.layers = 2;
        let entries = entries(&config);
        let mut sources: Vec<&str> = entries.iter().flat_map(sources).map(|source| source.name.as_str()).collect();
        let total = sources.len();
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(sources.len(), total);
        // Subsampling 12, 37 for each layer, embedding 1, LSTM 4 for each layer, joiner 6.
        assert_eq!(total, 12 + 37 * config.encoder.layers + 1 + 4 * 2 + 6);
        for name in [
            "encoder.pre_encode.conv.6.weight",
            "encoder.pre_encode.out.bias",
            "encoder.layers.1.self_attn.linear_pos.weight",
            "encoder.layers.0.conv.batch_norm.bias",
            "decoder.prediction.dec_rnn.lstm.bias_hh_l1",
            "joint.joint_net.2.weight",
        ] {
            assert!(sources.contains(&name), "{name}");
        }
        assert!(!sources.iter().any(|name| name.ends_with("linear_pos.bias")));
    }

    #[test]
    fn an_endpointing_network_adds_its_tensors_at_the_end() {
        let without = tiny_config();
        let network = EndpointConfig { stack: 4, width: 9, hidden: 7, floor_rise: 0.0 };
        let with = ModelConfig { endpoint: Some(network.clone()), ..without.clone() };
        let (before, after) = (entries(&without), entries(&with));
        assert_eq!(after[..before.len()], before);
        let added: Vec<_> = after[before.len()..].iter().flat_map(sources).collect();
        assert_eq!(added.len(), 10);
        assert!(added.iter().all(|source| source.name.starts_with("endpoint.")));
        let input = added.iter().find(|source| source.name == "endpoint.input.weight").unwrap();
        assert_eq!(input.shape, [9, 4 * 20]);
        let input = &endpointing(&EndpointConfig { floor_rise: 0.1, ..network }, 20)[2];
        assert_eq!(sources(input)[0].shape, [9, 5 * 20], "floors are heard too");
    }

    #[test]
    fn a_language_network_adds_its_tensors() {
        let network = LanguageNetworkConfig { embedding: 5, hidden: 7, weight: 0.3 };
        let with = ModelConfig { language_network: Some(network), ..tiny_config() };
        let before = entries(&tiny_config()).len();
        let added = entries(&with)[before..].to_vec();
        let shape = |name: &str| {
            let source = added.iter().flat_map(sources).find(|source| source.name == name).unwrap();
            source.shape.clone()
        };
        assert_eq!(shape("language_network.embed.weight"), [10, 5]);
        assert_eq!(shape("language_network.lstm.weight_ih_l0"), [28, 5]);
        assert_eq!(shape("language_network.output.weight"), [10, 7]);
        assert_eq!(added.iter().flat_map(sources).count(), 1 + 3 + 1 + 2);
    }

    #[test]
    fn packed_entries_are_fused() {
        let entries = entries(&tiny_config());
        let names = names(&entries);
        assert!(names.contains(&"encoder.layers.0.self_attn.linear_qkv".into()));
        assert!(names.contains(&"decoder.prediction.input_table".into()));
        assert!(names.contains(&"decoder.prediction.dec_rnn.lstm.hh_l0".into()));
        assert!(!names.iter().any(|name| name.ends_with("linear_q") || name.ends_with("ih_l0")));
    }
}
