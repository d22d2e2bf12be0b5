//! Settings of a stream.

use std::time::Duration;

use linnet::{AudioFormat, StreamConfig};

use crate::{
    error::{Failure, guard, linnet_status_t},
    memory::{AbiStruct, read_struct, write_struct},
};

/// Settings of one stream. Set `size`, fill the rest with linnet_stream_config_init, and change what is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct linnet_stream_config_t {
    /// sizeof(linnet_stream_config_t).
    pub size: usize,
    /// Samples per second and channel that are pushed: 8000 to 192000. Default 16000.
    pub sample_rate_hz: u32,
    /// Interleaved channels that are pushed; they are mixed down to one. Default 1.
    pub channels: u32,
    /// Audio per step of the encoder, in milliseconds: rounded to the nearest that the model was trained with; 0 takes
    /// the model's default. Longer chunks are more accurate and cheaper, and later. Default 0.
    pub chunk_ms: u32,
    /// Whether interim events are made: 1 or 0. Default 1.
    pub interim_results: u32,
    /// Least stream time between two interim events, in milliseconds. Default 100.
    pub interim_interval_ms: u32,
    /// Trailing silence after a word that ends the utterance with a final event, in milliseconds; 0 ends it only at
    /// linnet_stream_finalize and linnet_stream_finish. Default 800.
    pub endpoint_ms: u32,
    /// Longest utterance in milliseconds: a final event is made at the next pause between words after it; 0 sets no
    /// limit. Default 30000.
    pub max_utterance_ms: u32,
    /// Most tokens that one encoder frame may emit: 1 to 64. Default 5.
    pub max_symbols_per_frame: u32,
}

// SAFETY: `repr(C)`, size first, integers only.
unsafe impl AbiStruct for linnet_stream_config_t {
    const NAME: &'static str = "linnet_stream_config_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Fills `config` with the defaults. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_config_init(config: *mut linnet_stream_config_t) -> linnet_status_t {
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says.
    guard(|| unsafe { write_struct(config, &linnet_stream_config_t::defaults()) })
}

impl linnet_stream_config_t {
    pub(crate) fn defaults() -> Self {
        let config = StreamConfig::default();
        let ms = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        Self {
            size: size_of::<Self>(),
            sample_rate_hz: config.audio.rate_hz,
            channels: config.audio.channels.into(),
            chunk_ms: config.chunk.map_or(0, ms),
            interim_results: config.interim_results.into(),
            interim_interval_ms: ms(config.interim_interval),
            endpoint_ms: config.endpointing.map_or(0, ms),
            max_utterance_ms: ms(config.max_utterance),
            max_symbols_per_frame: config.max_symbols_per_frame as u32,
        }
    }

    pub(crate) fn to_stream_config(self) -> Result<StreamConfig, Failure> {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let mut config = StreamConfig::default();
        config.audio = audio_format(self.sample_rate_hz, self.channels)?;
        config.chunk = (self.chunk_ms != 0).then(|| ms(self.chunk_ms));
        config.interim_results = match self.interim_results {
            0 => false,
            1 => true,
            other => return Err(Failure::argument(format!("interim_results is {other}; it takes 0 or 1"))),
        };
        config.interim_interval = ms(self.interim_interval_ms);
        config.endpointing = (self.endpoint_ms != 0).then(|| ms(self.endpoint_ms));
        config.max_utterance = if self.max_utterance_ms == 0 { Duration::MAX } else { ms(self.max_utterance_ms) };
        config.max_symbols_per_frame = match self.max_symbols_per_frame {
            symbols @ 1..=64 => symbols as usize,
            other => return Err(Failure::argument(format!("max_symbols_per_frame is {other}; it takes 1 to 64"))),
        };
        Ok(config)
    }
}

/// The settings that a host gave; the defaults for null.
///
/// # Safety
/// `config` is null or can be read for as many bytes as its size field says.
pub(crate) unsafe fn stream_config(config: *const linnet_stream_config_t) -> Result<StreamConfig, Failure> {
    if config.is_null() {
        return Ok(StreamConfig::default());
    }
    // SAFETY: as promised by the caller.
    unsafe { read_struct(config, linnet_stream_config_t::defaults())? }.to_stream_config()
}

/// Rate and channels as the engine takes them; it judges the rate itself.
pub(crate) fn audio_format(sample_rate_hz: u32, channels: u32) -> Result<AudioFormat, Failure> {
    match u16::try_from(channels) {
        Ok(channels) if channels > 0 => Ok(AudioFormat { rate_hz: sample_rate_hz, channels }),
        _ => Err(Failure::argument(format!("channels is {channels}; it takes 1 to {}", u16::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::linnet_status_t::*;

    fn defaults() -> linnet_stream_config_t {
        linnet_stream_config_t::defaults()
    }

    #[test]
    fn defaults_are_those_of_the_engine() {
        assert_eq!(defaults().to_stream_config().unwrap(), StreamConfig::default());
        // SAFETY: null stands for the defaults.
        assert_eq!(unsafe { stream_config(std::ptr::null()) }.unwrap(), StreamConfig::default());
        let mut config = linnet_stream_config_t { sample_rate_hz: 1, channels: 2, chunk_ms: 3, ..defaults() };
        // SAFETY: it is a whole struct.
        assert_eq!(unsafe { linnet_stream_config_init(&mut config) }, LINNET_OK);
        assert_eq!(config, defaults());
    }

    #[test]
    fn zero_means_off_or_the_models_default() {
        let config = linnet_stream_config_t { chunk_ms: 0, endpoint_ms: 0, max_utterance_ms: 0, ..defaults() };
        let config = config.to_stream_config().unwrap();
        assert_eq!((config.chunk, config.endpointing, config.max_utterance), (None, None, Duration::MAX));
        let config = linnet_stream_config_t { chunk_ms: 560, endpoint_ms: u32::MAX, ..defaults() };
        let config = config.to_stream_config().unwrap();
        assert_eq!(config.chunk, Some(Duration::from_millis(560)));
        assert_eq!(config.endpointing, Some(Duration::from_millis(u32::MAX.into())));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (config, field) in [
            (linnet_stream_config_t { channels: 0, ..defaults() }, "channels"),
            (linnet_stream_config_t { channels: 65_536, ..defaults() }, "channels"),
            (linnet_stream_config_t { interim_results: 2, ..defaults() }, "interim_results"),
            (linnet_stream_config_t { max_symbols_per_frame: 0, ..defaults() }, "max_symbols_per_frame"),
            (linnet_stream_config_t { max_symbols_per_frame: 65, ..defaults() }, "max_symbols_per_frame"),
        ] {
            let failure = config.to_stream_config().unwrap_err();
            assert_eq!(failure.status, LINNET_ERROR_INVALID_ARGUMENT);
            assert!(failure.message.contains(field), "{}", failure.message);
        }
    }
}
