//! Samples without a header, cut anywhere.

use linnet::audio::convert::{alaw_to_f32, i16_to_f32, mulaw_to_f32};

/// How a sample is stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawEncoding {
    /// Signed 16-bit PCM.
    Linear16,
    /// 32-bit IEEE float in -1..1.
    Linear32,
    /// µ-law, ITU-T G.711.
    MuLaw,
    /// A-law, ITU-T G.711.
    ALaw,
}

impl RawEncoding {
    /// Bytes per sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Linear16 => 2,
            Self::Linear32 => 4,
            Self::MuLaw | Self::ALaw => 1,
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
        }
    }
}

/// Turns bytes into samples of whole frames, whatever the cuts between messages.
#[derive(Debug)]
pub struct RawDecoder {
    encoding: RawEncoding,
    frame_bytes: usize,
    /// The start of a frame whose rest is still to come.
    rest: Vec<u8>,
}

impl RawDecoder {
    /// For interleaved samples of `channels` channels.
    pub fn new(encoding: RawEncoding, channels: u16) -> Self {
        Self { encoding, frame_bytes: encoding.bytes() * usize::from(channels.max(1)), rest: Vec::new() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_do_not_matter() {
        let bytes: Vec<u8> = (0..240u32).map(|i| (i * 37 % 127) as u8).collect();
        for encoding in [RawEncoding::Linear16, RawEncoding::Linear32, RawEncoding::MuLaw, RawEncoding::ALaw] {
            for channels in [1, 2, 3] {
                let mut whole = Vec::new();
                RawDecoder::new(encoding, channels).push(&bytes, &mut whole);
                assert_eq!(whole.len(), 240 / encoding.bytes());
                for size in [1, 2, 3, 5, 7, 100] {
                    let mut decoder = RawDecoder::new(encoding, channels);
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
        RawDecoder::new(RawEncoding::Linear16, 1).push(&[0, 0x80, 0, 0x40], &mut out);
        assert_eq!(out, [-1.0, 0.5]);
    }
}
