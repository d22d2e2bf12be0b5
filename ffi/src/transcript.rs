//! Whole recordings to transcripts.

use std::ffi::c_char;

use linnet::{AudioFormat, Engine, Event, Hypothesis, Stream, audio::AudioFile};

use crate::{
    config::{Settings, audio_format, linnet_stream_config_t},
    engine::{engine, linnet_engine_t},
    error::{Failure, guard, linnet_status_t},
    event::{Lent, linnet_event_kind_t::LINNET_EVENT_FINAL, linnet_event_t},
    handles::{Kind, Table},
    memory::{check_struct, path, write, write_struct},
    stream::{check_finite, interleaved},
};

/// The transcript of a recording. Zero is none. Any number of threads may use it at the same time.
pub type linnet_transcript_t = u64;

static TRANSCRIPTS: Table<Transcript> = Table::new(Kind::Transcript);

struct Transcript {
    /// What `event` points into; never changed.
    _lent: Lent,
    event: linnet_event_t,
}

// SAFETY: the pointers in `event` are into `_lent` and static memory, neither of which changes any more.
unsafe impl Send for Transcript {}
// SAFETY: as above.
unsafe impl Sync for Transcript {}

impl Transcript {
    fn new(hypothesis: &Hypothesis) -> Self {
        let mut lent = Lent::default();
        let event = lent.hypothesis(LINNET_EVENT_FINAL, hypothesis);
        Self { _lent: lent, event }
    }
}

/// Recognizes a whole recording: `frames` frames of interleaved samples in -1..1 with `sample_rate_hz` frames per
/// second. On an error `*transcript` is zero.
///
/// `config` may be null. Of it a recording takes `chunk_ms` (of which 0 is the longest here), `max_symbols_per_frame`,
/// `beam_width`, `alternatives`, `hotwords`, `grammar`, `language_model`, `format`, `speakers`, `speaker_threshold` and
/// `second_pass`; rate and channels are those of the arguments, and nothing ends its one utterance early.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT as linnet_stream_push_f32 and linnet_stream_new;
/// LINNET_ERROR_AUDIO when the rate or the number of channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED;
/// LINNET_ERROR_RESOURCES. Threads: any; calls run side by side. Ownership: `samples`, `config` and what it points to are
/// only read during the call; `*transcript` is the caller's, who gives it to linnet_transcript_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_transcribe_f32(
    engine: linnet_engine_t,
    samples: *const f32,
    frames: usize,
    sample_rate_hz: u32,
    channels: u32,
    config: *const linnet_stream_config_t,
    transcript: *mut linnet_transcript_t,
) -> linnet_status_t {
    let recognize = || {
        let engine = self::engine(engine)?;
        let format = audio_format(sample_rate_hz, channels)?;
        // SAFETY: the caller promises that `samples` is null or has that many frames.
        let samples = unsafe { interleaved(samples, frames, format.channels.into())? };
        check_finite(samples)?;
        // SAFETY: the caller promises that `config` is null or a struct of the size that it says, with what it points to.
        let settings = unsafe { Settings::for_recording(config, &engine, format)? };
        transcribe(&engine, settings, |stream| Ok(stream.push_f32(samples)?))
    };
    // SAFETY: the caller promises that `transcript` is null or can be written.
    unsafe { deliver(transcript, recognize) }
}

/// Recognizes a whole recording of 16-bit samples, otherwise as linnet_transcribe_f32.
///
/// Errors: as linnet_transcribe_f32. Threads: any; calls run side by side. Ownership: as linnet_transcribe_f32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_transcribe_i16(
    engine: linnet_engine_t,
    samples: *const i16,
    frames: usize,
    sample_rate_hz: u32,
    channels: u32,
    config: *const linnet_stream_config_t,
    transcript: *mut linnet_transcript_t,
) -> linnet_status_t {
    let recognize = || {
        let engine = self::engine(engine)?;
        let format = audio_format(sample_rate_hz, channels)?;
        // SAFETY: the caller promises that `samples` is null or has that many frames.
        let samples = unsafe { interleaved(samples, frames, format.channels.into())? };
        // SAFETY: the caller promises that `config` is null or a struct of the size that it says, with what it points to.
        let settings = unsafe { Settings::for_recording(config, &engine, format)? };
        transcribe(&engine, settings, |stream| Ok(stream.push_i16(samples)?))
    };
    // SAFETY: the caller promises that `transcript` is null or can be written.
    unsafe { deliver(transcript, recognize) }
}

/// Recognizes an audio file, which is read piece by piece: WAV, and unless the library was built without them also FLAC,
/// MP3 and Ogg Vorbis. `path` is UTF-8 and ends with a zero; `config` is as for linnet_transcribe_f32. On an error
/// `*transcript` is zero.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the file can't be read or
/// converted, also when its format is not built in; LINNET_ERROR_RESOURCES. Threads: any; calls run side by side.
/// Ownership: `path`, `config` and what it points to are only read during the call; `*transcript` is the caller's, who
/// gives it to linnet_transcript_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_transcribe_file(
    engine: linnet_engine_t,
    path: *const c_char,
    config: *const linnet_stream_config_t,
    transcript: *mut linnet_transcript_t,
) -> linnet_status_t {
    let recognize = || {
        let engine = self::engine(engine)?;
        // SAFETY: the caller promises that `path` is null or ends with a zero.
        let path = unsafe { self::path(path)? };
        let mut file = AudioFile::open(path)?;
        let channels = u16::try_from(file.channels());
        let channels = channels.map_err(|_| Failure::audio(format!("{path} has {} channels", file.channels())))?;
        let format = AudioFormat { rate_hz: file.rate_hz(), channels };
        // SAFETY: the caller promises that `config` is null or a struct of the size that it says, with what it points to.
        let settings = unsafe { Settings::for_recording(config, &engine, format)? };
        transcribe(&engine, settings, |stream| {
            while let Some(block) = file.next_block()? {
                stream.push_f32(block)?;
            }
            Ok(())
        })
    };
    // SAFETY: the caller promises that `transcript` is null or can be written.
    unsafe { deliver(transcript, recognize) }
}

/// Fills `event` with the transcript: an event of kind LINNET_EVENT_FINAL with the words of the whole recording.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `event` is the caller's;
/// its text and words are borrowed, valid until linnet_transcript_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_transcript_get(
    transcript: linnet_transcript_t,
    event: *mut linnet_event_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `event` is null or a struct of the size that it says.
        unsafe { check_struct(event)? };
        let transcript = TRANSCRIPTS.get(transcript)?;
        // SAFETY: as above.
        unsafe { write_struct(event, &transcript.event) }
    })
}

/// Gives a transcript back, with all that was borrowed from it. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_transcript_free(transcript: linnet_transcript_t) -> linnet_status_t {
    guard(|| match transcript {
        0 => Ok(()),
        handle => TRANSCRIPTS.remove(handle).map(drop),
    })
}

/// Stores what `recognize` finds, and hands out its handle.
///
/// # Safety
/// `output` is null or can be written.
unsafe fn deliver(
    output: *mut linnet_transcript_t,
    recognize: impl FnOnce() -> Result<Hypothesis, Failure>,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: as promised by the caller.
        unsafe { write(output, "transcript", 0)? };
        let handle = TRANSCRIPTS.insert(Transcript::new(&recognize()?))?;
        // SAFETY: as promised by the caller.
        unsafe { write(output, "transcript", handle) }
    })
}

/// Recognizes what `push` pushes as one recording.
fn transcribe(
    engine: &Engine,
    settings: Settings,
    push: impl FnOnce(&mut Stream) -> Result<(), Failure>,
) -> Result<Hypothesis, Failure> {
    let mut stream = settings.stream(engine)?;
    push(&mut stream)?;
    stream.finish()?;
    while let Some(event) = stream.poll() {
        if let Event::Final(hypothesis) = event {
            return Ok(hypothesis.clone());
        }
    }
    Ok(Hypothesis::default())
}
