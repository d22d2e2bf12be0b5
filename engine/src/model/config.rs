//! The numbers that describe a model, as stored in its file.

use serde::{Deserialize, Serialize};

/// Shape and conventions of a streaming transducer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Name of the model, for people.
    pub name: String,
    /// Language as a BCP 47 tag.
    pub language: String,
    /// Log-mel front end.
    pub features: FeatureConfig,
    /// FastConformer encoder.
    pub encoder: EncoderConfig,
    /// LSTM prediction network.
    pub predictor: PredictorConfig,
    /// Joint network.
    pub joiner: JoinerConfig,
    /// Number of tokens without the blank; the blank is token `vocab_size`.
    pub vocab_size: usize,
    /// Endpointing network; models without one end utterances by the silence after the last word alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointConfig>,
    /// How posteriors become word confidences; without it a word is as sure as its least sure token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<ConfidenceConfig>,
    /// Speaker network; streams of models without one can't tell who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<SpeakerNetworkConfig>,
    /// N-gram model that the beam agrees with unless a host gives it another; models without one have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_model: Option<NgramConfig>,
    /// Language network that counts beside the n-gram model; models without one have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_network: Option<LanguageNetworkConfig>,
}

/// Shape of the log-mel front end. Frame `t` is centred on sample `t * hop`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureConfig {
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// FFT length in samples.
    pub fft: usize,
    /// Length of the symmetric Hann window in samples, centred in the FFT.
    pub window: usize,
    /// Samples between frames.
    pub hop: usize,
    /// Number of mel bands.
    pub mel_bins: usize,
    /// Lower edge of the lowest band in Hz.
    pub low_hz: f32,
    /// Upper edge of the highest band in Hz.
    pub high_hz: f32,
    /// Pre-emphasis coefficient.
    pub preemphasis: f32,
}

/// Shape of the cache-aware FastConformer encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Mel bands per input frame.
    pub mel_bins: usize,
    /// Width of the model.
    pub d_model: usize,
    /// Number of Conformer layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Inner width of the feed-forward modules.
    pub d_ff: usize,
    /// Kernel of the causal depthwise convolution in frames.
    pub conv_kernel: usize,
    /// Channels of the convolutional subsampling.
    pub subsampling_channels: usize,
    /// Input frames per output frame.
    pub subsampling: usize,
    /// Whether the subsampled input is multiplied by `sqrt(d_model)`.
    pub xscaling: bool,
    /// Frames of left context that attention may reach, counted before rounding down to whole chunks.
    pub left_context: usize,
    /// Look-aheads in encoder frames that the model was trained with, ascending. A chunk is `look_ahead + 1` frames.
    pub look_aheads: Vec<usize>,
    /// The look-ahead used when a host does not choose.
    pub default_look_ahead: usize,
}

/// Shape of the LSTM predictor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictorConfig {
    /// Width of the embedding and of each LSTM layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
}

/// Shape of the joiner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinerConfig {
    /// Inner width.
    pub hidden: usize,
    /// Non-linearity between the projections and the output layer.
    pub activation: Activation,
}

/// Shape of the endpointing network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// Log-mel frames of one step.
    pub stack: usize,
    /// Outputs of the layer in front of the GRU.
    pub width: usize,
    /// Units of the GRU.
    pub hidden: usize,
    /// How much the floor under a band rises in a step, natural logarithm: the network then also hears how far each band
    /// is above its floor. Zero, as in files without it, for a network that does not.
    #[serde(default)]
    pub floor_rise: f32,
}

impl EndpointConfig {
    /// Values that a step gives the first layer, for log-mel frames of so many bands.
    pub fn inputs(&self, mel_bins: usize) -> usize {
        (self.stack + usize::from(self.floor_rise > 0.0)) * mel_bins
    }
}

/// Shape of the speaker network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeakerNetworkConfig {
    /// Log-mel frames of one step.
    pub stack: usize,
    /// Channels of every layer.
    pub width: usize,
    /// Convolutional blocks.
    pub blocks: usize,
    /// Values of an embedding.
    pub embedding: usize,
    /// Cosine between an embedding and a known voice below which it is taken for somebody else's.
    pub threshold: f32,
    /// What a change of speaker costs, in cosines of one hop.
    pub switch: f32,
    /// Cosine between two known voices above which they are one.
    pub merge: f32,
}

/// Weights of the logistic regression that turns the evidence of a word into the probability that it is right
/// ([`Evidence`](crate::transcript::confidence::Evidence)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceConfig {
    /// Log-odds where all else is zero.
    pub bias: f32,
    /// Of the log-odds of the least sure token.
    pub least: f32,
    /// Of the mean log-posterior of the tokens.
    pub mean_log: f32,
    /// Of the logarithm of the number of tokens.
    pub tokens: f32,
    /// Of the running mean of log-posteriors before the word.
    pub before: f32,
    /// Of the log-odds of the share of hypotheses that have the word. Absent in older models, which leave it out.
    #[serde(default)]
    pub agreement: f32,
}

/// Size and scale of an n-gram model ([`Ngrams`](super::ngrams::Ngrams)) and how much it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NgramConfig {
    /// Nodes of the trie: the n-grams and the root.
    pub nodes: usize,
    /// Nodes that have children.
    pub parents: usize,
    /// Of the scores, in natural logarithms.
    pub scores: Quantization,
    /// Of the weights of backing off, in natural logarithms.
    pub back_offs: Quantization,
    /// Factor of its scores beside those of the transducer.
    pub weight: f32,
    /// What a token earns while the model counts, in natural logarithms.
    pub token_reward: f32,
    /// Factor by which the logarithmic probabilities of the transducer's internal language model are taken off.
    #[serde(default)]
    pub internal_weight: f32,
}

impl NgramConfig {
    /// Weight of a model that was made without one.
    pub const DEFAULT_WEIGHT: f32 = 0.2;
    /// Token reward of a model that was made without one.
    pub const DEFAULT_TOKEN_REWARD: f32 = 0.8;
}

/// Shape of the language network ([`LanguageNetwork`](super::language_network::LanguageNetwork)) and how much it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageNetworkConfig {
    /// Width of a token's embedding.
    pub embedding: usize,
    /// Width of the LSTM.
    pub hidden: usize,
    /// Factor of its logarithmic probabilities beside those of the transducer.
    pub weight: f32,
}

/// What a byte stands for: `least + step * byte`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantization {
    /// Value of byte 0.
    pub least: f32,
    /// Between neighbouring values.
    pub step: f32,
}

/// A non-linearity of the joiner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
}

impl EncoderConfig {
    /// Frames of left context at a look-ahead: `left_context` rounded down to whole chunks.
    pub fn left_frames(&self, look_ahead: usize) -> usize {
        let chunk = look_ahead + 1;
        self.left_context / chunk * chunk
    }
}
