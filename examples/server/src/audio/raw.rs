//! Audio without a header: samples cut anywhere, and packets of Opus, one in each message.

#[cfg(feature = "opus")]
use linnet::audio::opus::{OpusDecoder, packet_duration};
use linnet::{
    AudioFormat,
    audio::convert::{alaw_to_f32, i16_to_f32, mulaw_to_f32},
};

/// How audio without a header is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawEncoding {
    /// Signed 16-bit PCM, little-endian.
    Linear16,
    /// 32-bit IEEE float in -1..1, little-endian.
    Linear32,
    /// µ-law, ITU-T G.711.
    MuLaw,
    /// A-law, ITU-T G.711.
    ALaw,
    /// Opus, RFC 6716: each message is one packet.
    #[cfg(feature = "opus")]
    Opus,
}

impl RawEncoding {
    /// Bytes per sample; `None` where messages are packets.
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::Linear16 => Some(2),
            Self::Linear32 => Some(4),
            Self::MuLaw | Self::ALaw => Some(1),
            #[cfg(feature = "opus")]
            Self::Opus => None,
        }
    }

    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::Linear16 => {
                out.extend(bytes.as_chunks::<2>().0.iter().map(|&b| i16_to_f32(i16::from_le_bytes(b))));
            }
            Self::Linear32 => out.extend(bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b))),
            Self::MuLaw => out.extend(bytes.iter().map(|&b| mulaw_to_f32(b))),
            Self::ALaw => out.extend(bytes.iter().map(|&b| alaw_to_f32(b))),
            #[cfg(feature = "opus")]
            Self::Opus => {}
        }
    }
}

/// How messages of audio may be cut, and what audio they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Anywhere.
    Samples {
        /// Bytes of a second of audio.
        bytes_per_s: usize,
    },
    /// Not at all: each is a packet of Opus.
    Packets,
}

impl Framing {
    /// That of some audio.
    pub fn new(encoding: RawEncoding, format: AudioFormat) -> Self {
        match encoding.bytes() {
            Some(bytes) => {
                Self::Samples { bytes_per_s: (bytes * usize::from(format.channels) * format.rate_hz as usize).max(1) }
            }
            None => Self::Packets,
        }
    }

    /// Length of the audio in a message, in milliseconds.
    pub fn milliseconds(self, message: &[u8]) -> usize {
        match self {
            Self::Samples { bytes_per_s } => message.len() * 1000 / bytes_per_s,
            #[cfg(feature = "opus")]
            Self::Packets => packet_duration(message).map_or(0, |duration| duration.as_millis() as usize),
            #[cfg(not(feature = "opus"))]
            Self::Packets => 0,
        }
    }
}

/// The audio can't be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAudio(String);

/// Turns messages into samples of whole frames.
#[derive(Debug)]
pub enum RawDecoder {
    /// Whatever the cuts between messages.
    Samples(SampleDecoder),
    /// A packet from each message.
    #[cfg(feature = "opus")]
    Opus(Box<PacketDecoder>),
}

impl RawDecoder {
    /// For interleaved samples, or for packets that are decoded to such.
    ///
    /// # Errors
    /// When the packets can't be decoded to that format.
    pub fn new(encoding: RawEncoding, format: AudioFormat) -> Result<Self, BadAudio> {
        match encoding {
            #[cfg(feature = "opus")]
            RawEncoding::Opus => PacketDecoder::new(format).map(|decoder| Self::Opus(Box::new(decoder))),
            _ => Ok(Self::Samples(SampleDecoder::new(encoding, format.channels))),
        }
    }

    /// Appends the samples of all frames that are complete now.
    ///
    /// # Errors
    /// When what comes is not of the encoding.
    pub fn push(&mut self, message: &[u8], out: &mut Vec<f32>) -> Result<(), BadAudio> {
        match self {
            Self::Samples(decoder) => {
                decoder.push(message, out);
                Ok(())
            }
            #[cfg(feature = "opus")]
            Self::Opus(decoder) => decoder.push(message, out),
        }
    }

    /// What could not be decoded so far.
    pub fn damage(&self) -> Option<String> {
        match self {
            Self::Samples(_) => None,
            #[cfg(feature = "opus")]
            Self::Opus(decoder) => (decoder.damaged > 0)
                .then(|| format!("{} packets could not be decoded and count as silence", decoder.damaged)),
        }
    }
}

/// Turns bytes into samples of whole frames, whatever the cuts between messages.
#[derive(Debug)]
pub struct SampleDecoder {
    encoding: RawEncoding,
    frame_bytes: usize,
    /// The start of a frame whose rest is still to come.
    rest: Vec<u8>,
}

impl SampleDecoder {
    /// For interleaved samples of `channels` channels.
    pub fn new(encoding: RawEncoding, channels: u16) -> Self {
        let frame_bytes = encoding.bytes().unwrap_or(1) * usize::from(channels.max(1));
        Self { encoding, frame_bytes, rest: Vec::new() }
    }

    /// Appends the samples of all frames that are complete now.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<f32>) {
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(self.frame_bytes - self.rest.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            if self.rest.len() < self.frame_bytes {
                return;
            }
            self.encoding.decode(&self.rest, out);
            self.rest.clear();
        }
        let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % self.frame_bytes);
        self.encoding.decode(whole, out);
        self.rest.extend_from_slice(rest);
    }
}

/// Bad packets in a row after which a stream is none.
#[cfg(feature = "opus")]
const MAX_DAMAGED_IN_A_ROW: u32 = 50;

/// Decodes packets of Opus. Silence takes the place of one that is damaged.
#[cfg(feature = "opus")]
#[derive(Debug)]
pub struct PacketDecoder {
    decoder: OpusDecoder,
    /// Samples of the packet before; none before the first.
    last: usize,
    damaged: u64,
    in_a_row: u32,
}

#[cfg(feature = "opus")]
impl PacketDecoder {
    fn new(format: AudioFormat) -> Result<Self, BadAudio> {
        let decoder = OpusDecoder::new(format.rate_hz, format.channels.into());
        Ok(Self { decoder: decoder.map_err(|error| BadAudio(error.to_string()))?, last: 0, damaged: 0, in_a_row: 0 })
    }

    fn push(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), BadAudio> {
        match self.decoder.decode(packet) {
            Ok(samples) => {
                (self.last, self.in_a_row) = (samples.len(), 0);
                out.extend_from_slice(samples);
            }
            Err(error) => {
                self.damaged += 1;
                self.in_a_row += 1;
                if self.last == 0 || self.in_a_row > MAX_DAMAGED_IN_A_ROW {
                    return Err(BadAudio(format!("{error}; send one packet in each message, or an Ogg file")));
                }
                out.resize(out.len() + self.last, 0.0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_do_not_matter() {
        let bytes: Vec<u8> = (0..240u32).map(|i| (i * 37 % 127) as u8).collect();
        for encoding in [RawEncoding::Linear16, RawEncoding::Linear32, RawEncoding::MuLaw, RawEncoding::ALaw] {
            for channels in [1, 2, 3] {
                let mut whole = Vec::new();
                SampleDecoder::new(encoding, channels).push(&bytes, &mut whole);
                assert_eq!(whole.len(), 240 / encoding.bytes().unwrap());
                for size in [1, 2, 3, 5, 7, 100] {
                    let mut decoder = SampleDecoder::new(encoding, channels);
                    let mut parts = Vec::new();
                    for part in bytes.chunks(size) {
                        decoder.push(part, &mut parts);
                        assert!(parts.len().is_multiple_of(channels.into()), "only whole frames");
                    }
                    assert_eq!(parts, whole, "{encoding:?}, {channels} channels, cuts of {size}");
                }
            }
        }
    }

    #[test]
    fn full_scale_is_one() {
        let mut out = Vec::new();
        SampleDecoder::new(RawEncoding::Linear16, 1).push(&[0, 0x80, 0, 0x40], &mut out);
        assert_eq!(out, [-1.0, 0.5]);
    }

    #[cfg(feature = "opus")]
    #[test]
    fn packets_are_decoded_and_damaged_ones_keep_the_time() {
        const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
        let format = AudioFormat { rate_hz: 16_000, channels: 1 };
        assert_eq!(Framing::new(RawEncoding::Opus, format).milliseconds(&SILENCE), 20);
        let mut decoder = RawDecoder::new(RawEncoding::Opus, format).unwrap();
        let mut out = Vec::new();
        assert!(decoder.push(&[3], &mut out).is_err(), "a stream that begins so is none of Opus");
        decoder.push(&SILENCE, &mut out).unwrap();
        decoder.push(&[3], &mut out).unwrap();
        assert_eq!(out.len(), 640);
        assert!(decoder.damage().unwrap().starts_with("2 packets"));
        let broken = (0..100).position(|_| decoder.push(&[], &mut out).is_err());
        assert_eq!(broken, Some(MAX_DAMAGED_IN_A_ROW as usize - 1));
        assert!(RawDecoder::new(RawEncoding::Opus, AudioFormat { rate_hz: 44_100, channels: 1 }).is_err());
    }
}
