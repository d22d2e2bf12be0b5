//! Opus packets (RFC 6716) to samples, through the ropus library.
//!
//! ```
//! use linnet::audio::opus::OpusDecoder;
//!
//! # fn main() -> Result<(), linnet::audio::opus::OpusError> {
//! let mut decoder = OpusDecoder::new(16_000, 1)?;
//! // A packet of 20 ms of silence.
//! assert_eq!(decoder.decode(&[0xf8, 0xff, 0xfe])?.len(), 320);
//! # Ok(())
//! # }
//! ```

use std::{fmt, time::Duration};

use ropus::{Channels, DecodeMode, Decoder};

/// Sample rates that Opus is decoded to, whatever it was made from.
pub const OPUS_RATES_HZ: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];

/// Why Opus can't be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpusError {
    /// Not a rate of [`OPUS_RATES_HZ`], or not one or two channels.
    #[error(
        "Opus is decoded to 8000, 12000, 16000, 24000 or 48000 Hz and 1 or 2 channels, not to {rate_hz} Hz and {channels}"
    )]
    Layout {
        /// The rate that was asked for.
        rate_hz: u32,
        /// The channels that were asked for.
        channels: usize,
    },
    /// The bytes are no Opus packet, or a damaged one. The decoder goes on with the next.
    #[error("{bytes} bytes are not an Opus packet: {what}")]
    Packet {
        /// Length of the packet.
        bytes: usize,
        /// What the decoder says.
        what: String,
    },
}

/// Decodes the packets of one stream, in order.
pub struct OpusDecoder {
    decoder: Decoder,
    /// Room for the longest packet, 120 ms.
    samples: Vec<f32>,
    channels: usize,
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusDecoder")
            .field("rate_hz", &self.decoder.sample_rate())
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl OpusDecoder {
    /// A decoder to a rate and a number of channels; both are free to choose, whatever the packets were made from.
    ///
    /// # Errors
    /// [`OpusError::Layout`].
    pub fn new(rate_hz: u32, channels: usize) -> Result<Self, OpusError> {
        let layout = OpusError::Layout { rate_hz, channels };
        let count = match channels {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            _ => return Err(layout),
        };
        let decoder = Decoder::new(rate_hz, count).map_err(|_| layout)?;
        let samples = vec![0.0; decoder.max_frame_samples_per_channel() * channels];
        Ok(Self { decoder, samples, channels })
    }

    /// Amplifies what is decoded, in steps of 1/256 dB, as the header of a file may ask for.
    pub fn set_gain(&mut self, gain: i16) {
        // All values of the type are in range.
        let _ = self.decoder.set_gain(gain.into());
    }

    /// Decodes one packet to interleaved samples of whole frames.
    ///
    /// # Errors
    /// [`OpusError::Packet`].
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], OpusError> {
        let refused = |what: String| OpusError::Packet { bytes: packet.len(), what };
        if packet.is_empty() {
            return Err(refused("it is empty".into()));
        }
        let frames = self
            .decoder
            .decode_float(packet, &mut self.samples, DecodeMode::Normal)
            .map_err(|error| refused(error.to_string()))?;
        Ok(&self.samples[..frames * self.channels])
    }
}

/// Length of the audio in a packet; `None` when it is no Opus packet.
pub fn packet_duration(packet: &[u8]) -> Option<Duration> {
    const RATE_HZ: u32 = 48_000;
    let frames = ropus::opus::decoder::opus_packet_get_nb_samples(packet, RATE_HZ as i32).ok()?;
    Some(Duration::from_secs(1) * u32::try_from(frames).ok()? / RATE_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

    #[test]
    fn packets_have_their_length_at_any_rate() {
        assert_eq!(packet_duration(&SILENCE), Some(Duration::from_millis(20)));
        for rate_hz in OPUS_RATES_HZ {
            for channels in [1, 2] {
                let mut decoder = OpusDecoder::new(rate_hz, channels).unwrap();
                assert_eq!(decoder.decode(&SILENCE).unwrap(), vec![0.0; rate_hz as usize / 50 * channels]);
            }
        }
    }

    #[test]
    fn what_is_no_packet_is_told_and_the_next_one_decodes() {
        assert!(matches!(OpusDecoder::new(44_100, 1), Err(OpusError::Layout { rate_hz: 44_100, channels: 1 })));
        assert!(matches!(OpusDecoder::new(16_000, 3), Err(OpusError::Layout { .. })));
        assert_eq!((packet_duration(&[]), packet_duration(&[3])), (None, None));
        let mut decoder = OpusDecoder::new(16_000, 1).unwrap();
        // None; a count of frames without its byte; more frames than 120 ms.
        for bad in [&[][..], &[3], &[0x1b, 63]] {
            let error = decoder.decode(bad).unwrap_err();
            assert!(matches!(error, OpusError::Packet { bytes, .. } if bytes == bad.len()), "{error}");
        }
        assert_eq!(decoder.decode(&SILENCE).unwrap().len(), 320);
    }

    #[test]
    fn random_packets_never_panic() {
        let mut state = 3u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        let mut decoders = [OpusDecoder::new(16_000, 1).unwrap(), OpusDecoder::new(48_000, 2).unwrap()];
        let mut decoded = 0;
        for _ in 0..300 {
            let packet: Vec<u8> = (0..random() % 200).map(|_| random() as u8).collect();
            for decoder in &mut decoders {
                if let Ok(samples) = decoder.decode(&packet) {
                    decoded += 1;
                    assert!(samples.iter().all(|sample| sample.is_finite()));
                }
            }
        }
        assert!(decoded > 50, "{decoded} of random packets are taken for some");
    }
}
