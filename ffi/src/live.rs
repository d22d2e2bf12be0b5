//! Live sessions: a microphone's or the host's audio, recognized on a thread of the library.

use std::{
    ffi::{c_char, c_void},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use linnet::{
    AudioFormat,
    audio::{PcmSample, Resampler},
    live::{Clock, Connection, Input, Live, LiveConfig, Opening, Priority, Remote, Source, SourceError},
    model::tokens::Tokens,
};

use crate::{
    config::{Settings, linnet_stream_config_t},
    delivery::{Callback, Delivery},
    engine::{engine, linnet_engine_t},
    error::{Failure, guard, linnet_status_t},
    event::{linnet_event_t, linnet_state_t},
    handles::{Kind, Table},
    memory::{self, AbiStruct, check_struct, read_struct, write, write_struct},
    metrics::{linnet_metrics_t, linnet_session_metrics_t},
    stream::interleaved,
    value::flag,
};

/// A live session. Zero is none. Any thread may call at any time.
pub type linnet_live_t = u64;

static SESSIONS: Table<Session> = Table::new(Kind::Live);

/// The host pushes the audio, for example from its own audio callback: linnet_live_push_f32 and linnet_live_push_i16.
pub const LINNET_SOURCE_PUSH: u32 = 0;
/// The library captures from a microphone, and takes it up again when it was lost.
pub const LINNET_SOURCE_MICROPHONE: u32 = 1;

/// What a session calls with each of its events, on a thread of the library. The event and all it points to are
/// borrowed until the function returns. The function may call the library, also to free the session.
pub type linnet_event_callback_t = Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const linnet_event_t)>;

/// Settings of a live session. Set `size`, fill the rest with linnet_live_config_init, and change what is needed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_live_config_t {
    /// sizeof(linnet_live_config_t).
    pub size: usize,
    /// LINNET_SOURCE_PUSH (the default) or LINNET_SOURCE_MICROPHONE.
    pub source: u32,
    /// Audio that is kept while the recognizer is busy, in milliseconds: 80 to 600000. What comes when that is full is
    /// lost, and told by LINNET_EVENT_GAP. Default 5000.
    pub buffer_ms: u32,
    /// Id of the microphone, or a part of its name: UTF-8, zero-terminated; null for the system's default. Not used with
    /// LINNET_SOURCE_PUSH.
    pub device: *const c_char,
    /// Settings of the recognition; null for the defaults. Rate and channels are those of the pushed audio; a microphone
    /// has its own.
    pub stream: *const linnet_stream_config_t,
    /// Whether the recognizer's thread asks for real-time priority: 1 or 0. Default 1; where the system refuses,
    /// LINNET_EVENT_NOTICE says so.
    pub realtime_priority: u32,
    /// Whether linnet_live_event_fd will be asked for: 1 or 0. Default 0.
    pub event_fd: u32,
    /// Takes the events; null to take them with linnet_live_next. Default null.
    pub on_event: linnet_event_callback_t,
    /// Handed to `on_event` as it is.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, size first; integers, pointers, and a function pointer that the host vouches for.
unsafe impl AbiStruct for linnet_live_config_t {
    const NAME: &'static str = "linnet_live_config_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl linnet_live_config_t {
    fn defaults() -> Self {
        let config = LiveConfig::default();
        Self {
            size: size_of::<Self>(),
            source: LINNET_SOURCE_PUSH,
            buffer_ms: u32::try_from(config.buffer.as_millis()).unwrap_or(u32::MAX),
            device: std::ptr::null(),
            stream: std::ptr::null(),
            realtime_priority: 1,
            event_fd: 0,
            on_event: None,
            user_data: std::ptr::null_mut(),
        }
    }

    fn to_live_config(self) -> Result<LiveConfig, Failure> {
        let mut config = LiveConfig::default();
        config.buffer = match self.buffer_ms {
            ms @ 80..=600_000 => Duration::from_millis(ms.into()),
            other => return Err(Failure::argument(format!("buffer_ms is {other}; it takes 80 to 600000"))),
        };
        config.priority =
            if flag(self.realtime_priority, "realtime_priority")? { Priority::RealTime } else { Priority::Inherit };
        Ok(config)
    }
}

pub(crate) struct Session {
    pub remote: Remote,
    /// Of the engine, which what is made for the session must be made with.
    pub tokens: Arc<Tokens>,
    delivery: Delivery,
    /// Of a session whose host pushes.
    pushed: Option<Pushed>,
}

/// The session that a handle stands for.
pub(crate) fn session(handle: linnet_live_t) -> Result<Arc<Session>, Failure> {
    SESSIONS.get(handle)
}

/// The host's end of the audio.
struct Pushed {
    channels: usize,
    clock: Clock,
    /// Empty once the audio has ended.
    input: Arc<Mutex<Option<Input>>>,
}

/// The host as a source of audio. It is there from the start; a connection that the session gave up is replaced.
struct Host {
    format: AudioFormat,
    first: Option<Connection>,
    input: Arc<Mutex<Option<Input>>>,
}

impl Host {
    fn connect(format: AudioFormat, opening: &Opening) -> (Input, Connection) {
        opening.connect(format, "the host")
    }
}

impl Source for Host {
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let (input, connection) = Self::connect(self.format, opening);
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
        Ok(connection)
    }
}

/// Fills `config` with the defaults. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_config_init(config: *mut linnet_live_config_t) -> linnet_status_t {
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says.
    guard(|| unsafe { write_struct(config, &linnet_live_config_t::defaults()) })
}

/// Starts a session: from now on audio is recognized on a thread of the library. `config` may be null, for the defaults.
/// A microphone is opened in the background; whether that works comes as an event. On an error `*live` is zero.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the rate or the number of
/// channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED when a field is set that the library does not
/// have, and for a microphone in a library built without capture; LINNET_ERROR_RESOURCES. Threads: any. Ownership:
/// `config` and what it points to are only read during the call; `user_data` must stay good until linnet_live_free has
/// returned, or the callback that called it; `*live` is the caller's, who gives it to linnet_live_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_start(
    engine: linnet_engine_t,
    config: *const linnet_live_config_t,
    live: *mut linnet_live_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `live` is null or can be written.
        unsafe { write(live, "live", 0)? };
        let config = match config.is_null() {
            true => linnet_live_config_t::defaults(),
            // SAFETY: the caller promises that it is a struct of the size that it says.
            false => unsafe { read_struct(config, linnet_live_config_t::defaults())? },
        };
        // SAFETY: the caller promises that the device's name is null or ends with a zero, and that the stream's settings
        // are null or a struct of the size that it says, with what it points to.
        let session = unsafe { start(engine, &config)? };
        let handle = SESSIONS.insert(session)?;
        // SAFETY: as above.
        unsafe { write(live, "live", handle) }
    })
}

/// # Safety
/// `config.device` is null or ends with a zero; `config.stream` is null, or a struct of the size that it says, with what
/// it points to.
unsafe fn start(engine: linnet_engine_t, config: &linnet_live_config_t) -> Result<Session, Failure> {
    let engine = self::engine(engine)?;
    let mut settings = config.to_live_config()?;
    // SAFETY: as promised by the caller.
    let Settings { config: stream, hotwords } = unsafe { Settings::for_stream(config.stream, &engine)? };
    settings.stream = stream;
    let wants_fd = flag(config.event_fd, "event_fd")?;
    let callback = config.on_event.map(|function| Callback::new(function, config.user_data));
    let (live, pushed) = match config.source {
        LINNET_SOURCE_PUSH => {
            // A host that pauses has not lost its device.
            settings.stall = Duration::MAX;
            let clock = settings.clock.clone();
            let format = settings.stream.audio;
            // The session would take a format that it can't convert for trouble with the device, and try it again.
            Resampler::new(format.rate_hz, format.channels.into(), engine.info().sample_rate_hz)
                .map_err(linnet::Error::from)?;
            let opening = Opening { clock: clock.clone(), buffer: settings.buffer };
            let (input, first) = Host::connect(format, &opening);
            let input = Arc::new(Mutex::new(Some(input)));
            let host = Host { format, first: Some(first), input: input.clone() };
            let live = Live::start(&engine, host, settings)?;
            (live, Some(Pushed { channels: format.channels.into(), clock, input }))
        }
        LINNET_SOURCE_MICROPHONE => {
            // SAFETY: as promised by the caller.
            let device = if config.device.is_null() { None } else { Some(unsafe { memory::path(config.device)? }) };
            (microphone(&engine, device, settings)?, None)
        }
        other => return Err(Failure::argument(format!("source is {other}; it takes a LINNET_SOURCE_ constant"))),
    };
    let remote = live.remote();
    if hotwords.is_some() {
        remote.set_hotwords(hotwords);
    }
    let delivery = Delivery::start(live, callback, wants_fd)?;
    Ok(Session { remote, tokens: engine.tokens().clone(), delivery, pushed })
}

#[cfg(feature = "capture")]
fn microphone(engine: &linnet::Engine, device: Option<&str>, settings: LiveConfig) -> Result<Live, Failure> {
    use linnet::live::Microphone;
    let microphone = device.map_or_else(Microphone::default_input, Microphone::named);
    Ok(Live::start(engine, microphone, settings)?)
}

#[cfg(not(feature = "capture"))]
fn microphone(_: &linnet::Engine, _: Option<&str>, _: LiveConfig) -> Result<Live, Failure> {
    Err(Failure::unsupported(
        "this library was built without capture; build it with the feature `capture`, or push audio",
    ))
}

/// Takes `frames` frames of interleaved samples in -1..1, at the rate and channels of the session. May be called from an
/// audio callback: the samples are copied into a buffer that is allocated already, nothing is computed and nobody is
/// waited for, as long as one thread pushes and no session is started or freed at the same moment. Samples that are not
/// finite count as zero. When the buffer is full, audio is lost and told by LINNET_EVENT_GAP.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also for a session of a microphone;
/// LINNET_ERROR_FINISHED after linnet_live_stop. Threads: any. Ownership: `samples` are only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_push_f32(
    live: linnet_live_t,
    samples: *const f32,
    frames: usize,
) -> linnet_status_t {
    // SAFETY: the caller promises that `samples` is null or has that many frames.
    guard(|| unsafe { push(live, samples, frames) })
}

/// Takes 16-bit samples, otherwise as linnet_live_push_f32.
///
/// Errors: as linnet_live_push_f32. Threads: any. Ownership: `samples` are only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_push_i16(
    live: linnet_live_t,
    samples: *const i16,
    frames: usize,
) -> linnet_status_t {
    // SAFETY: the caller promises that `samples` is null or has that many frames.
    guard(|| unsafe { push(live, samples, frames) })
}

/// # Safety
/// `samples` is null or has that many frames of the session's channels.
unsafe fn push<S: PcmSample>(live: linnet_live_t, samples: *const S, frames: usize) -> Result<(), Failure> {
    let session = session(live)?;
    let Some(pushed) = &session.pushed else {
        return Err(Failure::argument(
            "this session listens to a microphone; only one with LINNET_SOURCE_PUSH takes samples",
        ));
    };
    // SAFETY: as promised by the caller.
    let samples = unsafe { interleaved(samples, frames, pushed.channels)? };
    let mut input = pushed.input.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(input) = input.as_mut() else { return Err(linnet::Error::Finished.into()) };
    input.push(samples, pushed.clock.now());
    Ok(())
}

/// Waits up to `timeout_ms` milliseconds (0: not at all) for the next event and fills `event` with it; its kind is
/// LINNET_EVENT_NONE when none came. Events come in order; an interim that was not taken in time is replaced by a newer
/// one. The last event of a session is LINNET_EVENT_STATE with LINNET_STATE_STOPPED.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also for a session with a callback. Threads: any;
/// where several take events, each goes to one of them, and only one at a time may use what it got. Ownership: `event`
/// is the caller's; what it points to is borrowed, valid until linnet_live_next or linnet_live_free of this session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_next(
    live: linnet_live_t,
    event: *mut linnet_event_t,
    timeout_ms: u32,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `event` is null or a struct of the size that it says.
        unsafe { check_struct(event)? };
        let session = session(live)?;
        let next = session.delivery.next(Duration::from_millis(timeout_ms.into()))?;
        // SAFETY: as above.
        unsafe { write_struct(event, &next) }
    })
}

/// Tells in `*fd` a file descriptor that is readable while an event waits for linnet_live_next, for event loops (poll,
/// epoll, kqueue, libuv). It is there when the session was started with `event_fd`. The host neither reads nor closes it.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the session was not started with `event_fd`;
/// LINNET_ERROR_UNSUPPORTED on systems without file descriptors. Threads: any. Ownership: borrowed, valid until
/// linnet_live_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_event_fd(live: linnet_live_t, fd: *mut i32) -> linnet_status_t {
    guard(|| {
        let descriptor = session(live)?.delivery.descriptor()?;
        // SAFETY: the caller promises that `fd` is null or can be written.
        unsafe { write(fd, "fd", descriptor) }
    })
}

/// Makes a final of what has been said so far, without a pause. It comes as an event.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_live_finalize(live: linnet_live_t) -> linnet_status_t {
    guard(|| {
        session(live)?.remote.finalize();
        Ok(())
    })
}

/// Ends the audio: what was captured or pushed is recognized, and LINNET_EVENT_STATE with LINNET_STATE_STOPPED comes as
/// the last event. Does nothing the second time.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_live_stop(live: linnet_live_t) -> linnet_status_t {
    guard(|| {
        let session = session(live)?;
        match &session.pushed {
            Some(pushed) => {
                if let Some(input) = pushed.input.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    input.end();
                }
            }
            None => session.remote.stop(),
        }
        Ok(())
    })
}

/// Tells the session's state in `*state`: it may be ahead of the events.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_state(live: linnet_live_t, state: *mut linnet_state_t) -> linnet_status_t {
    guard(|| {
        let current = session(live)?.remote.state().into();
        // SAFETY: the caller promises that `state` is null or can be written.
        unsafe { write(state, "state", current) }
    })
}

/// Fills `metrics` with counters and times of the recognizer, up to a quarter of a second old.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `metrics` is the
/// caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_metrics(live: linnet_live_t, metrics: *mut linnet_metrics_t) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `metrics` is null or a struct of the size that it says.
        unsafe { check_struct(metrics)? };
        let current = linnet_metrics_t::from(&session(live)?.remote.recognizer_metrics());
        // SAFETY: as above.
        unsafe { write_struct(metrics, &current) }
    })
}

/// Fills `metrics` with what the session measured of itself: queues, latency, gaps, losses and how loud it is.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `metrics` is the
/// caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_session_metrics(
    live: linnet_live_t,
    metrics: *mut linnet_session_metrics_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `metrics` is null or a struct of the size that it says.
        unsafe { check_struct(metrics)? };
        let session = session(live)?;
        let current = linnet_session_metrics_t::new(&session.remote.metrics(), session.remote.level());
        // SAFETY: as above.
        unsafe { write_struct(metrics, &current) }
    })
}

/// Ends a session at once and gives it back: audio and events that it holds are dropped. No callback runs after it has
/// returned, unless a callback called it: then that one is the last. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_live_free(live: linnet_live_t) -> linnet_status_t {
    guard(|| match live {
        0 => Ok(()),
        handle => {
            SESSIONS.remove(handle)?.delivery.close();
            Ok(())
        }
    })
}
