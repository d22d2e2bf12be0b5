//! Closed menus of what may be said.

use std::{ffi::c_char, sync::Arc};

use linnet::{Grammar, model::tokens::Tokens};

use crate::{
    engine::{engine, linnet_engine_t},
    error::{Failure, guard, linnet_status_t},
    handles::{Kind, Table},
    live::{linnet_live_t, session},
    memory::{self, AbiStruct, read_struct, write, write_struct},
    stream::{linnet_stream_t, open_stream},
};

/// A compiled grammar, for any number of streams and sessions of its engine. Zero is none. Any number of threads may use
/// it at the same time.
pub type linnet_grammar_t = u64;

static GRAMMARS: Table<OpenGrammar> = Table::new(Kind::Grammar);

struct OpenGrammar {
    grammar: Grammar,
    tokens: Arc<Tokens>,
}

/// Settings of a grammar. Set `size`, fill the rest with linnet_grammar_config_init, and change what is needed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_grammar_config_t {
    /// sizeof(linnet_grammar_config_t).
    pub size: usize,
    /// Margin below which an utterance counts as not said in the grammar; -INFINITY rejects none. Default -0.6.
    pub rejection: f32,
    /// What each letter of the grammar's words earns, natural logarithm, -100 to 100: more hears more words, 0 only those
    /// that the model is sure of. Default 1.
    pub letter_reward: f32,
}

// SAFETY: `repr(C)`, size first, numbers only.
unsafe impl AbiStruct for linnet_grammar_config_t {
    const NAME: &'static str = "linnet_grammar_config_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

const DEFAULTS: linnet_grammar_config_t = linnet_grammar_config_t {
    size: size_of::<linnet_grammar_config_t>(),
    rejection: Grammar::DEFAULT_REJECTION,
    letter_reward: Grammar::DEFAULT_LETTER_REWARD,
};

/// Largest reward, either way.
const MOST_REWARD: f32 = 100.0;

/// The grammar that a handle stands for; none for zero. `tokens` are those of the engine that is to keep to it.
pub(crate) fn grammar(handle: linnet_grammar_t, tokens: &Arc<Tokens>) -> Result<Option<Grammar>, Failure> {
    if handle == 0 {
        return Ok(None);
    }
    let open = GRAMMARS.get(handle)?;
    if !Arc::ptr_eq(&open.tokens, tokens) {
        return Err(Failure::argument("this grammar was made with another engine; make it with this one"));
    }
    Ok(Some(open.grammar.clone()))
}

/// Fills `config` with the defaults. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_grammar_config_init(config: *mut linnet_grammar_config_t) -> linnet_status_t {
    // SAFETY: the caller promises that `config` is null or a struct of the size that it says.
    guard(|| unsafe { write_struct(config, &DEFAULTS) })
}

/// Compiles a grammar of what can be said: a subset of JSGF, UTF-8, zero-terminated. `config` may be null, for the
/// defaults. On an error `*grammar` is zero.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the source is no grammar, is too large, or has
/// a word that the model can't write: linnet_last_error tells where; LINNET_ERROR_UNSUPPORTED; LINNET_ERROR_RESOURCES.
/// Threads: any. Ownership: `source` and `config` are only read during the call; `*grammar` is the caller's, who gives it
/// to linnet_grammar_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_grammar_new(
    engine: linnet_engine_t,
    source: *const c_char,
    config: *const linnet_grammar_config_t,
    grammar: *mut linnet_grammar_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `grammar` is null or can be written.
        unsafe { write(grammar, "grammar", 0)? };
        let engine = self::engine(engine)?;
        let config = match config.is_null() {
            true => DEFAULTS,
            // SAFETY: the caller promises that it is a struct of the size that it says.
            false => unsafe { read_struct(config, DEFAULTS)? },
        };
        if config.rejection.is_nan() {
            return Err(Failure::argument("rejection is not a number"));
        }
        if !(-MOST_REWARD..=MOST_REWARD).contains(&config.letter_reward) {
            return Err(Failure::argument(format!("letter_reward is {}; it takes -100 to 100", config.letter_reward)));
        }
        // SAFETY: the caller promises that `source` is null or ends with a zero.
        let compiled = engine.grammar(unsafe { memory::source(source)? });
        let compiled = compiled.map_err(|error| Failure::argument(error.to_string()))?;
        let compiled = compiled.with_rejection(config.rejection).with_letter_reward(config.letter_reward);
        let handle = GRAMMARS.insert(OpenGrammar { grammar: compiled, tokens: engine.tokens().clone() })?;
        // SAFETY: as above.
        unsafe { write(grammar, "grammar", handle) }
    })
}

/// Gives a grammar back. Streams and sessions that keep to it go on to do so. Zero does nothing.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_grammar_free(grammar: linnet_grammar_t) -> linnet_status_t {
    guard(|| match grammar {
        0 => Ok(()),
        handle => GRAMMARS.remove(handle).map(drop),
    })
}

/// Keeps to another grammar, or with zero to none: at once when no word of an utterance was heard yet, else from the next
/// utterance on. Finals then have `intent` and `slots`.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the grammar is of another engine. Threads:
/// any. Ownership: `grammar` stays the caller's, who may free it at once.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_stream_set_grammar(stream: linnet_stream_t, grammar: linnet_grammar_t) -> linnet_status_t {
    guard(|| {
        let open = open_stream(stream)?;
        let grammar = self::grammar(grammar, &open.tokens)?;
        open.lock()?.stream.set_grammar(grammar);
        Ok(())
    })
}

/// Keeps to another grammar in a session, from the audio that comes next on; otherwise as linnet_stream_set_grammar.
///
/// Errors: as linnet_stream_set_grammar. Threads: any. Ownership: as linnet_stream_set_grammar.
#[unsafe(no_mangle)]
pub extern "C" fn linnet_live_set_grammar(live: linnet_live_t, grammar: linnet_grammar_t) -> linnet_status_t {
    guard(|| {
        let session = session(live)?;
        session.remote.set_grammar(self::grammar(grammar, &session.tokens)?);
        Ok(())
    })
}
