//! The microphones of the system.

use std::ffi::{CString, c_char};

use crate::{
    error::{Failure, guard, linnet_status_t},
    handles::{Kind, Table},
    memory::{AbiStruct, check_struct, write, write_struct},
};

/// The microphones that were there when it was made. Zero is none. Any number of threads may use it at the same time.
pub type linnet_devices_t = u64;

static DEVICES: Table<Vec<Device>> = Table::new(Kind::Devices);

struct Device {
    id: CString,
    name: CString,
}

/// A microphone. Set `size` before the call that fills it. Strings are borrowed from the list.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_device_t {
    /// sizeof(linnet_device_t).
    pub size: usize,
    /// What the system calls it, and what `device` of linnet_live_config_t takes: UTF-8, zero-terminated.
    pub id: *const c_char,
    /// A name for people: UTF-8, zero-terminated.
    pub name: *const c_char,
}

// SAFETY: `repr(C)`, size first; pointers.
unsafe impl AbiStruct for linnet_device_t {
    const NAME: &'static str = "linnet_device_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

#[cfg(feature = "capture")]
fn list() -> Result<Vec<Device>, Failure> {
    let string = |text: String| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    let listed = linnet::live::Microphone::list().map_err(|error| Failure::audio(error.to_string()))?;
    Ok(listed.into_iter().map(|info| Device { id: string(info.id), name: string(info.name) }).collect())
}

#[cfg(not(feature = "capture"))]
fn list() -> Result<Vec<Device>, Failure> {
    Err(Failure::unsupported(
        "this library was built without capture and has no microphones; build it with the feature `capture`",
    ))
}

/// Lists the microphones of the system. They are not opened to find out whether they work. On an error `*devices` is
/// zero.
///
/// Errors: LINNET_ERROR_UNSUPPORTED by a library built without capture; LINNET_ERROR_AUDIO when there is no sound
/// system; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `*devices` is the caller's,
/// who gives it to linnet_devices_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_devices_list(devices: *mut linnet_devices_t) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `devices` is null or can be written.
        unsafe { write(devices, "devices", 0)? };
        let handle = DEVICES.insert(list()?)?;
        // SAFETY: as above.
        unsafe { write(devices, "devices", handle) }
    })
}

/// Tells in `*len` how many microphones a list has.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_devices_len(devices: linnet_devices_t, len: *mut usize) -> linnet_status_t {
    guard(|| {
        let listed = DEVICES.get(devices)?.len();
        // SAFETY: the caller promises that `len` is null or can be written.
        unsafe { write(len, "len", listed) }
    })
}

/// Fills `device` with one of the list's microphones: `index` counts from 0.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also when there are not so many. Threads: any.
/// Ownership: `device` is the caller's; its strings are borrowed, valid until linnet_devices_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_devices_get(
    devices: linnet_devices_t,
    index: usize,
    device: *mut linnet_device_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `device` is null or a struct of the size that it says.
        unsafe { check_struct(device)? };
        let listed = DEVICES.get(devices)?;
        let Device { id, name } = listed
            .get(index)
            .ok_or_else(|| Failure::argument(format!("index is {index}; the list has {} devices", listed.len())))?;
        let told = linnet_device_t { size: size_of::<linnet_device_t>(), id: id.as_ptr(), name: name.as_ptr() };
        // SAFETY: as above.
        unsafe { write_struct(device, &told) }
    })
}

/// Gives a list back. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_devices_free(devices: linnet_devices_t) -> linnet_status_t {
    guard(|| match devices {
        0 => Ok(()),
        handle => DEVICES.remove(handle).map(drop),
    })
}
