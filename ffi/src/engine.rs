//! Engines: opened models.

use std::{
    ffi::{CString, c_char},
    mem::offset_of,
    sync::Arc,
};

use linnet::{Engine, ModelInfo};

use crate::{
    error::{Failure, guard, linnet_status_t},
    handles::{Kind, Table},
    memory::{self, AbiStruct, check_struct, values, write, write_struct},
};

/// A model that is ready to recognize. Zero is none. Any number of threads may use it at the same time.
pub type linnet_engine_t = u64;

static ENGINES: Table<OpenEngine> = Table::new(Kind::Engine);

struct OpenEngine {
    engine: Engine,
    name: CString,
    language: CString,
    isa: CString,
    chunks_ms: Vec<u32>,
}

/// Facts about an opened model. Set `size` before the call. Strings and array are borrowed from the engine.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_engine_info_t {
    /// sizeof(linnet_engine_info_t).
    pub size: usize,
    /// Name of the model: UTF-8, zero-terminated.
    pub name: *const c_char,
    /// Language as a BCP 47 tag, zero-terminated.
    pub language: *const c_char,
    /// Instruction set of the kernels, zero-terminated; "none" for the f32 reference.
    pub isa: *const c_char,
    /// Number of weights.
    pub parameters: u64,
    /// Size of the packed model in bytes.
    pub size_bytes: u64,
    /// Tokens without the blank.
    pub vocab_size: u32,
    /// Duration of an encoder frame in microseconds.
    pub frame_us: u32,
    /// Chunk durations to choose from in milliseconds, ascending.
    pub chunks_ms: *const u32,
    /// Number of `chunks_ms`.
    pub chunks_len: usize,
    /// The chunk of a stream that does not choose, in milliseconds.
    pub default_chunk_ms: u32,
    /// Left context of the attention in encoder frames.
    pub left_context_frames: u32,
    /// Whether the model has a speaker network, so that a stream's `speakers` does something: 1 or 0.
    pub speakers: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, size first.
unsafe impl AbiStruct for linnet_engine_info_t {
    const NAME: &'static str = "linnet_engine_info_t";
    const FIRST_SIZE: usize = offset_of!(Self, speakers);
}

impl OpenEngine {
    fn new(engine: Engine) -> Self {
        let info = engine.info();
        let isa = info.isa.as_ref().map_or_else(|| "none".to_owned(), |isa| isa.to_string());
        log::info!(
            target: "linnet",
            "opened the model {} ({}): {} parameters, {} bytes, kernels: {isa}",
            info.name, info.language, info.parameters, info.size_bytes
        );
        let string = |text: &str| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        Self {
            name: string(&info.name),
            language: string(&info.language),
            isa: string(&isa),
            chunks_ms: info.chunks().map(|chunk| saturate(chunk.as_millis())).collect(),
            engine,
        }
    }

    fn info(&self) -> linnet_engine_info_t {
        let info: &ModelInfo = self.engine.info();
        let default_chunk = info.frame * (info.default_look_ahead as u32 + 1);
        linnet_engine_info_t {
            size: size_of::<linnet_engine_info_t>(),
            name: self.name.as_ptr(),
            language: self.language.as_ptr(),
            isa: self.isa.as_ptr(),
            parameters: info.parameters,
            size_bytes: info.size_bytes as u64,
            vocab_size: saturate(info.vocab_size as u128),
            frame_us: saturate(info.frame.as_micros()),
            chunks_ms: self.chunks_ms.as_ptr(),
            chunks_len: self.chunks_ms.len(),
            default_chunk_ms: saturate(default_chunk.as_millis()),
            left_context_frames: saturate(info.left_context as u128),
            speakers: info.speakers.into(),
            reserved: 0,
        }
    }
}

fn saturate(value: u128) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The engine that a handle stands for.
pub(crate) fn engine(handle: linnet_engine_t) -> Result<Engine, Failure> {
    Ok(ENGINES.get(handle)?.engine.clone())
}

/// Opens a model file (`.linnet`), which is mapped into memory and must not be changed while it is in use.
///
/// `path` is UTF-8 and ends with a zero. On an error `*engine` is zero.
///
/// Errors: LINNET_ERROR_MODEL when the file can't be read, is no model, is damaged, or is of a newer format;
/// LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `path` is only read during the call;
/// `*engine` is the caller's, who gives it to linnet_engine_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_engine_open(path: *const c_char, engine: *mut linnet_engine_t) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `engine` is null or can be written.
        unsafe { write(engine, "engine", 0)? };
        // SAFETY: the caller promises that `path` is null or ends with a zero.
        let opened = Engine::open(unsafe { memory::path(path)? })?;
        let handle = ENGINES.insert(OpenEngine::new(opened))?;
        // SAFETY: as above.
        unsafe { write(engine, "engine", handle) }
    })
}

/// Opens a model held in memory: `len` bytes at `bytes`, of any alignment, which are copied.
///
/// On an error `*engine` is zero.
///
/// Errors: as linnet_engine_open; LINNET_ERROR_RESOURCES also when there is no memory for the copy. Threads: any.
/// Ownership: `bytes` are only read during the call; `*engine` is the caller's, who gives it to linnet_engine_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_engine_open_memory(
    bytes: *const u8,
    len: usize,
    engine: *mut linnet_engine_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `engine` is null or can be written.
        unsafe { write(engine, "engine", 0)? };
        // SAFETY: the caller promises that `bytes` is null or has `len` bytes.
        let bytes = unsafe { values(bytes, len, "bytes")? };
        let mut copy = Vec::new();
        copy.try_reserve_exact(len)
            .map_err(|_| Failure::resources(format!("no memory for a copy of the model ({len} bytes)")))?;
        copy.extend_from_slice(bytes);
        let handle = ENGINES.insert(OpenEngine::new(Engine::from_bytes(copy)?))?;
        // SAFETY: as above.
        unsafe { write(engine, "engine", handle) }
    })
}

/// Gives an engine back. Streams made from it go on; the model is unloaded with the last of them. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any, also during other calls with the
/// same handle, which end as if it were still there.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_engine_free(engine: linnet_engine_t) -> linnet_status_t {
    guard(|| match engine {
        0 => Ok(()),
        handle => ENGINES.remove(handle).map(drop),
    })
}

/// Fills `info` with facts about the model.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: what `info` points to
/// is borrowed; valid until linnet_engine_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_engine_info(
    engine: linnet_engine_t,
    info: *mut linnet_engine_info_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `info` is null or a struct of the size that it says.
        unsafe { check_struct(info)? };
        let engine: Arc<OpenEngine> = ENGINES.get(engine)?;
        // SAFETY: as above.
        unsafe { write_struct(info, &engine.info()) }
    })
}
