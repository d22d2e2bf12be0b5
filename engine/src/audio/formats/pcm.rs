//! Uncompressed samples from a byte stream.

use std::io::{ErrorKind, Read};

use super::{AudioFileError, Damage};
use crate::audio::convert::{alaw_to_f32, i16_to_f32, i32_to_f32, mulaw_to_f32, u8_to_f32};

/// How a sample is stored. Samples of more than one byte are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Unsigned 8-bit PCM, silent at 128.
    U8,
    /// Signed 16-bit PCM.
    I16,
    /// Signed 24-bit PCM in 3 bytes.
    I24,
    /// Signed 32-bit PCM.
    I32,
    /// 32-bit IEEE float in -1..1.
    F32,
    /// 64-bit IEEE float in -1..1.
    F64,
    /// µ-law, ITU-T G.711.
    MuLaw,
    /// A-law, ITU-T G.711.
    ALaw,
}

impl Encoding {
    /// Bytes per sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::MuLaw | Self::ALaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Appends the samples in `bytes`, a multiple of [`bytes`](Self::bytes) long.
    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        fn extend<const N: usize>(bytes: &[u8], out: &mut Vec<f32>, sample: impl Fn([u8; N]) -> f32) {
            out.extend(bytes.as_chunks::<N>().0.iter().map(|&bytes| sample(bytes)));
        }
        match self {
            Self::U8 => extend(bytes, out, |[byte]| u8_to_f32(byte)),
            Self::I16 => extend(bytes, out, |bytes| i16_to_f32(i16::from_le_bytes(bytes))),
            Self::I24 => extend(bytes, out, |[a, b, c]| i32_to_f32(i32::from_le_bytes([0, a, b, c]))),
            Self::I32 => extend(bytes, out, |bytes| i32_to_f32(i32::from_le_bytes(bytes))),
            Self::F32 => extend(bytes, out, f32::from_le_bytes),
            Self::F64 => extend(bytes, out, |bytes| f64::from_le_bytes(bytes) as f32),
            Self::MuLaw => extend(bytes, out, |[byte]| mulaw_to_f32(byte)),
            Self::ALaw => extend(bytes, out, |[byte]| alaw_to_f32(byte)),
        }
    }
}

/// What a host has to say about samples that come without a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFormat {
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: usize,
    /// How samples are stored.
    pub encoding: Encoding,
}

/// Frames read at a time.
const BLOCK_FRAMES: usize = 4096;

/// Reads samples block by block.
pub(super) struct PcmReader {
    reader: Box<dyn Read + Send + Sync>,
    encoding: Encoding,
    frame_bytes: usize,
    bytes: Vec<u8>,
    /// Bytes still to come, where a header says so.
    left: Option<u64>,
    pub(super) block: Vec<f32>,
}

impl PcmReader {
    pub(super) fn new(reader: Box<dyn Read + Send + Sync>, format: &RawFormat, len: Option<u64>) -> Self {
        let frame_bytes = format.channels * format.encoding.bytes();
        Self {
            reader,
            encoding: format.encoding,
            frame_bytes,
            bytes: vec![0; BLOCK_FRAMES * frame_bytes],
            left: len,
            block: Vec::with_capacity(BLOCK_FRAMES * format.channels),
        }
    }

    /// Reads the next block of whole frames into `block`. Returns whether there was one.
    pub(super) fn next(&mut self, damage: &mut Damage) -> Result<bool, AudioFileError> {
        self.block.clear();
        let wanted = self.left.map_or(self.bytes.len(), |left| left.min(self.bytes.len() as u64) as usize);
        let mut read = 0;
        // What came is handed out as soon as it makes whole frames: a live source may not send more for a while.
        while read < wanted && (read == 0 || !read.is_multiple_of(self.frame_bytes)) {
            match self.reader.read(&mut self.bytes[read..wanted]) {
                Ok(0) => {
                    damage.truncated |= self.left.is_some();
                    break;
                }
                Ok(more) => read += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if read < self.frame_bytes => return Err(AudioFileError::Read { source: error }),
                // What came before the error is handed out first; the next call meets the error again.
                Err(_) => break,
            }
        }
        if let Some(left) = &mut self.left {
            *left -= read as u64;
        }
        let whole = read - read % self.frame_bytes;
        // A frame that is not whole can only be the last.
        damage.truncated |= whole < read;
        self.encoding.decode(&self.bytes[..whole], &mut self.block);
        Ok(whole > 0)
    }
}
