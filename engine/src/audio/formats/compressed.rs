//! FLAC, MP3 and Ogg Vorbis through the symphonia library; Opus in Ogg and WebM with the feature `opus`.

use std::io::ErrorKind;
use std::time::Duration;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_SPEEX,
    CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::{AudioFileError, Damage};

/// Errors of the container in a row after which the rest counts as lost.
const MAX_ERRORS_IN_A_ROW: u32 = 1000;

/// Silence that takes the place of lost audio at most, per gap. Longer ones come from damaged times.
const MAX_GAP: Duration = Duration::from_secs(600);

/// Difference between the times of packets and the samples decoded so far from which on audio has been lost. Encoders
/// are not exact to the sample at the ends.
const GAP_TOLERANCE: Duration = Duration::from_millis(50);

/// First bytes of a WebM file.
const EBML: &[u8] = b"\x1a\x45\xdf\xa3";

/// Decodes a file packet by packet.
pub(super) struct CompressedReader {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    pub(super) rate_hz: u32,
    pub(super) channels: usize,
    /// Length in frames, if the container says.
    total_frames: Option<u64>,
    /// Frames decoded, with those at the start that are not part of the audio.
    frames: u64,
    /// Frames at the start that only serve to settle the decoder, and how many of them are still to come.
    settling: u64,
    skip: u64,
    /// Frames decoded when the current physical stream began; its packets count from there.
    stream_start: u64,
    /// Whether packets are timed in frames.
    timed: bool,
    ended: bool,
    pub(super) block: Vec<f32>,
}

impl CompressedReader {
    /// `start` holds the first bytes of the source.
    pub(super) fn new(
        source: Box<dyn MediaSource>,
        start: &[u8],
        extension: Option<&str>,
    ) -> Result<Self, AudioFileError> {
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| probe_error(error, start))?;
        let track = format.default_track(TrackType::Audio).ok_or(AudioFileError::NotAudio)?;
        let (decoder, rate_hz, channels) = open_track(track)?;
        let settling = settling_frames(track);
        Ok(Self {
            track_id: track.id,
            rate_hz,
            channels,
            total_frames: track.num_frames,
            timed: is_timed_in_frames(track, rate_hz),
            decoder,
            format,
            frames: 0,
            settling,
            skip: settling,
            stream_start: 0,
            ended: false,
            block: Vec::new(),
        })
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        let frames = self.total_frames?.saturating_sub(self.settling);
        Some(Duration::from_secs_f64(frames as f64 / f64::from(self.rate_hz)))
    }

    /// Decodes the next block with audio into `block`. Returns whether there was one.
    pub(super) fn next(&mut self, damage: &mut Damage) -> Result<bool, AudioFileError> {
        self.block.clear();
        while self.block.is_empty() && !self.ended {
            match self.next_packet(damage)? {
                Some(packet) if packet.track_id == self.track_id => self.decode(&packet, damage)?,
                Some(_) => {}
                None => {
                    self.ended = true;
                    damage.truncated |= self.total_frames.is_some_and(|total| {
                        self.stream_start == 0 && total > self.frames + self.in_frames(GAP_TOLERANCE)
                    });
                }
            }
        }
        Ok(!self.block.is_empty())
    }

    fn next_packet(&mut self, damage: &mut Damage) -> Result<Option<Packet>, AudioFileError> {
        for _ in 0..MAX_ERRORS_IN_A_ROW {
            match self.format.next_packet() {
                Ok(packet) => return Ok(packet),
                Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    // What a browser records as it goes has no length, and nothing at its end.
                    damage.truncated |=
                        self.total_frames.is_some() || self.format.format_info().short_name != "matroska";
                    return Ok(None);
                }
                Err(Error::IoError(error)) => return Err(AudioFileError::Read { source: error }),
                Err(Error::ResetRequired) => self.start_stream()?,
                Err(_) => damage.packets += 1,
            }
        }
        damage.truncated = true;
        Ok(None)
    }

    /// Takes up the next of several streams that are chained in a file, as internet radio does.
    fn start_stream(&mut self) -> Result<(), AudioFileError> {
        let track = self.format.default_track(TrackType::Audio).ok_or(AudioFileError::NotAudio)?;
        let (decoder, rate_hz, channels) = open_track(track)?;
        if (rate_hz, channels) != (self.rate_hz, self.channels) {
            return Err(AudioFileError::Changed);
        }
        self.track_id = track.id;
        self.timed = is_timed_in_frames(track, rate_hz);
        self.skip = settling_frames(track);
        self.decoder = decoder;
        self.stream_start = self.frames;
        Ok(())
    }

    fn decode(&mut self, packet: &Packet, damage: &mut Damage) -> Result<(), AudioFileError> {
        self.fill_gap(packet, damage);
        let filled = self.block.len();
        match self.decoder.decode(packet) {
            Ok(decoded) => {
                if decoded.frames() > 0 {
                    let spec = decoded.spec();
                    if (spec.rate(), spec.channels().count()) != (self.rate_hz, self.channels) {
                        return Err(AudioFileError::Changed);
                    }
                    self.block.resize(filled + decoded.samples_interleaved(), 0.0);
                    decoded.copy_to_slice_interleaved(&mut self.block[filled..]);
                }
            }
            // Silence for what cannot be decoded keeps the time of all that follows true.
            Err(_) => {
                damage.packets += 1;
                let frames = if self.timed { packet.dur.get().min(self.in_frames(GAP_TOLERANCE) * 4) } else { 0 };
                self.block.resize(filled + frames as usize * self.channels, 0.0);
            }
        }
        let decoded = (self.block.len() - filled) / self.channels;
        self.frames += decoded as u64;
        let skipped = self.skip.min(decoded as u64);
        self.skip -= skipped;
        self.block.drain(filled..filled + skipped as usize * self.channels);
        Ok(())
    }

    /// Puts silence where the container has skipped damaged data between packets.
    fn fill_gap(&mut self, packet: &Packet, damage: &mut Damage) {
        let position = packet.pts.get().saturating_add_unsigned(packet.trim_start.get());
        let gap = position.saturating_sub_unsigned(self.frames - self.stream_start);
        let plausible = self.in_frames(GAP_TOLERANCE)..self.in_frames(MAX_GAP);
        if self.timed && gap > 0 && plausible.contains(&gap.unsigned_abs()) {
            damage.packets += 1;
            self.frames += gap.unsigned_abs();
            self.block.resize(gap.unsigned_abs() as usize * self.channels, 0.0);
        }
    }

    fn in_frames(&self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * f64::from(self.rate_hz)) as u64
    }
}

fn is_timed_in_frames(track: &Track, rate_hz: u32) -> bool {
    track.time_base.is_some_and(|base| base.numer.get() == 1 && base.denom.get() == rate_hz)
}

/// What decodes the tracks of containers.
#[cfg(feature = "opus")]
fn codecs() -> &'static CodecRegistry {
    static CODECS: std::sync::LazyLock<CodecRegistry> = std::sync::LazyLock::new(|| {
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<super::opus::TrackDecoder>();
        codecs
    });
    &CODECS
}

/// What decodes the tracks of containers.
#[cfg(not(feature = "opus"))]
fn codecs() -> &'static CodecRegistry {
    symphonia::default::get_codecs()
}

/// Frames at the start of a track that are decoded and are not part of its audio, where the container leaves them in.
fn settling_frames(track: &Track) -> u64 {
    #[cfg(feature = "opus")]
    if let Some(params) = track.codec_params.as_ref().and_then(|params| params.audio())
        && params.codec == CODEC_ID_OPUS
        && let Some(head) = params.extra_data.as_deref().and_then(super::opus::Head::read)
    {
        return head.skip.into();
    }
    let _ = track;
    0
}

fn open_track(track: &Track) -> Result<(Box<dyn AudioDecoder>, u32, usize), AudioFileError> {
    let params = track.codec_params.as_ref().and_then(|params| params.audio()).ok_or(AudioFileError::NotAudio)?;
    let unsupported = || AudioFileError::UnsupportedCodec { codec: codec_name(params.codec) };
    let decoder =
        codecs().make_audio_decoder(params, &AudioDecoderOptions::default()).map_err(|error| match error {
            Error::Unsupported(_) => unsupported(),
            error => AudioFileError::Header { what: error.to_string() },
        })?;
    // Some decoders have a rate of their own.
    let rate_hz = decoder.codec_params().sample_rate.ok_or_else(unsupported)?;
    let channels = params.channels.as_ref().ok_or_else(unsupported)?.count();
    Ok((decoder, rate_hz, channels))
}

fn codec_name(codec: AudioCodecId) -> String {
    match codec {
        CODEC_ID_OPUS => "Opus".into(),
        CODEC_ID_SPEEX => "Speex".into(),
        CODEC_ID_AAC => "AAC".into(),
        CODEC_ID_MP1 => "MPEG layer 1".into(),
        CODEC_ID_MP2 => "MPEG layer 2".into(),
        CODEC_ID_MP3 => "MP3".into(),
        CODEC_ID_FLAC => "FLAC".into(),
        CODEC_ID_VORBIS => "Vorbis".into(),
        other => format!("codec {other}"),
    }
}

fn probe_error(error: Error, start: &[u8]) -> AudioFileError {
    let known = [&b"fLaC"[..], b"OggS", b"ID3", EBML].iter().any(|magic| start.starts_with(magic));
    match error {
        // The probe reads to the end in search of a header.
        Error::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => AudioFileError::Read { source: error },
        Error::IoError(_) | Error::Unsupported(_) if known => {
            AudioFileError::Header { what: "it ends before its samples".into() }
        }
        Error::IoError(_) | Error::Unsupported(_) => AudioFileError::NotAudio,
        error => AudioFileError::Header { what: error.to_string() },
    }
}
