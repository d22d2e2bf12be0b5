//! Streams: audio in, events out.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use linnet::{Stream, model::tokens::Tokens};

use crate::{
    config::{Settings, linnet_stream_config_t},
    engine::{engine, linnet_engine_t},
    error::{Failure, guard, linnet_status_t},
    event::{Lent, linnet_event_t, ms},
    handles::{Kind, Table},
    memory::{check_struct, values, write, write_struct},
    metrics::linnet_metrics_t,
};

/// The state of one audio stream. Zero is none.
///
/// Any thread may call at any time: calls on one stream take turns, calls on different streams run side by side.
pub type linnet_stream_t = u64;

static STREAMS: Table<OpenStream> = Table::new(Kind::Stream);

pub(crate) struct OpenStream {
    channels: usize,
    /// Of the engine, which what is made for the stream must be made with.
    pub tokens: Arc<Tokens>,
    /// Poisoned by a panic of the engine, after which its state is not to be trusted.
    state: Mutex<State>,
}

pub(crate) struct State {
    pub stream: Stream,
    lent: Lent,
}

impl OpenStream {
    pub fn lock(&self) -> Result<MutexGuard<'_, State>, Failure> {
        self.state.lock().map_err(|_| {
            Failure::internal(
                "an earlier call on this stream met a defect in the library; free the stream and make a new one",
            )
        })
    }
}

/// The stream that a handle stands for.
pub(crate) fn open_stream(handle: linnet_stream_t) -> Result<Arc<OpenStream>, Failure> {
    STREAMS.get(handle)
}

/// Runs `call` with the stream that a handle stands for, when it is its turn.
pub(crate) fn with<T>(
    handle: linnet_stream_t,
    call: impl FnOnce(&mut State) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let open = open_stream(handle)?;
    let mut state = open.lock()?;
    call(&mut state)
}

/// Makes a stream. `config` may be null, for the defaults. On an error `*stream` is zero.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the rate or the number of
/// channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED when a field is set that the library does not
/// have; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `config` and what it points to are only read during the call;
/// `*stream` is the caller's, who gives it to linnet_stream_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_new(
    engine: linnet_engine_t,
    config: *const linnet_stream_config_t,
    stream: *mut linnet_stream_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `stream` is null or can be written.
        unsafe { write(stream, "stream", 0)? };
        let engine = self::engine(engine)?;
        // SAFETY: the caller promises that `config` is null or a struct of the size that it says, with what it points to.
        let settings = unsafe { Settings::for_stream(config, &engine)? };
        let channels = settings.config.audio.channels.into();
        let state = State { stream: settings.stream(&engine)?, lent: Lent::default() };
        let open = OpenStream { channels, tokens: engine.tokens().clone(), state: Mutex::new(state) };
        let handle = STREAMS.insert(open)?;
        // SAFETY: as above.
        unsafe { write(stream, "stream", handle) }
    })
}

/// Gives a stream back, and drops audio and events that it holds. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any. A call that another thread is in
/// ends as if the stream were still there, and its memory is freed then; this function does not wait for it.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_free(stream: linnet_stream_t) -> linnet_status_t {
    guard(|| match stream {
        0 => Ok(()),
        handle => STREAMS.remove(handle).map(drop),
    })
}

/// Takes `frames` frames of interleaved samples in -1..1 (`frames` times the channels of the configuration in all), and
/// computes every chunk that is complete: the call takes as long as that. Poll after it.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT when `samples` is null or misaligned, when `frames` is more than memory holds,
/// or when a sample is not finite: nothing is taken then; LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_FINISHED. Threads:
/// any. Ownership: `samples` are only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_push_f32(
    stream: linnet_stream_t,
    samples: *const f32,
    frames: usize,
) -> linnet_status_t {
    guard(|| {
        let open = STREAMS.get(stream)?;
        // SAFETY: the caller promises that `samples` is null or has that many frames.
        let samples = unsafe { interleaved(samples, frames, open.channels)? };
        check_finite(samples)?;
        Ok(open.lock()?.stream.push_f32(samples)?)
    })
}

/// Takes 16-bit samples, otherwise as linnet_stream_push_f32.
///
/// Errors: as linnet_stream_push_f32. Threads: any. Ownership: `samples` are only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_push_i16(
    stream: linnet_stream_t,
    samples: *const i16,
    frames: usize,
) -> linnet_status_t {
    guard(|| {
        let open = STREAMS.get(stream)?;
        // SAFETY: the caller promises that `samples` is null or has that many frames.
        let samples = unsafe { interleaved(samples, frames, open.channels)? };
        Ok(open.lock()?.stream.push_i16(samples)?)
    })
}

/// Fills `event` with the oldest event that was not polled yet; its kind is LINNET_EVENT_NONE when there is none until
/// the next push. Never waits for audio. An interim that was not polled is replaced by a newer one; nothing else is
/// dropped.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any; where several poll, each event goes
/// to one of them, and only one at a time may use what it got. Ownership: `event` is the caller's; its text and words
/// are borrowed, valid until the next call with this stream by any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_poll(stream: linnet_stream_t, event: *mut linnet_event_t) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `event` is null or a struct of the size that it says.
        unsafe { check_struct(event)? };
        with(stream, |State { stream, lent }| {
            let mut next = linnet_event_t::none();
            while let Some(happened) = stream.poll() {
                if let Some(known) = lent.event(happened) {
                    next = known;
                    break;
                }
            }
            // SAFETY: as above.
            unsafe { write_struct(event, &next) }
        })
    })
}

/// Recognizes all audio pushed so far to its last sample and makes a final event of it. The stream goes on: the next
/// push continues at the same position with a fresh state.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_FINISHED. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_finalize(stream: linnet_stream_t) -> linnet_status_t {
    guard(|| with(stream, |state| Ok(state.stream.finalize()?)))
}

/// Ends the stream: linnet_stream_finalize, after which pushing and finalizing fail until linnet_stream_reset.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_FINISHED. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_finish(stream: linnet_stream_t) -> linnet_status_t {
    guard(|| with(stream, |state| Ok(state.stream.finish()?)))
}

/// Starts anew at position zero in the same storage: audio and events that the stream holds are dropped.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_reset(stream: linnet_stream_t) -> linnet_status_t {
    guard(|| {
        with(stream, |state| {
            state.stream.reset();
            Ok(())
        })
    })
}

/// Changes the audio per step of the encoder from the next chunk on, to the nearest that the model was trained with.
/// `chunk_ms` is in milliseconds and at least 1.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_set_chunk_ms(stream: linnet_stream_t, chunk_ms: u32) -> linnet_status_t {
    guard(|| {
        with(stream, |state| match chunk_ms {
            0 => Err(Failure::argument("chunk_ms is 0; linnet_engine_info tells the model's chunks")),
            _ => Ok(state.stream.set_chunk(Duration::from_millis(chunk_ms.into()))?),
        })
    })
}

/// Tells the audio per step of the encoder in `*chunk_ms`, in milliseconds.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_chunk_ms(stream: linnet_stream_t, chunk_ms: *mut u32) -> linnet_status_t {
    guard(|| {
        let chunk = with(stream, |state| Ok(state.stream.chunk()))?;
        // SAFETY: the caller promises that `chunk_ms` is null or can be written.
        unsafe { write(chunk_ms, "chunk_ms", u32::try_from(chunk.as_millis()).unwrap_or(u32::MAX)) }
    })
}

/// Tells in `*position_ms` up to where audio was pushed, in milliseconds since the stream began.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_position_ms(stream: linnet_stream_t, position_ms: *mut u64) -> linnet_status_t {
    guard(|| {
        let position = with(stream, |state| Ok(state.stream.position()))?;
        // SAFETY: the caller promises that `position_ms` is null or can be written.
        unsafe { write(position_ms, "position_ms", ms(position)) }
    })
}

/// Fills `metrics` with the counters and times of the stream since it was made.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `metrics` is the
/// caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_metrics(
    stream: linnet_stream_t,
    metrics: *mut linnet_metrics_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `metrics` is null or a struct of the size that it says.
        unsafe { check_struct(metrics)? };
        let current = with(stream, |state| Ok(linnet_metrics_t::from(state.stream.metrics())))?;
        // SAFETY: as above.
        unsafe { write_struct(metrics, &current) }
    })
}

/// `frames` frames of interleaved samples.
///
/// # Safety
/// `samples` is null, or `frames * channels` values can be read there and don't change during `'a`.
pub(crate) unsafe fn interleaved<'a, T: Copy>(
    samples: *const T,
    frames: usize,
    channels: usize,
) -> Result<&'a [T], Failure> {
    let len = frames.checked_mul(channels);
    let len = len.ok_or_else(|| Failure::argument(format!("samples: {frames} frames are more than memory holds")))?;
    // SAFETY: as promised by the caller.
    unsafe { values(samples, len, "samples") }
}

/// Samples must be numbers: anything else is a mistake of the host, such as of the sample format.
pub(crate) fn check_finite(samples: &[f32]) -> Result<(), Failure> {
    // Without an early exit inside a block the check is vectorized.
    let finite =
        samples.chunks(4096).all(|block| block.iter().fold(true, |finite, sample| finite & sample.is_finite()));
    if finite {
        return Ok(());
    }
    let at = samples.iter().position(|sample| !sample.is_finite()).unwrap_or_default();
    Err(Failure::argument(format!("samples: value {at} is {}; all must be finite", samples[at])))
}
