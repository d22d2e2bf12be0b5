//! What a host checks before it calls anything else.

use std::ffi::c_char;

/// Version of the ABI that this header describes. It changes only when a program has to be compiled again; functions
/// and trailing fields of structs may be added without.
pub const LINNET_ABI_VERSION: u32 = 2;

/// The ABI version of the library that was loaded: anything but LINNET_ABI_VERSION means that this header belongs to
/// another library.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_abi_version() -> u32 {
    LINNET_ABI_VERSION
}

/// The version of the library as "major.minor.patch".
///
/// Threads: any. Ownership: static.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
