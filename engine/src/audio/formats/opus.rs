//! Tracks of Opus in Ogg (RFC 7845) and WebM.

use symphonia::core::audio::{
    AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, GenericAudioBufferRef, layouts,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Error, Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;
use symphonia::core::support_audio_codec;
// The macro names the crate so.
use symphonia::core as symphonia_core;

use crate::audio::opus::OpusDecoder;

/// Containers count time at this rate.
const RATE_HZ: u32 = 48_000;

/// Frames of the longest packet, 120 ms.
const MAX_FRAMES: usize = 5760;

/// What the first packet of a track tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Frames at the start that only serve to settle the decoder.
    pub(super) skip: u16,
    gain: i16,
    /// How channels map to streams; 0 is one stream of one or two channels.
    family: u8,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(b"OpusHead")?;
        let pair = |at: usize| Some([*fields.get(at)?, *fields.get(at + 1)?]);
        Some(Self { skip: u16::from_le_bytes(pair(2)?), gain: i16::from_le_bytes(pair(8)?), family: *fields.get(10)? })
    }
}

/// Decodes the packets of a track at 48 kHz.
pub(super) struct TrackDecoder {
    params: AudioCodecParameters,
    decoder: OpusDecoder,
    buffer: AudioBuffer<f32>,
}

impl AudioDecoder for TrackDecoder {
    fn reset(&mut self) {
        // The parameters were accepted before.
        if let Ok(new) = Self::new(&self.params) {
            *self = new;
        }
    }

    fn codec_info(&self) -> &CodecInfo {
        &Self::supported_codecs()[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        let Ok(samples) = self.decoder.decode(packet.data) else { return decode_error("opus: bad packet") };
        let frames = samples.len() / self.buffer.spec().channels().count();
        self.buffer.render_uninit(Some(frames));
        self.buffer.copy_from_slice_interleaved(&samples);
        self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl TrackDecoder {
    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let head = params.extra_data.as_deref().and_then(Head::read).unwrap_or_default();
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
        let layout = match (channels, head.family) {
            (1, 0 | 1) => layouts::CHANNEL_LAYOUT_MONO,
            (2, 0 | 1) => layouts::CHANNEL_LAYOUT_STEREO,
            _ => return unsupported_error("opus: more than two channels"),
        };
        let mut decoder =
            OpusDecoder::new(RATE_HZ, channels).map_err(|_| Error::Unsupported("opus: layout of channels"))?;
        decoder.set_gain(head.gain);
        let mut params = params.clone();
        params.with_sample_rate(RATE_HZ);
        Ok(Self { params, decoder, buffer: AudioBuffer::new(AudioSpec::new(RATE_HZ, layout), MAX_FRAMES) })
    }
}

impl RegisterableAudioDecoder for TrackDecoder {
    fn try_registry_new(params: &AudioCodecParameters, _: &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[support_audio_codec!(CODEC_ID_OPUS, "opus", "Opus")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_tell_what_to_skip() {
        let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\xff\0";
        assert_eq!(Head::read(head), Some(Head { skip: 312, gain: -256, family: 0 }));
        for cut in 0..head.len() {
            assert_eq!(Head::read(&head[..cut]), None);
        }
    }
}
