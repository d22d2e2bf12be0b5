//! The header of a WAV file (RIFF/WAVE, and RF64 for those over 4 GB).
//!
//! Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991; EBU Tech 3306 for RF64.

use std::io::Read;

use super::{AudioFileError, Encoding, RawFormat};

/// Bytes that tell a WAV file.
pub(super) const MAGIC_LEN: usize = 12;

/// Whether a file that starts like this is WAV.
pub(super) fn is_wav(start: &[u8]) -> bool {
    start.len() >= MAGIC_LEN && matches!(&start[..4], b"RIFF" | b"RF64") && &start[8..12] == b"WAVE"
}

/// Reads on from behind the magic up to the first sample. Returns the format, and the length of the samples in bytes if
/// it is known: writers that cannot seek leave it at zero or the largest value.
pub(super) fn read_header(reader: &mut impl Read) -> Result<(RawFormat, Option<u64>), AudioFileError> {
    let mut format = None;
    loop {
        let [id, len] = read_words(reader)?;
        let len = u32::from_le_bytes(len);
        match &id {
            b"fmt " => format = Some(read_format(reader, len)?),
            b"data" => {
                let Some(format) = format else { return damaged("its samples come before their format") };
                return Ok((format, (len != 0 && len != u32::MAX).then_some(len.into())));
            }
            _ => skip(reader, padded(len))?,
        }
    }
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const ALAW: u16 = 6;
const MULAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

fn read_format(reader: &mut impl Read, len: u32) -> Result<RawFormat, AudioFileError> {
    // The extensible form is the longest.
    let mut fields = [0u8; 40];
    let held = fields.len().min(len as usize);
    if held < 16 {
        return damaged("its format is cut short");
    }
    reader.read_exact(&mut fields[..held]).map_err(header_error)?;
    skip(reader, padded(len) - held as u64)?;
    let u16_at = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
    let channels = u16_at(2).into();
    let rate_hz = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let bits = u16_at(14);
    let tag = if u16_at(0) == EXTENSIBLE { u16_at(24) } else { u16_at(0) };
    let encoding = match (tag, bits) {
        (PCM, 8) => Encoding::U8,
        (PCM, 9..=16) => Encoding::I16,
        (PCM, 17..=24) => Encoding::I24,
        (PCM, 25..=32) => Encoding::I32,
        (FLOAT, 32) => Encoding::F32,
        (FLOAT, 64) => Encoding::F64,
        (ALAW, 8) => Encoding::ALaw,
        (MULAW, 8) => Encoding::MuLaw,
        _ => {
            return Err(AudioFileError::UnsupportedCodec {
                codec: format!("WAV format tag {tag:#06x} with {bits} bits per sample"),
            });
        }
    };
    if usize::from(u16_at(12)) != channels * encoding.bytes() {
        return damaged("its frame size does not fit its channels and bits");
    }
    Ok(RawFormat { rate_hz, channels, encoding })
}

/// Chunks start at even offsets.
fn padded(len: u32) -> u64 {
    u64::from(len) + u64::from(len % 2)
}

fn read_words<const N: usize>(reader: &mut impl Read) -> Result<[[u8; 4]; N], AudioFileError> {
    let mut words = [[0; 4]; N];
    reader.read_exact(words.as_flattened_mut()).map_err(header_error)?;
    Ok(words)
}

fn skip(reader: &mut impl Read, len: u64) -> Result<(), AudioFileError> {
    let skipped = std::io::copy(&mut reader.take(len), &mut std::io::sink()).map_err(header_error)?;
    if skipped < len { damaged("it ends before its samples") } else { Ok(()) }
}

fn header_error(error: std::io::Error) -> AudioFileError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        AudioFileError::Header { what: "it ends before its samples".into() }
    } else {
        AudioFileError::Read { source: error }
    }
}

fn damaged<T>(what: &str) -> Result<T, AudioFileError> {
    Err(AudioFileError::Header { what: what.into() })
}
