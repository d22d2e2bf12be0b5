//! The limits within which the numbers of a model lie. They keep a damaged or hostile file from asking for absurd
//! amounts of memory or from dividing by zero; every model that can be trained fits in generously.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::config::{
    ConfidenceConfig, EncoderConfig, EndpointConfig, FeatureConfig, LanguageNetworkConfig, ModelConfig, NgramConfig,
    SpeakerNetworkConfig,
};

/// A number of the configuration that no model can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is unusable: `{field}` is {value}, it must be {needed}")]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub needed: String,
}

impl ModelConfig {
    /// Checks that every number lies within its limits and that they fit each other.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("vocab_size", self.vocab_size, 1..=1 << 20)?;
        within("predictor.hidden", self.predictor.hidden, 1..=8192)?;
        within("predictor.layers", self.predictor.layers, 1..=16)?;
        within("joiner.hidden", self.joiner.hidden, 1..=8192)?;
        self.features.validate()?;
        self.encoder.validate()?;
        self.endpoint.as_ref().map_or(Ok(()), EndpointConfig::validate)?;
        self.confidence.as_ref().map_or(Ok(()), ConfidenceConfig::validate)?;
        self.speaker.as_ref().map_or(Ok(()), SpeakerNetworkConfig::validate)?;
        self.language_model.as_ref().map_or(Ok(()), NgramConfig::validate)?;
        self.language_network.as_ref().map_or(Ok(()), LanguageNetworkConfig::validate)?;
        require("encoder.mel_bins", self.encoder.mel_bins, self.encoder.mel_bins == self.features.mel_bins, || {
            format!("features.mel_bins, {}", self.features.mel_bins)
        })
    }
}

impl ConfidenceConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("confidence.bias", self.bias, -100.0..=100.0)?;
        within("confidence.least", self.least, -100.0..=100.0)?;
        within("confidence.mean_log", self.mean_log, -100.0..=100.0)?;
        within("confidence.tokens", self.tokens, -100.0..=100.0)?;
        within("confidence.before", self.before, -100.0..=100.0)?;
        within("confidence.agreement", self.agreement, -100.0..=100.0)
    }
}

impl NgramConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("language_model.nodes", self.nodes, 2..=1 << 28)?;
        within("language_model.parents", self.parents, 1..=self.nodes)?;
        within("language_model.scores.least", self.scores.least, -100.0..=100.0)?;
        within("language_model.scores.step", self.scores.step, 0.0..=1.0)?;
        within("language_model.back_offs.least", self.back_offs.least, -100.0..=100.0)?;
        within("language_model.back_offs.step", self.back_offs.step, 0.0..=1.0)?;
        within("language_model.weight", self.weight, -100.0..=100.0)?;
        within("language_model.token_reward", self.token_reward, -100.0..=100.0)?;
        within("language_model.internal_weight", self.internal_weight, -100.0..=100.0)
    }
}

impl LanguageNetworkConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("language_network.embedding", self.embedding, 1..=8192)?;
        within("language_network.hidden", self.hidden, 1..=8192)?;
        within("language_network.weight", self.weight, -100.0..=100.0)
    }
}

impl FeatureConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("features.sample_rate_hz", self.sample_rate_hz, 4000..=192_000)?;
        within("features.fft", self.fft, 2..=1 << 16)?;
        within("features.window", self.window, 1..=self.fft)?;
        within("features.hop", self.hop, 1..=self.fft)?;
        within("features.mel_bins", self.mel_bins, 1..=512)?;
        let nyquist = self.sample_rate_hz as f32 / 2.0;
        within("features.high_hz", self.high_hz, f32::MIN_POSITIVE..=nyquist)?;
        within("features.low_hz", self.low_hz, 0.0..=self.high_hz)?;
        require("features.low_hz", self.low_hz, self.low_hz < self.high_hz, || "below features.high_hz".into())?;
        within("features.preemphasis", self.preemphasis, 0.0..=1.0)
    }
}

impl EncoderConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("encoder.mel_bins", self.mel_bins, 1..=512)?;
        within("encoder.d_model", self.d_model, 2..=8192)?;
        within("encoder.layers", self.layers, 1..=256)?;
        within("encoder.heads", self.heads, 1..=256)?;
        require("encoder.d_model", self.d_model, self.d_model.is_multiple_of(self.heads), || {
            format!("a multiple of encoder.heads, {}", self.heads)
        })?;
        require("encoder.d_model", self.d_model, self.d_model.is_multiple_of(2), || "even".into())?;
        within("encoder.d_ff", self.d_ff, 1..=1 << 16)?;
        within("encoder.conv_kernel", self.conv_kernel, 1..=256)?;
        within("encoder.subsampling_channels", self.subsampling_channels, 1..=4096)?;
        within("encoder.subsampling", self.subsampling, 8..=8)?;
        within("encoder.left_context", self.left_context, 0..=4096)?;
        self.validate_look_aheads()
    }

    fn validate_look_aheads(&self) -> Result<(), ConfigError> {
        let ascending = self.look_aheads.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = (1..=64).contains(&self.look_aheads.len()) && self.look_aheads.last() <= Some(&1024);
        let shown = || format!("{:?}", &self.look_aheads[..self.look_aheads.len().min(8)]);
        require("encoder.look_aheads", shown(), ascending && fits, || {
            "between 1 and 64 different numbers of frames up to 1024, ascending".into()
        })?;
        let known = self.look_aheads.contains(&self.default_look_ahead);
        require("encoder.default_look_ahead", self.default_look_ahead, known, || {
            format!("one of encoder.look_aheads, {}", shown())
        })
    }

    /// Mel bands that are left after the convolutional subsampling: each of its three stages pads two bands below and
    /// one above, and halves.
    pub fn subsampled_bins(&self) -> usize {
        (0..3).fold(self.mel_bins, |bins, _| bins / 2 + 1)
    }
}

impl EndpointConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("endpoint.stack", self.stack, 1..=64)?;
        within("endpoint.width", self.width, 1..=4096)?;
        within("endpoint.hidden", self.hidden, 1..=4096)?;
        within("endpoint.floor_rise", self.floor_rise, 0.0..=10.0)
    }
}

impl SpeakerNetworkConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("speaker.stack", self.stack, 1..=64)?;
        within("speaker.width", self.width, 1..=4096)?;
        within("speaker.blocks", self.blocks, 0..=64)?;
        within("speaker.embedding", self.embedding, 1..=4096)?;
        within("speaker.threshold", self.threshold, -1.0..=1.0)?;
        within("speaker.switch", self.switch, 0.0..=100.0)?;
        within("speaker.merge", self.merge, -1.0..=1.0)
    }
}

fn within<T: PartialOrd + Display>(field: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), ConfigError> {
    let inside = range.contains(&value);
    require(field, value, inside, || format!("between {} and {}", range.start(), range.end()))
}

fn require(
    field: &'static str,
    value: impl Display,
    holds: bool,
    needed: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { field, value: value.to_string(), needed: needed() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tiny_config;

    #[test]
    fn numbers_out_of_bounds_are_named() {
        type Change = fn(&mut ModelConfig);
        let endpoint = EndpointConfig { stack: 4, width: 9, hidden: 7, floor_rise: 0.1 };
        let speaker = SpeakerNetworkConfig {
            stack: 4,
            width: 9,
            blocks: 2,
            embedding: 5,
            threshold: 0.5,
            switch: 1.0,
            merge: 0.8,
        };
        let cases: [(&str, Change); 22] = [
            ("vocab_size", |c| c.vocab_size = 0),
            ("predictor.layers", |c| c.predictor.layers = 0),
            ("joiner.hidden", |c| c.joiner.hidden = usize::MAX),
            ("features.sample_rate_hz", |c| c.features.sample_rate_hz = 0),
            ("features.hop", |c| c.features.hop = 0),
            ("features.window", |c| c.features.window = c.features.fft + 1),
            ("features.high_hz", |c| c.features.high_hz = f32::NAN),
            ("features.low_hz", |c| c.features.low_hz = c.features.high_hz),
            ("features.preemphasis", |c| c.features.preemphasis = f32::INFINITY),
            ("encoder.mel_bins", |c| c.encoder.mel_bins += 1),
            ("encoder.heads", |c| c.encoder.heads = 0),
            ("encoder.d_model", |c| c.encoder.heads = 5),
            ("encoder.layers", |c| c.encoder.layers = 1 << 40),
            ("encoder.subsampling", |c| c.encoder.subsampling = 4),
            ("encoder.look_aheads", |c| c.encoder.look_aheads.clear()),
            ("encoder.look_aheads", |c| c.encoder.look_aheads.reverse()),
            ("encoder.default_look_ahead", |c| c.encoder.default_look_ahead = 5),
            ("endpoint.stack", |c| c.endpoint.as_mut().unwrap().stack = 0),
            ("endpoint.hidden", |c| c.endpoint.as_mut().unwrap().hidden = 5000),
            ("endpoint.floor_rise", |c| c.endpoint.as_mut().unwrap().floor_rise = f32::NAN),
            ("speaker.width", |c| c.speaker.as_mut().unwrap().width = 0),
            ("speaker.threshold", |c| c.speaker.as_mut().unwrap().threshold = f32::NAN),
        ];
        tiny_config().validate().unwrap();
        for (field, change) in cases {
            let mut config =
                ModelConfig { endpoint: Some(endpoint.clone()), speaker: Some(speaker.clone()), ..tiny_config() };
            config.validate().unwrap();
            change(&mut config);
            let error = config.validate().unwrap_err();
            assert_eq!(error.field, field, "{error}");
        }
    }

    #[test]
    fn subsampling_leaves_eleven_of_eighty_bins() {
        let mut config = tiny_config().encoder;
        config.mel_bins = 80;
        assert_eq!(config.subsampled_bins(), 11);
        config.mel_bins = 128;
        assert_eq!(config.subsampled_bins(), 17);
    }
}
