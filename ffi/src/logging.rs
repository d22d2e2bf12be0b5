//! Messages for whoever runs the program: the library's own, and those of the libraries in it that speak to the crate
//! `log`.

use std::{
    cell::Cell,
    ffi::{CString, c_char, c_void},
    sync::{PoisonError, RwLock},
};

use log::{Level, LevelFilter, Metadata, Record};

use crate::error::{Failure, guard, linnet_status_t};

/// No messages.
pub const LINNET_LOG_OFF: u32 = 0;
/// Defects of the library.
pub const LINNET_LOG_ERROR: u32 = 1;
/// Trouble that the library gets over: lost microphones, damaged audio files.
pub const LINNET_LOG_WARN: u32 = 2;
/// What was opened, and how live sessions go.
pub const LINNET_LOG_INFO: u32 = 3;
/// Every call that failed, and details.
pub const LINNET_LOG_DEBUG: u32 = 4;

/// What takes the library's messages. `level` is a LINNET_LOG_ constant; `target` tells the part of the library. Both
/// strings are UTF-8, zero-terminated, and borrowed until the function returns.
pub type linnet_log_callback_t =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: u32, target: *const c_char, message: *const c_char)>;

/// A function of the host with its data.
struct Sink {
    function: unsafe extern "C" fn(*mut c_void, u32, *const c_char, *const c_char),
    user_data: *mut c_void,
}

// SAFETY: the host promises that its function may be called on any thread with its data.
unsafe impl Send for Sink {}
// SAFETY: as above, also on several at the same time.
unsafe impl Sync for Sink {}

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    /// Whether this thread is in the host's function: what that calls logs nothing, which would go on without end.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread as busy with the host's function while it exists.
struct Busy;

impl Busy {
    /// None where the thread is busy, or is going away. (An unused one would say that it is not busy any more.)
    fn enter() -> Option<Self> {
        BUSY.try_with(|busy| !busy.replace(true)).unwrap_or(false).then(|| Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = BUSY.try_with(|busy| busy.set(false));
    }
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let Some(_busy) = Busy::enter() else { return };
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sink) = &*sink else { return };
        let level = match record.level() {
            Level::Error => LINNET_LOG_ERROR,
            Level::Warn => LINNET_LOG_WARN,
            Level::Info => LINNET_LOG_INFO,
            Level::Debug | Level::Trace => LINNET_LOG_DEBUG,
        };
        let string = |text: String| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        let (target, message) = (string(record.target().to_owned()), string(record.args().to_string()));
        // SAFETY: the host promises that the function takes its data and two strings until it is replaced; the lock is
        // held until it has returned.
        unsafe { (sink.function)(sink.user_data, level, target.as_ptr(), message.as_ptr()) };
    }

    fn flush(&self) {}
}

/// Hands the library's messages up to a level (a LINNET_LOG_ constant) to a function, for the whole process; null or
/// LINNET_LOG_OFF for to nobody, as it is at first. When this returns, the function that was set before is not running
/// any more and will not be called again.
///
/// The function is called on whatever thread has something to say, several at the same time. It may call the library
/// except for this function; what it does there logs nothing.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT when there is no such level, or from within the function;
/// LINNET_ERROR_UNSUPPORTED in a program in Rust that has a logger of its own, which gets the messages then. Threads: any.
/// Ownership: `user_data` must stay good until another function is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_log(
    on_message: linnet_log_callback_t,
    user_data: *mut c_void,
    level: u32,
) -> linnet_status_t {
    guard(|| {
        let filter = match level {
            LINNET_LOG_OFF => LevelFilter::Off,
            LINNET_LOG_ERROR => LevelFilter::Error,
            LINNET_LOG_WARN => LevelFilter::Warn,
            LINNET_LOG_INFO => LevelFilter::Info,
            LINNET_LOG_DEBUG => LevelFilter::Debug,
            other => return Err(Failure::argument(format!("level is {other}; it takes a LINNET_LOG_ constant"))),
        };
        let Some(_busy) = Busy::enter() else {
            return Err(Failure::argument("linnet_log is called from within the function that takes the messages"));
        };
        static LOGGER: Logger = Logger;
        if log::set_logger(&LOGGER).is_err() && !std::ptr::addr_eq(log::logger(), &raw const LOGGER) {
            return Err(Failure::unsupported("this program has a logger of its own for the crate `log`"));
        }
        let sink = on_message.filter(|_| filter != LevelFilter::Off).map(|function| Sink { function, user_data });
        log::set_max_level(if sink.is_some() { filter } else { LevelFilter::Off });
        *SINK.write().unwrap_or_else(PoisonError::into_inner) = sink;
        Ok(())
    })
}
