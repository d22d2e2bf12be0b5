//! Phrases that the host expects.

use std::{
    ffi::{CString, c_char},
    sync::Arc,
};

use linnet::{Hotword, Hotwords, model::tokens::Tokens};

use crate::{
    engine::{engine, linnet_engine_t},
    error::{Failure, guard, linnet_status_t},
    handles::{Kind, Table},
    live::{linnet_live_t, session},
    memory::{self, AbiStruct, check_struct, write, write_struct},
    stream::{linnet_stream_t, open_stream},
};

/// A compiled set of hotwords, for any number of streams and sessions of its engine. Zero is none. Any number of threads
/// may use it at the same time.
pub type linnet_hotwords_t = u64;

static HOTWORDS: Table<OpenHotwords> = Table::new(Kind::Hotwords);

struct OpenHotwords {
    compiled: Hotwords,
    tokens: Arc<Tokens>,
    rejected: Vec<[CString; 3]>,
}

/// A phrase that is expected. Its layout stays as it is for an ABI version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_hotword_t {
    /// One or more words, as they are to be written: UTF-8, zero-terminated.
    pub phrase: *const c_char,
    /// How much likelier each piece of the phrase becomes, natural logarithm: above 0 and at most 20; 0 takes the default,
    /// 0.8. Values of 0.5 to 1.5 suit most phrases; from about 2 on the phrase is also heard where it was not said.
    pub boost: f32,
    /// Zero.
    pub reserved: u32,
    /// Other spellings of how it sounds, such as "kin wah" for quinoa: UTF-8, zero-terminated. What matches them is
    /// written as the phrase. Null where there are none.
    pub sounds_like: *const *const c_char,
    /// Number of `sounds_like`.
    pub sounds_like_len: usize,
}

/// A phrase, or one of its spellings, that is not listened for. Set `size` before the call that fills it. Strings are
/// borrowed from the hotwords.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_rejected_hotword_t {
    /// sizeof(linnet_rejected_hotword_t).
    pub size: usize,
    /// The phrase: UTF-8, zero-terminated.
    pub phrase: *const c_char,
    /// The spelling that was rejected: the phrase itself, or one of those that it sounds like. Zero-terminated.
    pub spelling: *const c_char,
    /// Why, in words. Zero-terminated.
    pub reason: *const c_char,
}

// SAFETY: `repr(C)`, size first; pointers.
unsafe impl AbiStruct for linnet_rejected_hotword_t {
    const NAME: &'static str = "linnet_rejected_hotword_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// The most hotwords of a set, and spellings of one, so that a wrong length is told before the array is read.
const MOST_HOTWORDS: usize = 1 << 16;
const MOST_SPELLINGS: usize = 256;

/// The hotwords that a handle stands for; none for zero. `tokens` are those of the engine that is to listen for them.
pub(crate) fn hotwords(handle: linnet_hotwords_t, tokens: &Arc<Tokens>) -> Result<Option<Hotwords>, Failure> {
    if handle == 0 {
        return Ok(None);
    }
    let open = HOTWORDS.get(handle)?;
    if !Arc::ptr_eq(&open.tokens, tokens) {
        return Err(Failure::argument("these hotwords were made with another engine; make them with this one"));
    }
    Ok(Some(open.compiled.clone()))
}

/// # Safety
/// The strings of `hotword` are null or end with a zero, and its array is as long as it says.
unsafe fn read(hotword: &linnet_hotword_t) -> Result<Hotword, Failure> {
    // SAFETY: as promised by the caller.
    let mut read = Hotword::new(unsafe { memory::text(hotword.phrase, "phrase of a hotword")? });
    if hotword.boost != 0.0 {
        read = read.with_boost(hotword.boost);
    }
    // SAFETY: as promised by the caller.
    let spellings =
        unsafe { memory::array(hotword.sounds_like, hotword.sounds_like_len, MOST_SPELLINGS, "sounds_like")? };
    for &spelling in spellings {
        // SAFETY: as promised by the caller.
        read = read.sounds_like(unsafe { memory::text(spelling, "sounds_like of a hotword")? });
    }
    Ok(read)
}

/// Compiles `len` hotwords. Those that can't be listened for are left out; linnet_hotwords_rejected tells which, and why.
/// On an error `*hotwords` is zero.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when a pointer is bad, or a string is not UTF-8;
/// LINNET_ERROR_RESOURCES. Threads: any. Ownership: `phrases` and what they point to are only read during the call;
/// `*hotwords` is the caller's, who gives it to linnet_hotwords_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_hotwords_new(
    engine: linnet_engine_t,
    phrases: *const linnet_hotword_t,
    len: usize,
    hotwords: *mut linnet_hotwords_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `hotwords` is null or can be written.
        unsafe { write(hotwords, "hotwords", 0)? };
        let engine = self::engine(engine)?;
        // SAFETY: the caller promises that `phrases` is null or has `len` hotwords.
        let phrases = unsafe { memory::array(phrases, len, MOST_HOTWORDS, "phrases")? };
        // SAFETY: the caller promises that these point to what they say.
        let phrases: Vec<_> = phrases.iter().map(|phrase| unsafe { read(phrase) }).collect::<Result<_, _>>()?;
        let compiled = engine.hotwords(&phrases);
        let string = |text: &str| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        let rejected = compiled.rejected().iter().map(|rejected| {
            [string(&rejected.phrase), string(&rejected.spelling), string(&rejected.reason.to_string())]
        });
        let rejected = rejected.collect();
        let open = OpenHotwords { tokens: engine.tokens().clone(), rejected, compiled };
        let handle = HOTWORDS.insert(open)?;
        // SAFETY: as above.
        unsafe { write(hotwords, "hotwords", handle) }
    })
}

/// Tells in `*len` how many spellings of the hotwords were rejected.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_hotwords_rejected_len(hotwords: linnet_hotwords_t, len: *mut usize) -> linnet_status_t {
    guard(|| {
        let rejected = HOTWORDS.get(hotwords)?.rejected.len();
        // SAFETY: the caller promises that `len` is null or can be written.
        unsafe { write(len, "len", rejected) }
    })
}

/// Fills `rejected` with one of the spellings that were rejected: `index` counts from 0.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also when there are not so many. Threads: any.
/// Ownership: `rejected` is the caller's; its strings are borrowed, valid until linnet_hotwords_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_hotwords_rejected(
    hotwords: linnet_hotwords_t,
    index: usize,
    rejected: *mut linnet_rejected_hotword_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `rejected` is null or a struct of the size that it says.
        unsafe { check_struct(rejected)? };
        let open = HOTWORDS.get(hotwords)?;
        let [phrase, spelling, reason] = open.rejected.get(index).ok_or_else(|| {
            Failure::argument(format!("index is {index}; {} spellings were rejected", open.rejected.len()))
        })?;
        let told = linnet_rejected_hotword_t {
            size: size_of::<linnet_rejected_hotword_t>(),
            phrase: phrase.as_ptr(),
            spelling: spelling.as_ptr(),
            reason: reason.as_ptr(),
        };
        // SAFETY: as above.
        unsafe { write_struct(rejected, &told) }
    })
}

/// Gives hotwords back. Streams and sessions that listen for them go on to do so. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when they were freed before. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_hotwords_free(hotwords: linnet_hotwords_t) -> linnet_status_t {
    guard(|| match hotwords {
        0 => Ok(()),
        handle => HOTWORDS.remove(handle).map(drop),
    })
}

/// Listens for other hotwords from the next chunk on; zero for none. A match that has begun with the old ones is
/// forgotten.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the hotwords are of another engine. Threads:
/// any. Ownership: `hotwords` stays the caller's, who may free it at once.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_set_hotwords(stream: linnet_stream_t, hotwords: linnet_hotwords_t) -> linnet_status_t {
    guard(|| {
        let open = open_stream(stream)?;
        let hotwords = self::hotwords(hotwords, &open.tokens)?;
        open.lock()?.stream.set_hotwords(hotwords);
        Ok(())
    })
}

/// Listens for other hotwords in a session, from the audio that comes next on; otherwise as linnet_stream_set_hotwords.
///
/// Errors: as linnet_stream_set_hotwords. Threads: any. Ownership: as linnet_stream_set_hotwords.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_live_set_hotwords(live: linnet_live_t, hotwords: linnet_hotwords_t) -> linnet_status_t {
    guard(|| {
        let session = session(live)?;
        session.remote.set_hotwords(self::hotwords(hotwords, &session.tokens)?);
        Ok(())
    })
}
