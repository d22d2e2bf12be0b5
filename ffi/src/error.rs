//! Statuses, the message of the last error, and the gate through which every call goes.

use std::{
    any::Any,
    cell::RefCell,
    ffi::{CString, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
};

use linnet::{audio::AudioFileError, live::LiveError};

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum linnet_status_t {
    /// It worked.
    LINNET_OK = 0,
    /// An argument is null, misaligned, out of range or not finite, or a struct's size is not set.
    LINNET_ERROR_INVALID_ARGUMENT = 1,
    /// The handle was freed, is of another kind, or never was one.
    LINNET_ERROR_INVALID_HANDLE = 2,
    /// The model can't be read, is damaged, or is of a newer format.
    LINNET_ERROR_MODEL = 3,
    /// The audio can't be read or converted.
    LINNET_ERROR_AUDIO = 4,
    /// The stream has ended; reset it before pushing more.
    LINNET_ERROR_FINISHED = 5,
    /// A field is set that this library, which is older than the header, does not have.
    LINNET_ERROR_UNSUPPORTED = 6,
    /// There is no memory or no free handle.
    LINNET_ERROR_RESOURCES = 7,
    /// A defect of the library. The stream it happened in takes no more calls but linnet_stream_free.
    LINNET_ERROR_INTERNAL = 8,
}

use linnet_status_t::*;

const NAMES: [(linnet_status_t, &str); 9] = [
    (LINNET_OK, "ok\0"),
    (LINNET_ERROR_INVALID_ARGUMENT, "invalid argument\0"),
    (LINNET_ERROR_INVALID_HANDLE, "invalid handle\0"),
    (LINNET_ERROR_MODEL, "model error\0"),
    (LINNET_ERROR_AUDIO, "audio error\0"),
    (LINNET_ERROR_FINISHED, "stream has ended\0"),
    (LINNET_ERROR_UNSUPPORTED, "unsupported\0"),
    (LINNET_ERROR_RESOURCES, "out of resources\0"),
    (LINNET_ERROR_INTERNAL, "internal error\0"),
];

/// A few words for a status; "unknown status" for a number that is none.
///
/// Threads: any. Ownership: static.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_status_name(status: i32) -> *const c_char {
    let known = NAMES.iter().find(|(known, _)| *known as i32 == status);
    known.map_or("unknown status\0", |(_, name)| name).as_ptr().cast()
}

/// What went wrong in the last call of this thread that failed: a sentence in UTF-8, empty when none has.
///
/// Threads: each has its own. Ownership: borrowed; valid until the thread's next call that fails.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub status: linnet_status_t,
    pub message: String,
}

impl Failure {
    pub fn argument(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_INVALID_ARGUMENT, message: message.into() }
    }

    pub fn handle(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_INVALID_HANDLE, message: message.into() }
    }

    pub fn resources(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_RESOURCES, message: message.into() }
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_UNSUPPORTED, message: message.into() }
    }

    pub fn model(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_MODEL, message: message.into() }
    }

    pub fn audio(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_AUDIO, message: message.into() }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self { status: LINNET_ERROR_INTERNAL, message: message.into() }
    }
}

impl From<linnet::Error> for Failure {
    fn from(error: linnet::Error) -> Self {
        let status = match error {
            linnet::Error::Model(_) | linnet::Error::Features(_) => LINNET_ERROR_MODEL,
            linnet::Error::Audio(_) => LINNET_ERROR_AUDIO,
            linnet::Error::Finished => LINNET_ERROR_FINISHED,
            _ => LINNET_ERROR_INTERNAL,
        };
        Self { status, message: error.to_string() }
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Recognizer(error) => error.into(),
            LiveError::Thread(_) => Self::resources(error.to_string()),
            _ => Self::internal(error.to_string()),
        }
    }
}

impl From<AudioFileError> for Failure {
    fn from(error: AudioFileError) -> Self {
        Self::audio(error.to_string())
    }
}

/// Runs the body of an exported function: nothing unwinds out of it, and a failure leaves its message in the thread.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> linnet_status_t {
    // A panic can leave only a stream half changed, and its mutex is poisoned then: nobody gets to see it.
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return LINNET_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::internal(format!("defect in the library: {}", panic_message(panic.as_ref()))),
    };
    match failure.status {
        LINNET_ERROR_INTERNAL => log::error!(target: "linnet", "{}", failure.message),
        _ => log::debug!(target: "linnet", "a call failed: {}", failure.message),
    }
    let message = CString::new(failure.message.replace('\0', "\u{fffd}")).unwrap_or_default();
    // A thread that is going away has no place for a message any more; the status is returned all the same.
    let _ = LAST.try_with(|last| last.replace(message));
    failure.status
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic without a message")
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn last_error() -> String {
        // SAFETY: the pointer is to this thread's message, which no call replaces meanwhile.
        unsafe { CStr::from_ptr(linnet_last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_becomes_an_internal_error() {
        assert_eq!(guard(|| panic!("at step {}", 7)), LINNET_ERROR_INTERNAL);
        assert_eq!(last_error(), "defect in the library: at step 7");
        assert_eq!(guard(|| panic!("plain")), LINNET_ERROR_INTERNAL);
        assert_eq!(last_error(), "defect in the library: plain");
        assert_eq!(guard(|| std::panic::panic_any(7)), LINNET_ERROR_INTERNAL);
        assert_eq!(last_error(), "defect in the library: panic without a message");
    }

    #[test]
    fn messages_belong_to_threads_and_outlive_success() {
        assert_eq!(guard(|| Err(Failure::argument("here"))), LINNET_ERROR_INVALID_ARGUMENT);
        std::thread::spawn(|| {
            assert_eq!(last_error(), "");
            assert_eq!(guard(|| Err(Failure::handle("th\0ere"))), LINNET_ERROR_INVALID_HANDLE);
            assert_eq!(last_error(), "th\u{fffd}ere");
        })
        .join()
        .unwrap();
        assert_eq!(guard(|| Ok(())), LINNET_OK);
        assert_eq!(last_error(), "here");
    }

    #[test]
    fn every_status_has_a_name() {
        let name = |status| {
            // SAFETY: the names are static and end with a zero.
            unsafe { CStr::from_ptr(linnet_status_name(status)) }.to_str().unwrap().to_owned()
        };
        for (index, (status, _)) in NAMES.iter().enumerate() {
            assert_eq!(*status as usize, index);
            assert_ne!(name(index as i32), "unknown status");
        }
        assert_eq!(name(9), "unknown status");
        assert_eq!(name(-1), "unknown status");
    }
}
