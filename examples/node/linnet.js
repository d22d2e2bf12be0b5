'use strict';
// Linnet: embedded, on-device streaming speech recognition.
//
//   const { Engine } = require('linnet-asr');
//   const engine = new Engine('linnet-en.linnet');
//   console.log(engine.transcribeFile('speech.wav').text);
//
//   const stream = engine.stream({ endpoint_ms: 600 });
//   microphone.on('data', (block) => {          // a Buffer of int16, an Int16Array or a Float32Array
//     for (const event of stream.push(block)) if (event.kind === 'final') console.log(event.text);
//   });
//
// Times are in milliseconds. A push to a stream computes on the calling thread, a few milliseconds for a second of audio;
// where that is too much, `engine.live()` computes on threads of the library:
//
//   const session = engine.live();
//   microphone.on('data', (block) => session.push(block));
//   for await (const event of session) if (event.kind === 'final') console.log(event.text);

const native = require('./native');
const { koffi, types } = native;

class LinnetError extends Error {
  constructor(status) {
    super(`${native.status_name(status)}: ${native.last_error()}`);
    this.name = 'LinnetError';
    this.status = status;
  }
}

function check(status) {
  if (status !== 0) throw new LinnetError(status);
}

const sized = (type) => ({ size: koffi.sizeof(type) });
const number = (value) => Number(value);

/** What a call hands out through its last argument. */
function out(call, ...args) {
  const handle = [0];
  check(call(...args, handle));
  return handle[0];
}

/** A struct that the library fills, with zeros for what koffi wants of the others. */
function blank(type) {
  const value = {};
  for (const [name, member] of Object.entries(koffi.introspect ? koffi.introspect(type).members : type.members)) {
    const kind = koffi.introspect ? koffi.introspect(member.type).primitive : member.type.primitive;
    value[name] = kind === 'Pointer' || kind === 'String' ? null : kind === 'Bool' ? false : 0;
  }
  return Object.assign(value, sized(type));
}

function filled(type, init, ...args) {
  const value = blank(type);
  check(init(value, ...args));
  return value;
}

function decode(pointer, type, len) {
  return number(len) === 0 ? [] : koffi.decode(pointer, koffi.array(type, number(len)));
}

function words(pointer, len) {
  return decode(pointer, types.Word, len).map((word) => ({
    text: word.text,
    start_ms: number(word.start_ms),
    end_ms: number(word.end_ms),
    confidence: word.confidence,
    speaker: word.speaker || null,
  }));
}

/** An event as a plain object of its own; null for none. */
function toEvent(event) {
  const kind = native.KINDS[event.kind];
  if (!kind || kind === 'none') return null;
  const told = { kind, start_ms: number(event.start_ms), end_ms: number(event.end_ms) };
  if (kind === 'state') return { kind, state: native.STATES[event.state] };
  if (kind === 'trouble' || kind === 'notice') return Object.assign(told, { text: event.text });
  if (kind !== 'interim' && kind !== 'final') return told;
  Object.assign(told, {
    text: event.text,
    words: words(event.words, event.words_len),
    written: event.written,
    written_words: words(event.written_words, event.written_words_len),
    confirmed: number(event.confirmed),
    confidence: event.confidence,
    sequence: number(event.sequence),
  });
  if (kind === 'interim') return told;
  return Object.assign(told, {
    speech_final: event.speech_final,
    from_finalize: event.from_finalize,
    alternatives: decode(event.alternatives, types.Alternative, event.alternatives_len).map(({ text, score }) => ({ text, score })),
    interpretation: !event.interpreted ? null : {
      intent: event.intent,
      accepted: event.accepted,
      margin: event.margin,
      slots: decode(event.slots, types.Slot, event.slots_len).map((slot) => ({
        name: slot.name,
        value: slot.value,
        start_ms: number(slot.start_ms),
        end_ms: number(slot.end_ms),
        confidence: slot.confidence,
      })),
    },
  });
}

const REDACTIONS = { numbers: 1, all_numbers: 2, cards: 4, ssn: 8 };
const PRESETS = ['conversation', 'command', 'dictation', 'drive_thru', 'phone'];

/** {numerals, smart, punctuate, profanity_filter, redact: [name], replace: [[said, written]]} */
function toFormat(format) {
  if (!format) return null;
  const { redact = [], replace = [], ...flags } = format;
  const value = blank(types.FormatConfig);
  for (const [name, on] of Object.entries(flags)) {
    if (!(name in value)) throw new TypeError(`a format has no ${name}`);
    value[name] = on ? 1 : 0;
  }
  for (const name of redact) {
    if (!(name in REDACTIONS)) throw new TypeError(`there is no redaction ${name}; there are ${Object.keys(REDACTIONS).join(', ')}`);
    value.redact |= REDACTIONS[name];
  }
  value.replacements = replace.length ? replace.map(([said, written]) => ({ said, written })) : null;
  value.replacements_len = replace.length;
  return value;
}

/** Something that the library holds until it is closed. */
class Handle {
  #free;

  constructor(handle, free) {
    this.handle = handle;
    this.#free = free;
  }

  /** Gives it back. Closing again does nothing. */
  close() {
    const handle = this.handle;
    this.handle = 0;
    check(this.#free(handle));
  }

  [Symbol.dispose || Symbol('dispose')]() {
    this.close();
  }
}

/** Compiled hotwords, for any number of streams; `rejected` are those that can't be listened for. */
class Hotwords extends Handle {
  constructor(engine, phrases) {
    const list = phrases.map((phrase) => (typeof phrase === 'string' ? { phrase } : phrase)).map((hotword) => ({
      phrase: hotword.phrase,
      boost: hotword.boost || 0,
      reserved: 0,
      sounds_like: hotword.sounds_like && hotword.sounds_like.length ? hotword.sounds_like : null,
      sounds_like_len: (hotword.sounds_like || []).length,
    }));
    super(out(native.hotwords_new, engine.handle, list, list.length), native.hotwords_free);
    this.rejected = [];
    for (let index = 0; index < number(out(native.hotwords_rejected_len, this.handle)); index++) {
      const rejected = blank(types.RejectedHotword);
      check(native.hotwords_rejected(this.handle, index, rejected));
      this.rejected.push({ phrase: rejected.phrase, spelling: rejected.spelling, reason: rejected.reason });
    }
  }
}

/** A compiled grammar (a subset of JSGF), for any number of streams. */
class Grammar extends Handle {
  constructor(engine, source, options = {}) {
    const config = Object.assign(filled(types.GrammarConfig, native.grammar_config_init), options);
    super(out(native.grammar_new, engine.handle, source, config), native.grammar_free);
  }
}

/** An n-gram model in the ARPA format, from a file or from a Buffer, for any number of streams. */
class LanguageModel extends Handle {
  constructor(engine, source, options = {}) {
    const config = options ? Object.assign(filled(types.LanguageModelConfig, native.language_model_config_init), options) : null;
    const handle = typeof source === 'string'
      ? out(native.language_model_open, engine.handle, source, config)
      : out(native.language_model_open_memory, engine.handle, source, source.length, config);
    super(handle, native.language_model_free);
  }
}

/** LINNET_NO_LANGUAGE_MODEL of linnet.h. */
const NO_LANGUAGE_MODEL = 1;

/** Fields of linnet_stream_config_t, and `hotwords`, `grammar`, `language_model` and `format`. */
function toConfig({ hotwords, grammar, language_model, format, ...fields } = {}) {
  const config = filled(types.StreamConfig, native.stream_config_init);
  for (const [name, value] of Object.entries(fields)) {
    if (!(name in config)) throw new TypeError(`there is no setting ${name}; the settings are ${Object.keys(config).join(', ')}`);
    config[name] = value;
  }
  config.hotwords = hotwords ? hotwords.handle : 0;
  config.grammar = grammar ? grammar.handle : 0;
  config.language_model = language_model ? language_model.handle : language_model === false ? NO_LANGUAGE_MODEL : 0;
  config.format = toFormat(format);
  return config;
}

/** The samples as the library takes them, and how many frames they are. */
function toSamples(samples, channels) {
  if (samples instanceof Uint8Array) {
    // A Buffer may lie at any address; samples may not.
    const whole = samples.byteOffset % 2 === 0 ? samples : Uint8Array.from(samples);
    samples = new Int16Array(whole.buffer, whole.byteOffset, whole.byteLength >> 1);
  }
  if (!(samples instanceof Float32Array || samples instanceof Int16Array)) {
    throw new TypeError('samples are a Float32Array, an Int16Array, or a Buffer of int16');
  }
  const frames = samples.length / channels;
  if (!Number.isInteger(frames)) throw new RangeError(`${samples.length} samples are not whole frames of ${channels} channels`);
  return [samples, frames];
}

/** A preset's name, or fields of linnet_policy_t on top of the default ones. */
function toPolicy(policy) {
  const preset = typeof policy === 'string' ? PRESETS.indexOf(policy) : 0;
  if (preset < 0) throw new TypeError(`there is no preset ${policy}; there are ${PRESETS.join(', ')}`);
  const value = filled(types.Policy, native.policy_init, preset);
  return Object.assign(value, typeof policy === 'string' ? {} : policy);
}

/** One audio stream: push samples, and take the events that came of them. */
class Stream extends Handle {
  #channels;

  constructor(engine, options = {}) {
    const config = toConfig(options);
    super(out(native.stream_new, engine.handle, config), native.stream_free);
    this.#channels = config.channels;
  }

  /** Takes interleaved samples: a Float32Array in -1..1, an Int16Array, or a Buffer of int16. Returns the events. */
  push(samples) {
    const [values, frames] = toSamples(samples, this.#channels);
    check((values instanceof Float32Array ? native.stream_push_f32 : native.stream_push_i16)(this.handle, values, frames));
    return this.events();
  }

  /** The events that were not taken yet. */
  events() {
    const events = [];
    for (;;) {
      const event = blank(types.Event);
      check(native.stream_poll(this.handle, event));
      const told = toEvent(event);
      if (!told) return events;
      events.push(told);
    }
  }

  /** Makes a final of all audio so far; the stream goes on. Returns the events. */
  finalize() {
    check(native.stream_finalize(this.handle));
    return this.events();
  }

  /** Makes a final of all audio so far, and ends the stream. Returns the events. */
  finish() {
    check(native.stream_finish(this.handle));
    return this.events();
  }

  /** Starts anew at position zero. */
  reset() {
    check(native.stream_reset(this.handle));
  }

  /** Listens for other hotwords from the next chunk on, or for none. */
  setHotwords(hotwords) {
    check(native.stream_set_hotwords(this.handle, hotwords ? hotwords.handle : 0));
  }

  /** Keeps to another grammar from the next utterance on, or to none. */
  setGrammar(grammar) {
    check(native.stream_set_grammar(this.handle, grammar ? grammar.handle : 0));
  }

  /** Writes words in another way from the next event on. */
  setFormat(format) {
    check(native.stream_set_format(this.handle, toFormat(format)));
  }

  /** Ends utterances by other rules: a preset's name, or fields of linnet_policy_t on top of the default ones. */
  setPolicy(policy) {
    check(native.stream_set_policy(this.handle, toPolicy(policy)));
  }
}

/**
 * A session on threads of the library: push samples from anywhere, or let it capture from a microphone, and iterate over
 * the events (`for await`) until the session has stopped, which is the last.
 */
class Live extends Handle {
  #channels;
  #waiting = null;
  #closing = false;

  constructor(engine, { microphone = false, buffer_ms, realtime_priority = true, ...options } = {}) {
    const stream = toConfig(options);
    const config = filled(types.LiveConfig, native.live_config_init);
    config.source = microphone ? 1 : 0;
    config.device = typeof microphone === 'string' ? microphone : null;
    config.stream = stream;
    config.realtime_priority = realtime_priority ? 1 : 0;
    if (buffer_ms !== undefined) config.buffer_ms = buffer_ms;
    super(out(native.live_start, engine.handle, config), native.live_free);
    this.#channels = stream.channels;
  }

  /** Takes interleaved samples as a stream does, and returns at once. */
  push(samples) {
    const [values, frames] = toSamples(samples, this.#channels);
    check((values instanceof Float32Array ? native.live_push_f32 : native.live_push_i16)(this.handle, values, frames));
  }

  /**
   * The next event; null when none came in so many milliseconds. A thread of Node's pool waits meanwhile. Calls wait
   * for each other.
   */
  async next(timeout_ms = 200) {
    while (this.#waiting) await this.#waiting;
    if (this.#closing) return null;
    const event = blank(types.Event);
    this.#waiting = new Promise((resolve, reject) => {
      native.live_next.async(this.handle, event, timeout_ms, (error, status) => {
        this.#waiting = null;
        try {
          if (error) throw error;
          check(status);
          // What the event points to is there until the next one is asked for.
          resolve(toEvent(event));
        } catch (failure) {
          reject(failure);
        }
      });
    });
    return this.#waiting;
  }

  /** The events until the session has stopped or was closed. */
  async *[Symbol.asyncIterator]() {
    while (!this.#closing) {
      const event = await this.next();
      if (event) yield event;
      if (event && event.kind === 'state' && event.state === 'stopped') return;
    }
  }

  /** "connecting", "live", "reconnecting" or "stopped"; it may be ahead of the events. */
  get state() {
    return native.STATES[out(native.live_state, this.handle)];
  }

  /** Makes a final of all audio so far; it comes as an event. */
  finalize() {
    check(native.live_finalize(this.handle));
  }

  /** Ends the audio: what was pushed or captured is recognized, then the session stops. */
  stop() {
    check(native.live_stop(this.handle));
  }

  /** Ends the session at once, when nobody waits for an event any more. */
  async close() {
    this.#closing = true;
    while (this.#waiting) await this.#waiting.catch(() => {});
    super.close();
  }

  /** Listens for other hotwords, or for none. */
  setHotwords(hotwords) {
    check(native.live_set_hotwords(this.handle, hotwords ? hotwords.handle : 0));
  }

  /** Keeps to another grammar, or to none. */
  setGrammar(grammar) {
    check(native.live_set_grammar(this.handle, grammar ? grammar.handle : 0));
  }

  /** Writes words in another way. */
  setFormat(format) {
    check(native.live_set_format(this.handle, toFormat(format)));
  }

  /** Ends utterances by other rules: a preset's name, or fields of linnet_policy_t on top of the default ones. */
  setPolicy(policy) {
    check(native.live_set_policy(this.handle, toPolicy(policy)));
  }
}

/** An opened model, from a file or from a Buffer. Share it between streams. */
class Engine extends Handle {
  constructor(model) {
    const handle = typeof model === 'string'
      ? out(native.engine_open, model)
      : out(native.engine_open_memory, model, model.length);
    super(handle, native.engine_free);
  }

  /** Starts a stream. Options: fields of linnet_stream_config_t, `hotwords`, `grammar`, `language_model`, `format`. */
  stream(options) {
    return new Stream(this, options);
  }

  /** Compiles phrases to listen for: strings, or {phrase, boost, sounds_like}. */
  hotwords(phrases) {
    return new Hotwords(this, phrases);
  }

  /** Compiles a grammar of what can be said. Options: `rejection`, `letter_reward`. */
  grammar(source, options) {
    return new Grammar(this, source, options);
  }

  /** Reads an n-gram model from a file or from a Buffer. Options: `weight`, `token_reward`. */
  languageModel(source, options) {
    return new LanguageModel(this, source, options);
  }

  /**
   * Starts a session. Options are those of a stream, and `microphone` (true, or an id), `buffer_ms`, `realtime_priority`.
   */
  live(options) {
    return new Live(this, options);
  }

  /** Recognizes an audio file: WAV, FLAC, MP3 or Ogg Vorbis. Returns a final. */
  transcribeFile(path, options) {
    const transcript = out(native.transcribe_file, this.handle, path, toConfig(options));
    try {
      const event = blank(types.Event);
      check(native.transcript_get(transcript, event));
      return toEvent(event);
    } finally {
      native.transcript_free(transcript);
    }
  }
}

module.exports = { Engine, Stream, Live, Hotwords, Grammar, LanguageModel, LinnetError, version: native.version() };
