//! What hosts hand over and get back through pointers: each is checked before it is touched.
//!
//! A check can't prove that a pointer is good; it finds those that can't be: null, misaligned, in the first page, or of
//! a length that no object has.

use std::{ffi::c_char, slice};

use crate::error::Failure;

/// A struct of the header that starts with its size, through which old programs and new libraries, and the other way
/// round, get along: fields are only ever added at its end.
///
/// # Safety
/// `repr(C)`, and the first field is the size as `usize`.
pub(crate) unsafe trait AbiStruct: Copy {
    /// What the struct is called in the header.
    const NAME: &'static str;
    /// Its size when it came into the header: the offset of the first field that was added since, if any.
    const FIRST_SIZE: usize;
}

/// Sizes above are those of nothing, such as of a struct that was not set up.
const LARGEST_STRUCT: usize = 4096;

/// Addresses below are of no object: they come of a field's offset from a null pointer.
const FIRST_ADDRESS: usize = 4096;

/// The longest path, name or phrase, in bytes.
const LONGEST_TEXT: usize = 1 << 15;

/// The longest grammar, in bytes.
const LONGEST_SOURCE: usize = 1 << 20;

fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    let problem = match pointer.addr() {
        0 => "null",
        address if address < FIRST_ADDRESS => "not the address of an object",
        _ if !pointer.is_aligned() => "misaligned",
        _ => return Ok(()),
    };
    Err(Failure::argument(format!("{name} is {problem} ({:#x})", pointer.addr())))
}

fn check_size<T: AbiStruct>(size: usize) -> Result<(), Failure> {
    if (T::FIRST_SIZE..=LARGEST_STRUCT).contains(&size) {
        return Ok(());
    }
    Err(Failure::argument(format!(
        "the size field of {} is {size}; set it to sizeof({0}), which is {} in this library",
        T::NAME,
        size_of::<T>()
    )))
}

/// Reads a struct. Fields that the host doesn't know yet are those of `defaults`.
///
/// # Safety
/// `input` is null, or where its size field and as many bytes as that says can be read. Any bytes make a `T`.
pub(crate) unsafe fn read_struct<T: AbiStruct>(input: *const T, defaults: T) -> Result<T, Failure> {
    check(input, T::NAME)?;
    // SAFETY: the caller promises that the size field, which is the first, can be read; it is aligned as checked.
    let size = unsafe { input.cast::<usize>().read() };
    check_size::<T>(size)?;
    let known = size.min(size_of::<T>());
    // SAFETY: the caller promises `size` readable bytes.
    let unknown = unsafe { slice::from_raw_parts(input.cast::<u8>().add(known), size - known) };
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(Failure::unsupported(format!(
            "{} sets a field that this library ({}) does not have; use a newer library or leave it zero",
            T::NAME,
            env!("CARGO_PKG_VERSION")
        )));
    }
    let mut value = defaults;
    // SAFETY: both are valid for `known` bytes and distinct; any bytes make a `T`.
    unsafe { std::ptr::copy_nonoverlapping(input.cast::<u8>(), (&raw mut value).cast::<u8>(), known) };
    Ok(value)
}

/// Whether a struct can be written to, before there is anything to write.
///
/// # Safety
/// `output` is null, or where its size field can be read.
pub(crate) unsafe fn check_struct<T: AbiStruct>(output: *mut T) -> Result<usize, Failure> {
    check(output, T::NAME)?;
    // SAFETY: the caller promises that the size field, which is the first, can be read; it is aligned as checked.
    let size = unsafe { output.cast::<usize>().read() };
    check_size::<T>(size)?;
    Ok(size)
}

/// Writes a struct as far as the host knows it; fields that only the host knows become zero. Its size field stays.
///
/// # Safety
/// `output` is null, or where its size field can be read and as many bytes as that says can be written.
pub(crate) unsafe fn write_struct<T: AbiStruct>(output: *mut T, value: &T) -> Result<(), Failure> {
    // SAFETY: as promised by the caller.
    let size = unsafe { check_struct(output)? };
    let known = size.min(size_of::<T>());
    let after_size = size_of::<usize>();
    let (from, to) = ((&raw const *value).cast::<u8>(), output.cast::<u8>());
    // SAFETY: the caller promises `size` writable bytes; `known` are in both, which are distinct.
    unsafe {
        to.add(known).write_bytes(0, size - known);
        std::ptr::copy_nonoverlapping(from.add(after_size), to.add(after_size), known - after_size);
    }
    Ok(())
}

/// Writes a number or handle.
///
/// # Safety
/// `output` is null or can be written.
pub(crate) unsafe fn write<T: Copy>(output: *mut T, name: &str, value: T) -> Result<(), Failure> {
    check(output, name)?;
    // SAFETY: not null and aligned as checked; the caller promises that it can be written.
    unsafe { output.write(value) };
    Ok(())
}

/// The `len` values at `data`; none may be at null.
///
/// # Safety
/// `data` is null, or `len` values can be read there and don't change during `'a`.
pub(crate) unsafe fn values<'a, T: Copy>(data: *const T, len: usize, name: &str) -> Result<&'a [T], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    check(data, name)?;
    let fits = len
        .checked_mul(size_of::<T>())
        .is_some_and(|bytes| isize::try_from(bytes).is_ok() && data.addr().checked_add(bytes).is_some());
    if !fits {
        return Err(Failure::argument(format!("{name}: {len} values are more than memory holds")));
    }
    // SAFETY: not null, aligned, and of a possible length as checked; the caller promises the rest.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// The `len` structs at `data`, of which no host has more than `most`.
///
/// # Safety
/// As [`values`].
pub(crate) unsafe fn array<'a, T: Copy>(
    data: *const T,
    len: usize,
    most: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if len > most {
        return Err(Failure::argument(format!("{name}: there are {len}; {most} are the most")));
    }
    // SAFETY: as promised by the caller.
    unsafe { values(data, len, name) }
}

/// A path: UTF-8 that ends with a zero, and is not empty.
///
/// # Safety
/// `path` is null, or bytes can be read there up to a zero and don't change during `'a`.
pub(crate) unsafe fn path<'a>(path: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: as promised by the caller.
    match unsafe { text(path, "path")? } {
        "" => Err(Failure::argument("path is empty")),
        path => Ok(path),
    }
}

/// A name or phrase: UTF-8 that ends with a zero.
///
/// # Safety
/// `text` is null, or bytes can be read there up to a zero and don't change during `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    // SAFETY: as promised by the caller.
    unsafe { string(text, name, LONGEST_TEXT) }
}

/// A grammar: UTF-8 that ends with a zero.
///
/// # Safety
/// `source` is null, or bytes can be read there up to a zero and don't change during `'a`.
pub(crate) unsafe fn source<'a>(source: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: as promised by the caller.
    unsafe { string(source, "source", LONGEST_SOURCE) }
}

/// # Safety
/// `text` is null, or bytes can be read there up to a zero and don't change during `'a`.
unsafe fn string<'a>(text: *const c_char, name: &str, longest: usize) -> Result<&'a str, Failure> {
    check(text, name)?;
    let text = text.cast::<u8>();
    // SAFETY: bytes are read up to the first zero, as the caller promises.
    let len = (0..longest).find(|&at| unsafe { text.add(at).read() } == 0);
    let len = len.ok_or_else(|| Failure::argument(format!("{name}: no zero in {longest} bytes")))?;
    // SAFETY: these bytes were just read.
    let bytes = unsafe { slice::from_raw_parts(text, len) };
    std::str::from_utf8(bytes).map_err(|error| Failure::argument(format!("{name} is not UTF-8: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::linnet_status_t::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct Settings {
        size: usize,
        a: u32,
        b: u32,
        added_later: u64,
    }

    // SAFETY: `repr(C)`, size first, integers only.
    unsafe impl AbiStruct for Settings {
        const NAME: &'static str = "settings";
        const FIRST_SIZE: usize = 16;
    }

    /// The struct as a newer header has it.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct NewerSettings {
        old: Settings,
        newest: u64,
    }

    const DEFAULTS: Settings = Settings { size: 24, a: 1, b: 2, added_later: 3 };

    fn read(input: *const Settings) -> Result<Settings, Failure> {
        // SAFETY: the tests below hand over null, bad addresses, or whole structs.
        unsafe { read_struct(input, DEFAULTS) }
    }

    #[test]
    fn an_older_host_leaves_new_fields_at_their_defaults() {
        let input = Settings { size: 16, a: 8, b: 9, added_later: 77 };
        assert_eq!(read(&input).unwrap(), Settings { size: 16, a: 8, b: 9, added_later: 3 });
        let mut output = Settings { size: 16, a: 0, b: 0, added_later: 77 };
        // SAFETY: it is a whole struct.
        unsafe { write_struct(&mut output, &DEFAULTS).unwrap() };
        assert_eq!(output, Settings { size: 16, a: 1, b: 2, added_later: 77 });
    }

    #[test]
    fn a_newer_host_must_leave_unknown_fields_zero() {
        let mut input = NewerSettings { old: Settings { size: 32, ..DEFAULTS }, newest: 0 };
        assert_eq!(read((&raw const input).cast()).unwrap(), Settings { size: 32, ..DEFAULTS });
        input.newest = 1;
        assert_eq!(read((&raw const input).cast()).unwrap_err().status, LINNET_ERROR_UNSUPPORTED);
        // SAFETY: it is a whole struct.
        unsafe { write_struct((&raw mut input).cast(), &Settings { a: 5, ..DEFAULTS }).unwrap() };
        assert_eq!(input, NewerSettings { old: Settings { size: 32, a: 5, ..DEFAULTS }, newest: 0 });
    }

    #[test]
    fn impossible_sizes_and_pointers_are_refused() {
        for size in [0, 8, 15, 4097, usize::MAX] {
            let failure = read(&Settings { size, ..DEFAULTS }).unwrap_err();
            assert_eq!(failure.status, LINNET_ERROR_INVALID_ARGUMENT);
            assert!(failure.message.contains("sizeof(settings), which is 24"), "{}", failure.message);
        }
        let input = [DEFAULTS; 2];
        let bad = [
            (std::ptr::null(), "null"),
            (std::ptr::without_provenance(0x18), "not the address"),
            (input.as_ptr().wrapping_byte_add(1), "misaligned"),
        ];
        for (pointer, problem) in bad {
            assert!(read(pointer).unwrap_err().message.contains(problem));
            // SAFETY: such pointers are refused before they are used.
            assert!(unsafe { write_struct(pointer.cast_mut(), &DEFAULTS) }.unwrap_err().message.contains(problem));
            // SAFETY: as above.
            assert!(unsafe { write(pointer.cast_mut(), "out", DEFAULTS) }.unwrap_err().message.contains(problem));
            // SAFETY: as above.
            assert!(unsafe { values(pointer, 2, "in") }.unwrap_err().message.contains(problem));
        }
    }

    #[test]
    fn lengths_that_no_object_has_are_refused() {
        let data = [1i16, 2, 3];
        // SAFETY: the length is that of the array.
        assert_eq!(unsafe { values(data.as_ptr(), 3, "samples") }.unwrap(), data);
        // SAFETY: nothing is read.
        assert!(unsafe { values::<i16>(std::ptr::null(), 0, "samples") }.unwrap().is_empty());
        for len in [usize::MAX, usize::MAX / 2, isize::MAX as usize / 2 + 1] {
            // SAFETY: such lengths are refused before anything is read.
            let failure = unsafe { values(data.as_ptr(), len, "samples") }.unwrap_err();
            assert!(failure.message.contains("more than memory holds"), "{}", failure.message);
        }
    }

    #[test]
    fn paths_are_utf8_and_end() {
        let path_of = |bytes: &[u8]| {
            // SAFETY: every slice of this test ends with a zero, or is longer than what is read.
            unsafe { path(bytes.as_ptr().cast()) }.map(str::to_owned).map_err(|failure| failure.message)
        };
        assert_eq!(path_of("héllo.wav\0".as_bytes()).unwrap(), "héllo.wav");
        assert!(path_of(b"\0").unwrap_err().contains("empty"));
        assert!(path_of(b"a\xff\0").unwrap_err().contains("UTF-8"));
        assert!(path_of(&[b'a'; LONGEST_TEXT + 1]).unwrap_err().contains("no zero"));
        // SAFETY: null is refused.
        assert!(unsafe { path(std::ptr::null()) }.unwrap_err().message.contains("null"));
    }
}
