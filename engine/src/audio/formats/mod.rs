//! Audio files: WAV and raw PCM always, FLAC, MP3 and Ogg Vorbis with the feature `formats`, Opus in Ogg and WebM with
//! `opus`.
//!
//! [`AudioFile`] hands out blocks of interleaved f32 samples as they are decoded, so a file of any length takes the
//! memory of one block. What can be decoded of a damaged file is handed out, with silence in place of lost packets so
//! that times stay true, and [`AudioFile::damage`] tells about the rest.

#[cfg(feature = "formats")]
mod compressed;
#[cfg(feature = "opus")]
mod opus;
mod pcm;
mod wav;

#[cfg(test)]
mod tests;

use std::fs::File;
#[cfg(feature = "formats")]
use std::io::Cursor;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use pcm::{Encoding, RawFormat};

use super::resample::{MAX_CHANNELS, RATES_HZ};
use pcm::PcmReader;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioFileError {
    /// The file could not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Reading failed.
    #[error("cannot read the audio: {source}")]
    Read {
        /// What the system says.
        source: std::io::Error,
    },
    /// There is not a single byte.
    #[error("the audio file is empty (0 bytes); check what wrote it")]
    Empty,
    /// No header of a known format.
    #[error(
        "not an audio file of a known format; expected WAV{}; for samples without a header give rate, channels and \
         encoding",
        if cfg!(feature = "opus") {
            ", FLAC, MP3, Ogg Vorbis, Ogg Opus or WebM"
        } else if cfg!(feature = "formats") {
            ", FLAC, MP3 or Ogg Vorbis"
        } else {
            " (other formats are not built in)"
        }
    )]
    NotAudio,
    /// The container is known, what it holds is not.
    #[error("the audio is coded as {codec}, which is not supported; convert it to WAV, FLAC, MP3 or Ogg Vorbis")]
    UnsupportedCodec {
        /// Name of the codec.
        codec: String,
    },
    /// The header contradicts itself or is cut short.
    #[error("the header of the audio file is damaged: {what}; fetch or convert the file again")]
    Header {
        /// What is wrong with it.
        what: String,
    },
    /// The sample rate lies outside [`RATES_HZ`].
    #[error("the audio has a sample rate of {rate_hz} Hz, outside 8000 to 192000 Hz; convert it first")]
    Rate {
        /// The rate that the header tells.
        rate_hz: u32,
    },
    /// No channels, or more than [`MAX_CHANNELS`].
    #[error("the audio has {channels} channels, outside 1 to 64; convert it first")]
    Channels {
        /// The count that the header tells.
        channels: usize,
    },
    /// A later part of the file has another rate or channel count.
    #[error("the audio changes its sample rate or channels on the way; split the file there")]
    Changed,
}

/// What was wrong with a file, as far as it has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Packets, or gaps between packets, that could not be decoded. Silence took their place.
    pub packets: u64,
    /// The file ends before it should.
    pub truncated: bool,
}

impl Damage {
    /// Whether nothing was wrong.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// An audio file being decoded.
///
/// ```no_run
/// # fn main() -> Result<(), linnet::audio::formats::AudioFileError> {
/// use linnet::audio::formats::AudioFile;
///
/// let mut file = AudioFile::open("speech.flac")?;
/// println!("{} Hz, {} channels", file.rate_hz(), file.channels());
/// while let Some(block) = file.next_block()? {
///     println!("{} frames", block.len() / 2);
/// }
/// println!("{:?}", file.damage());
/// # Ok(())
/// # }
/// ```
pub struct AudioFile {
    rate_hz: u32,
    channels: usize,
    duration: Option<Duration>,
    source: Source,
    damage: Damage,
}

enum Source {
    Pcm(PcmReader),
    #[cfg(feature = "formats")]
    Compressed(compressed::CompressedReader),
}

impl AudioFile {
    /// Opens a file; its content tells the format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AudioFileError> {
        let path = path.as_ref();
        let open_error = |source| AudioFileError::Open { path: path.into(), source };
        let mut file = File::open(path).map_err(open_error)?;
        let start = read_start(&mut file)?;
        if wav::is_wav(&start) {
            return Self::wav(file);
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        // A pipe cannot go back, and reads on instead.
        match file.rewind() {
            Ok(()) => Self::compressed(Compressed::File(file), start, extension),
            Err(_) => Self::compressed(Compressed::Stream(Box::new(file)), start, extension),
        }
    }

    /// Reads a file from anywhere, once from front to back. `extension` is a hint at its format.
    pub fn from_reader(
        mut reader: impl Read + Send + Sync + 'static,
        extension: Option<&str>,
    ) -> Result<Self, AudioFileError> {
        let start = read_start(&mut reader)?;
        if wav::is_wav(&start) {
            return Self::wav(reader);
        }
        Self::compressed(Compressed::Stream(Box::new(reader)), start, extension)
    }

    /// Opens a file of samples without a header.
    pub fn open_raw(path: impl AsRef<Path>, format: RawFormat) -> Result<Self, AudioFileError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| AudioFileError::Open { path: path.into(), source })?;
        Self::raw_from_reader(file, format)
    }

    /// Reads samples without a header from anywhere.
    pub fn raw_from_reader(
        reader: impl Read + Send + Sync + 'static,
        format: RawFormat,
    ) -> Result<Self, AudioFileError> {
        Self::pcm(reader, format, None)
    }

    /// Sample rate in Hz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Interleaved channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Length as the header tells, if it does.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Decodes the next block: interleaved samples of whole frames, at least one. `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>, AudioFileError> {
        let (more, block) = match &mut self.source {
            Source::Pcm(reader) => (reader.next(&mut self.damage)?, &reader.block),
            #[cfg(feature = "formats")]
            Source::Compressed(reader) => (reader.next(&mut self.damage)?, &reader.block),
        };
        Ok(more.then_some(block))
    }

    /// What was wrong with the file so far. Complete once [`next_block`](Self::next_block) has returned `None`.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    fn wav(mut reader: impl Read + Send + Sync + 'static) -> Result<Self, AudioFileError> {
        let (format, len) = wav::read_header(&mut reader)?;
        Self::pcm(reader, format, len)
    }

    fn pcm(
        reader: impl Read + Send + Sync + 'static,
        format: RawFormat,
        len: Option<u64>,
    ) -> Result<Self, AudioFileError> {
        check(format.rate_hz, format.channels)?;
        let bytes_per_second = format.channels as f64 * format.encoding.bytes() as f64 * f64::from(format.rate_hz);
        Ok(Self {
            rate_hz: format.rate_hz,
            channels: format.channels,
            duration: len.map(|len| Duration::from_secs_f64(len as f64 / bytes_per_second)),
            source: Source::Pcm(PcmReader::new(Box::new(reader), &format, len)),
            damage: Damage::default(),
        })
    }

    #[cfg(feature = "formats")]
    fn compressed(source: Compressed, start: Vec<u8>, extension: Option<&str>) -> Result<Self, AudioFileError> {
        use symphonia::core::io::{MediaSource, ReadOnlySource};
        let source: Box<dyn MediaSource> = match source {
            Compressed::File(file) => Box::new(file),
            Compressed::Stream(reader) => Box::new(ReadOnlySource::new(Cursor::new(start.clone()).chain(reader))),
        };
        let reader = compressed::CompressedReader::new(source, &start, extension)?;
        check(reader.rate_hz, reader.channels)?;
        Ok(Self {
            rate_hz: reader.rate_hz,
            channels: reader.channels,
            duration: reader.duration(),
            source: Source::Compressed(reader),
            damage: Damage::default(),
        })
    }

    #[cfg(not(feature = "formats"))]
    fn compressed(_source: Compressed, _start: Vec<u8>, _extension: Option<&str>) -> Result<Self, AudioFileError> {
        Err(AudioFileError::NotAudio)
    }
}

/// Where the bytes of a compressed file come from.
#[cfg_attr(not(feature = "formats"), expect(dead_code, reason = "only read by the decoders"))]
enum Compressed {
    /// At its first byte, and seekable: its length can be looked up at its end.
    File(File),
    /// Behind the start that has been read.
    Stream(Box<dyn Read + Send + Sync>),
}

/// Reads as much of the start as tells a WAV file, or all of a shorter file.
fn read_start(reader: &mut impl Read) -> Result<Vec<u8>, AudioFileError> {
    let mut start = Vec::with_capacity(wav::MAGIC_LEN);
    reader.take(wav::MAGIC_LEN as u64).read_to_end(&mut start).map_err(|source| AudioFileError::Read { source })?;
    if start.is_empty() { Err(AudioFileError::Empty) } else { Ok(start) }
}

fn check(rate_hz: u32, channels: usize) -> Result<(), AudioFileError> {
    if !RATES_HZ.contains(&rate_hz) {
        return Err(AudioFileError::Rate { rate_hz });
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(AudioFileError::Channels { channels });
    }
    Ok(())
}
