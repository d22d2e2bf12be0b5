//! N-gram models of what is likely to be said.

use std::{ffi::c_char, fs, sync::Arc};

use linnet::{Engine, LanguageModel, ShallowFusion, model::tokens::Tokens};

use crate::{
    engine::{engine, linnet_engine_t},
    error::{Failure, guard, linnet_status_t},
    handles::{Kind, Table},
    memory::{self, AbiStruct, read_struct, write, write_struct},
};

/// An n-gram model, for any number of streams and sessions of its engine: `language_model` of linnet_stream_config_t.
/// Zero is none. Any number of threads may use it at the same time.
pub type linnet_language_model_t = u64;

static LANGUAGE_MODELS: Table<OpenLanguageModel> = Table::new(Kind::LanguageModel);

struct OpenLanguageModel {
    model: LanguageModel,
    tokens: Arc<Tokens>,
}

/// How much an n-gram model counts. Set `size`, fill the rest with linnet_language_model_config_init, and change what is
/// needed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_language_model_config_t {
    /// sizeof(linnet_language_model_config_t).
    pub size: usize,
    /// Factor of its logarithmic probabilities beside those of the recognizer, 0 to 10. Default 0.2.
    pub weight: f32,
    /// What each token earns, natural logarithm, -100 to 100; it makes up for every longer text being less likely.
    /// Default 0.8.
    pub token_reward: f32,
}

// SAFETY: `repr(C)`, size first, numbers only.
unsafe impl AbiStruct for linnet_language_model_config_t {
    const NAME: &'static str = "linnet_language_model_config_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

const DEFAULTS: linnet_language_model_config_t = linnet_language_model_config_t {
    size: size_of::<linnet_language_model_config_t>(),
    weight: LanguageModel::DEFAULT_WEIGHT,
    token_reward: LanguageModel::DEFAULT_TOKEN_REWARD,
};

/// Largest weight, and largest reward either way.
const MOST_WEIGHT: f32 = 10.0;
const MOST_REWARD: f32 = 100.0;

/// In place of a language model: none, not even the one in the model file.
pub const LINNET_NO_LANGUAGE_MODEL: u64 = 1;

/// What a handle stands for; zero is the one in the model file. `tokens` are those of the engine that is to follow it.
pub(crate) fn language_model(handle: linnet_language_model_t, tokens: &Arc<Tokens>) -> Result<ShallowFusion, Failure> {
    match handle {
        0 => return Ok(ShallowFusion::BuiltIn),
        LINNET_NO_LANGUAGE_MODEL => return Ok(ShallowFusion::Off),
        _ => {}
    }
    let open = LANGUAGE_MODELS.get(handle)?;
    if !Arc::ptr_eq(&open.tokens, tokens) {
        return Err(Failure::argument("this language model was made with another engine; make it with this one"));
    }
    Ok(ShallowFusion::With(open.model.clone()))
}

/// Fills `config` with the defaults. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_language_model_config_init(
    config: *mut linnet_language_model_config_t,
) -> linnet_status_t {
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says.
    guard(|| unsafe { write_struct(config, &DEFAULTS) })
}

/// Reads an n-gram model from a file, in the ARPA format or compact, whose words are the pieces of the engine's model:
/// `linnet lm` makes one of a text. `config` may be null: then it counts as much as the file says, or as the defaults do
/// when it is an ARPA file. `path` is UTF-8 and ends with a zero. On an error `*language_model` is zero.
///
/// Errors: LINNET_ERROR_MODEL when the file can't be read, is none of both, or has other pieces than the engine's model:
/// linnet_last_error tells where; LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_UNSUPPORTED;
/// LINNET_ERROR_RESOURCES. Threads: any. Ownership: `path` and `config` are only read during the call, and nothing of the
/// file is needed after it; `*language_model` is the caller's, who gives it to linnet_language_model_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_language_model_open(
    engine: linnet_engine_t,
    path: *const c_char,
    config: *const linnet_language_model_config_t,
    language_model: *mut linnet_language_model_t,
) -> linnet_status_t {
    let read = |engine: &Engine| {
        // SAFETY: the caller promises that `path` is null or ends with a zero.
        let path = unsafe { memory::path(path)? };
        let bytes = fs::read(path)
            .map_err(|error| Failure::model(format!("the language model {path} can't be read: {error}")))?;
        parse(engine, &bytes)
    };
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says, and that `language_model`
    // is null or can be written.
    unsafe { make(engine, config, language_model, read) }
}

/// Reads an n-gram model from memory: `len` bytes of such a file; otherwise as linnet_language_model_open.
///
/// Errors: as linnet_language_model_open. Threads: any. Ownership: `text` is only read during the call; otherwise as
/// linnet_language_model_open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_language_model_open_memory(
    engine: linnet_engine_t,
    text: *const c_char,
    len: usize,
    config: *const linnet_language_model_config_t,
    language_model: *mut linnet_language_model_t,
) -> linnet_status_t {
    let read = |engine: &Engine| {
        // SAFETY: the caller promises that `text` is null or has `len` bytes.
        parse(engine, unsafe { memory::values(text.cast::<u8>(), len, "text")? })
    };
    // SAFETY: as in linnet_language_model_open.
    unsafe { make(engine, config, language_model, read) }
}

fn parse(engine: &Engine, file: &[u8]) -> Result<LanguageModel, Failure> {
    engine.language_model(file).map_err(|error| Failure::model(error.to_string()))
}

/// Reads the settings, stores what `read` reads, and hands out its handle.
///
/// # Safety
/// `config` is null or can be read for as many bytes as its size field says; `output` is null or can be written.
unsafe fn make(
    engine: linnet_engine_t,
    config: *const linnet_language_model_config_t,
    output: *mut linnet_language_model_t,
    read: impl FnOnce(&Engine) -> Result<LanguageModel, Failure>,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: as promised by the caller.
        unsafe { write(output, "language_model", 0)? };
        let engine = self::engine(engine)?;
        // SAFETY: as promised by the caller.
        let config = (!config.is_null()).then(|| unsafe { read_struct(config, DEFAULTS) }).transpose()?;
        if let Some(config) = config {
            if !(0.0..=MOST_WEIGHT).contains(&config.weight) {
                return Err(Failure::argument(format!("weight is {}; it takes 0 to 10", config.weight)));
            }
            if !(-MOST_REWARD..=MOST_REWARD).contains(&config.token_reward) {
                return Err(Failure::argument(format!(
                    "token_reward is {}; it takes -100 to 100",
                    config.token_reward
                )));
            }
        }
        let mut model = read(&engine)?;
        if let Some(config) = config {
            model = model.with_weight(config.weight).with_token_reward(config.token_reward);
        }
        let handle = LANGUAGE_MODELS.insert(OpenLanguageModel { model, tokens: engine.tokens().clone() })?;
        // SAFETY: as promised by the caller.
        unsafe { write(output, "language_model", handle) }
    })
}

/// Gives a language model back. Streams and sessions that follow it go on to do so. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_language_model_free(language_model: linnet_language_model_t) -> linnet_status_t {
    guard(|| match language_model {
        0 => Ok(()),
        handle => LANGUAGE_MODELS.remove(handle).map(drop),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_stand_for_no_handle() {
        let tokens = Arc::new(Tokens::new(["a"]).unwrap());
        assert_eq!(language_model(0, &tokens).ok(), Some(ShallowFusion::BuiltIn));
        assert_eq!(language_model(LINNET_NO_LANGUAGE_MODEL, &tokens).ok(), Some(ShallowFusion::Off));
        assert!(language_model(2, &tokens).is_err());
    }
}
