//! How words are written.

use std::ffi::c_char;

use linnet::FormatConfig;

use crate::{
    error::{Failure, guard, linnet_status_t},
    live::{linnet_live_t, session},
    memory::{self, AbiStruct, read_struct, write_struct},
    stream::{linnet_stream_t, with},
    value::flag,
};

/// Runs of three digits or more are written as `****`.
pub const LINNET_REDACT_NUMBERS: u32 = 1;
/// Everything with a digit is written as `****`.
pub const LINNET_REDACT_ALL_NUMBERS: u32 = 2;
/// Numbers of payment cards (13 to 19 digits with a valid check digit) are written as `****`.
pub const LINNET_REDACT_CARDS: u32 = 4;
/// Social security numbers (nine digits) are written as `****`.
pub const LINNET_REDACT_SSN: u32 = 8;

/// Words that are written for others. Its layout stays as it is for an ABI version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_replacement_t {
    /// What is said, in lower case: UTF-8, zero-terminated.
    pub said: *const c_char,
    /// What is written for it; empty for nothing. UTF-8, zero-terminated.
    pub written: *const c_char,
}

/// How words are written. Set `size`, fill the rest with linnet_format_config_init, and change what is needed.
///
/// The recognizer's own words (`text` of an event) stay as they are; what is set here shows in `written`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_format_config_t {
    /// sizeof(linnet_format_config_t).
    pub size: usize,
    /// Whether numbers are written in digits, "twenty five" as 25: 1 or 0. Default 0.
    pub numerals: u32,
    /// Also money, times, dates, telephone numbers, units, spelled letters and sites: 1 or 0. Default 0.
    pub smart: u32,
    /// Capitals where English wants them, and a full stop where a pause ended an utterance: 1 or 0. Default 0.
    pub punctuate: u32,
    /// Whether profane words are written as `****`: 1 or 0. Default 0.
    pub profanity_filter: u32,
    /// Numbers to hide: the sum of LINNET_REDACT_ constants. Default 0.
    pub redact: u32,
    /// Zero.
    pub reserved: u32,
    /// Words to write instead of others. Default null.
    pub replacements: *const linnet_replacement_t,
    /// Number of `replacements`. Default 0.
    pub replacements_len: usize,
}

// SAFETY: `repr(C)`, size first; integers and pointers.
unsafe impl AbiStruct for linnet_format_config_t {
    const NAME: &'static str = "linnet_format_config_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

const DEFAULTS: linnet_format_config_t = linnet_format_config_t {
    size: size_of::<linnet_format_config_t>(),
    numerals: 0,
    smart: 0,
    punctuate: 0,
    profanity_filter: 0,
    redact: 0,
    reserved: 0,
    replacements: std::ptr::null(),
    replacements_len: 0,
};

/// The most replacements, so that a wrong length is told before the array is read.
const MOST_REPLACEMENTS: usize = 1 << 16;

/// The format that a host gave; none for null.
///
/// # Safety
/// `config` is null or can be read for as many bytes as its size field says; its array and strings are as it says.
pub(crate) unsafe fn format_config(config: *const linnet_format_config_t) -> Result<FormatConfig, Failure> {
    let mut format = FormatConfig::default();
    if config.is_null() {
        return Ok(format);
    }
    // SAFETY: as promised by the caller.
    let config = unsafe { read_struct(config, DEFAULTS)? };
    format.numerals = flag(config.numerals, "numerals")?;
    format.smart = flag(config.smart, "smart")?;
    format.punctuate = flag(config.punctuate, "punctuate")?;
    format.profanity_filter = flag(config.profanity_filter, "profanity_filter")?;
    let known = LINNET_REDACT_NUMBERS | LINNET_REDACT_ALL_NUMBERS | LINNET_REDACT_CARDS | LINNET_REDACT_SSN;
    if config.redact & !known != 0 {
        return Err(Failure::argument(format!(
            "redact is {:#x}; it takes a sum of LINNET_REDACT_ constants",
            config.redact
        )));
    }
    format.redact.numbers = config.redact & LINNET_REDACT_NUMBERS != 0;
    format.redact.all_numbers = config.redact & LINNET_REDACT_ALL_NUMBERS != 0;
    format.redact.cards = config.redact & LINNET_REDACT_CARDS != 0;
    format.redact.ssn = config.redact & LINNET_REDACT_SSN != 0;
    // SAFETY: as promised by the caller.
    let replacements =
        unsafe { memory::array(config.replacements, config.replacements_len, MOST_REPLACEMENTS, "replacements")? };
    for replacement in replacements {
        // SAFETY: as promised by the caller.
        let said = unsafe { memory::text(replacement.said, "said of a replacement")? };
        // SAFETY: as promised by the caller.
        let written = unsafe { memory::text(replacement.written, "written of a replacement")? };
        format.replace.push((said.to_owned(), written.to_owned()));
    }
    Ok(format)
}

/// Fills `config` with the defaults. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_format_config_init(config: *mut linnet_format_config_t) -> linnet_status_t {
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says.
    guard(|| unsafe { write_struct(config, &DEFAULTS) })
}

/// Changes how words are written, from the next interim or final on. `config` may be null, for as the model spells them.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT, LINNET_ERROR_UNSUPPORTED. Threads: any.
/// Ownership: `config` and what it points to are only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_set_format(
    stream: linnet_stream_t,
    config: *const linnet_format_config_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `config` is null or a struct of the size that it says, with what it points to.
        let format = unsafe { format_config(config)? };
        with(stream, |state| {
            state.stream.set_format(format);
            Ok(())
        })
    })
}

/// Changes how the words of a session are written, from the audio that comes next on; otherwise as
/// linnet_stream_set_format.
///
/// Errors: as linnet_stream_set_format. Threads: any. Ownership: as linnet_stream_set_format.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_set_format(
    live: linnet_live_t,
    config: *const linnet_format_config_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `config` is null or a struct of the size that it says, with what it points to.
        let format = unsafe { format_config(config)? };
        session(live)?.remote.set_format(format);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &linnet_format_config_t) -> Result<FormatConfig, Failure> {
        // SAFETY: it is a whole struct, and points to what it says.
        unsafe { format_config(config) }
    }

    #[test]
    fn defaults_change_nothing() {
        assert!(read(&DEFAULTS).unwrap().is_none());
        // SAFETY: null stands for none.
        assert!(unsafe { format_config(std::ptr::null()) }.unwrap().is_none());
    }

    #[test]
    fn every_field_arrives() {
        let replacements = [linnet_replacement_t { said: c"um".as_ptr(), written: c"".as_ptr() }; 2];
        let config = linnet_format_config_t {
            numerals: 1,
            smart: 1,
            punctuate: 1,
            profanity_filter: 1,
            redact: LINNET_REDACT_CARDS | LINNET_REDACT_SSN,
            replacements: replacements.as_ptr(),
            replacements_len: 2,
            ..DEFAULTS
        };
        let format = read(&config).unwrap();
        assert!(format.numerals && format.smart && format.punctuate && format.profanity_filter);
        assert!(format.redact.cards && format.redact.ssn && !format.redact.numbers && !format.redact.all_numbers);
        assert_eq!(format.replace, [("um".to_owned(), String::new()), ("um".to_owned(), String::new())]);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (config, part) in [
            (linnet_format_config_t { numerals: 2, ..DEFAULTS }, "numerals"),
            (linnet_format_config_t { redact: 16, ..DEFAULTS }, "redact"),
            (linnet_format_config_t { replacements_len: 1, ..DEFAULTS }, "replacements is null"),
            (linnet_format_config_t { replacements_len: usize::MAX, ..DEFAULTS }, "replacements"),
        ] {
            let message = read(&config).unwrap_err().message;
            assert!(message.contains(part), "{message}");
        }
    }
}
