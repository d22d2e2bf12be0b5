//! Small models for the tests of this crate.

use super::config::{Activation, EncoderConfig, FeatureConfig, JoinerConfig, ModelConfig, PredictorConfig};
#[cfg(feature = "reference")]
use super::tokens::Tokens;

/// The shape of a model that is small enough to be made in a test. No two of its widths are the same, and most are no
/// multiples of a panel.
pub(crate) fn tiny_config() -> ModelConfig {
    ModelConfig {
        name: "tiny".into(),
        language: "en".into(),
        features: FeatureConfig {
            sample_rate_hz: 16_000,
            fft: 512,
            window: 400,
            hop: 160,
            mel_bins: 20,
            low_hz: 0.0,
            high_hz: 8000.0,
            preemphasis: 0.97,
        },
        encoder: EncoderConfig {
            mel_bins: 20,
            d_model: 24,
            layers: 2,
            heads: 2,
            d_ff: 36,
            conv_kernel: 5,
            subsampling_channels: 6,
            subsampling: 8,
            xscaling: true,
            left_context: 8,
            look_aheads: vec![0, 1, 3],
            default_look_ahead: 1,
        },
        predictor: PredictorConfig { hidden: 10, layers: 1 },
        joiner: JoinerConfig { hidden: 14, activation: Activation::Relu },
        vocab_size: 9,
        endpoint: None,
        confidence: None,
        speaker: None,
        language_model: None,
        language_network: None,
    }
}

/// A token table for [`tiny_config`].
#[cfg(feature = "reference")]
pub(crate) fn tiny_tokens() -> Tokens {
    Tokens::new(["<unk>", "▁a", "▁b", "c", "d", "▁", "<EOU>", "<0xC3>", "<0xA9>"]).unwrap()
}

/// A packed model of [`tiny_config`] with random weights.
#[cfg(feature = "reference")]
pub(crate) fn tiny_file() -> Vec<u8> {
    static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    FILE.get_or_init(|| {
        let checkpoint = super::checkpoint::Checkpoint::random(&tiny_config(), 1).expect("the configuration is sound");
        super::pack::pack(&checkpoint).expect("the checkpoint is complete")
    })
    .clone()
}
