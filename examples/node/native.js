'use strict';
// The C ABI through koffi: structs and functions as in linnet.h, and the search for the library.

const fs = require('node:fs');
const path = require('node:path');
const koffi = require('koffi');

const ABI_VERSION = 2;

const Replacement = koffi.struct('linnet_replacement_t', { said: 'const char *', written: 'const char *' });

const FormatConfig = koffi.struct('linnet_format_config_t', {
  size: 'size_t',
  numerals: 'uint32_t',
  smart: 'uint32_t',
  punctuate: 'uint32_t',
  profanity_filter: 'uint32_t',
  redact: 'uint32_t',
  reserved: 'uint32_t',
  replacements: 'linnet_replacement_t *',
  replacements_len: 'size_t',
});

const StreamConfig = koffi.struct('linnet_stream_config_t', {
  size: 'size_t',
  sample_rate_hz: 'uint32_t',
  channels: 'uint32_t',
  chunk_ms: 'uint32_t',
  interim_results: 'uint32_t',
  interim_interval_ms: 'uint32_t',
  endpoint_ms: 'uint32_t',
  max_utterance_ms: 'uint32_t',
  max_symbols_per_frame: 'uint32_t',
  adaptive_endpointing: 'uint32_t',
  unfinished_ms: 'uint32_t',
  utterance_end_ms: 'uint32_t',
  gate: 'uint32_t',
  beam_width: 'uint32_t',
  alternatives: 'uint32_t',
  hotwords: 'uint64_t',
  grammar: 'uint64_t',
  format: 'linnet_format_config_t *',
  speakers: 'uint32_t',
  speaker_threshold: 'float',
  language_model: 'uint64_t',
  second_pass: 'uint32_t',
});

const LiveConfig = koffi.struct('linnet_live_config_t', {
  size: 'size_t',
  source: 'uint32_t',
  buffer_ms: 'uint32_t',
  device: 'const char *',
  stream: 'linnet_stream_config_t *',
  realtime_priority: 'uint32_t',
  event_fd: 'uint32_t',
  on_event: 'void *',
  user_data: 'void *',
});

const Policy = koffi.struct('linnet_policy_t', {
  size: 'size_t',
  endpoint_ms: 'uint32_t',
  adaptive: 'uint32_t',
  unfinished_ms: 'uint32_t',
  utterance_end_ms: 'uint32_t',
  max_utterance_ms: 'uint32_t',
  reserved: 'uint32_t',
});

const Hotword = koffi.struct('linnet_hotword_t', {
  phrase: 'const char *',
  boost: 'float',
  reserved: 'uint32_t',
  sounds_like: 'const char **',
  sounds_like_len: 'size_t',
});

const RejectedHotword = koffi.struct('linnet_rejected_hotword_t', {
  size: 'size_t',
  phrase: 'const char *',
  spelling: 'const char *',
  reason: 'const char *',
});

const GrammarConfig = koffi.struct('linnet_grammar_config_t', {
  size: 'size_t',
  rejection: 'float',
  letter_reward: 'float',
});

const LanguageModelConfig = koffi.struct('linnet_language_model_config_t', {
  size: 'size_t',
  weight: 'float',
  token_reward: 'float',
});

const Word = koffi.struct('linnet_word_t', {
  text: 'const char *',
  text_len: 'size_t',
  start_ms: 'uint64_t',
  end_ms: 'uint64_t',
  confidence: 'float',
  speaker: 'uint32_t',
});

const Slot = koffi.struct('linnet_slot_t', {
  name: 'const char *',
  value: 'const char *',
  start_ms: 'uint64_t',
  end_ms: 'uint64_t',
  confidence: 'float',
  reserved: 'uint32_t',
});

const Alternative = koffi.struct('linnet_alternative_t', {
  text: 'const char *',
  text_len: 'size_t',
  score: 'float',
  reserved: 'uint32_t',
});

const Event = koffi.struct('linnet_event_t', {
  size: 'size_t',
  kind: 'int32_t',
  confidence: 'float',
  sequence: 'uint64_t',
  start_ms: 'uint64_t',
  end_ms: 'uint64_t',
  text: 'const char *',
  text_len: 'size_t',
  words: 'void *',
  words_len: 'size_t',
  confirmed: 'size_t',
  speech_final: 'bool',
  from_finalize: 'bool',
  state: 'int32_t',
  written: 'const char *',
  written_len: 'size_t',
  written_words: 'void *',
  written_words_len: 'size_t',
  intent: 'const char *',
  slots: 'void *',
  slots_len: 'size_t',
  alternatives: 'void *',
  alternatives_len: 'size_t',
  margin: 'float',
  interpreted: 'bool',
  accepted: 'bool',
});

const KINDS = [
  'none', 'speech_started', 'interim', 'final', 'utterance_end', 'gap', 'state', 'trouble', 'dead_microphone',
  'microphone_alive', 'notice',
];
const STATES = ['none', 'connecting', 'live', 'reconnecting', 'stopped'];

function candidates() {
  if (process.env.LINNET_LIBRARY) return [process.env.LINNET_LIBRARY];
  const suffix = { darwin: '.dylib', win32: '.dll' }[process.platform] || '.so';
  const prefix = process.platform === 'win32' ? '' : 'lib';
  const folders = [__dirname, path.resolve(__dirname, '../../target/release')];
  const files = folders.flatMap((folder) => ['linnet', 'linnet_ffi'].map((name) => path.join(folder, prefix + name + suffix)));
  return files.filter((file) => fs.existsSync(file)).concat(`${prefix}linnet${suffix}`);
}

const file = candidates()[0];
const library = koffi.load(file);
const f = (prototype) => library.func(prototype);

const version = f('uint32_t linnet_abi_version()')();
if (version !== ABI_VERSION) {
  throw new Error(`${file} has ABI version ${version}; this package takes ${ABI_VERSION}`);
}

module.exports = {
  koffi,
  KINDS,
  STATES,
  types: {
    StreamConfig, LiveConfig, Replacement, FormatConfig, Policy, Hotword, RejectedHotword, GrammarConfig,
    LanguageModelConfig, Word, Slot, Alternative, Event,
  },
  version: f('const char *linnet_version()'),
  last_error: f('const char *linnet_last_error()'),
  status_name: f('const char *linnet_status_name(int32_t status)'),
  engine_open: f('int32_t linnet_engine_open(const char *path, _Out_ uint64_t *engine)'),
  engine_open_memory: f('int32_t linnet_engine_open_memory(const uint8_t *bytes, size_t len, _Out_ uint64_t *engine)'),
  engine_free: f('int32_t linnet_engine_free(uint64_t engine)'),
  stream_config_init: f('int32_t linnet_stream_config_init(_Inout_ linnet_stream_config_t *config)'),
  stream_new: f('int32_t linnet_stream_new(uint64_t engine, const linnet_stream_config_t *config, _Out_ uint64_t *stream)'),
  stream_free: f('int32_t linnet_stream_free(uint64_t stream)'),
  stream_push_f32: f('int32_t linnet_stream_push_f32(uint64_t stream, const float *samples, size_t frames)'),
  stream_push_i16: f('int32_t linnet_stream_push_i16(uint64_t stream, const int16_t *samples, size_t frames)'),
  stream_poll: f('int32_t linnet_stream_poll(uint64_t stream, _Inout_ linnet_event_t *event)'),
  stream_finalize: f('int32_t linnet_stream_finalize(uint64_t stream)'),
  stream_finish: f('int32_t linnet_stream_finish(uint64_t stream)'),
  stream_reset: f('int32_t linnet_stream_reset(uint64_t stream)'),
  stream_set_hotwords: f('int32_t linnet_stream_set_hotwords(uint64_t stream, uint64_t hotwords)'),
  stream_set_grammar: f('int32_t linnet_stream_set_grammar(uint64_t stream, uint64_t grammar)'),
  stream_set_format: f('int32_t linnet_stream_set_format(uint64_t stream, const linnet_format_config_t *config)'),
  stream_set_policy: f('int32_t linnet_stream_set_policy(uint64_t stream, const linnet_policy_t *policy)'),
  policy_init: f('int32_t linnet_policy_init(_Inout_ linnet_policy_t *policy, uint32_t preset)'),
  hotwords_new: f('int32_t linnet_hotwords_new(uint64_t engine, const linnet_hotword_t *phrases, size_t len, _Out_ uint64_t *hotwords)'),
  hotwords_rejected_len: f('int32_t linnet_hotwords_rejected_len(uint64_t hotwords, _Out_ size_t *len)'),
  hotwords_rejected: f('int32_t linnet_hotwords_rejected(uint64_t hotwords, size_t index, _Inout_ linnet_rejected_hotword_t *rejected)'),
  hotwords_free: f('int32_t linnet_hotwords_free(uint64_t hotwords)'),
  grammar_config_init: f('int32_t linnet_grammar_config_init(_Inout_ linnet_grammar_config_t *config)'),
  grammar_new: f('int32_t linnet_grammar_new(uint64_t engine, const char *source, const linnet_grammar_config_t *config, _Out_ uint64_t *grammar)'),
  grammar_free: f('int32_t linnet_grammar_free(uint64_t grammar)'),
  language_model_config_init: f('int32_t linnet_language_model_config_init(_Inout_ linnet_language_model_config_t *config)'),
  language_model_open: f('int32_t linnet_language_model_open(uint64_t engine, const char *path, const linnet_language_model_config_t *config, _Out_ uint64_t *model)'),
  language_model_open_memory: f('int32_t linnet_language_model_open_memory(uint64_t engine, const uint8_t *text, size_t len, const linnet_language_model_config_t *config, _Out_ uint64_t *model)'),
  language_model_free: f('int32_t linnet_language_model_free(uint64_t model)'),
  live_config_init: f('int32_t linnet_live_config_init(_Inout_ linnet_live_config_t *config)'),
  live_start: f('int32_t linnet_live_start(uint64_t engine, const linnet_live_config_t *config, _Out_ uint64_t *live)'),
  live_free: f('int32_t linnet_live_free(uint64_t live)'),
  live_push_f32: f('int32_t linnet_live_push_f32(uint64_t live, const float *samples, size_t frames)'),
  live_push_i16: f('int32_t linnet_live_push_i16(uint64_t live, const int16_t *samples, size_t frames)'),
  live_next: f('int32_t linnet_live_next(uint64_t live, _Inout_ linnet_event_t *event, uint32_t timeout_ms)'),
  live_finalize: f('int32_t linnet_live_finalize(uint64_t live)'),
  live_stop: f('int32_t linnet_live_stop(uint64_t live)'),
  live_state: f('int32_t linnet_live_state(uint64_t live, _Out_ int32_t *state)'),
  live_set_hotwords: f('int32_t linnet_live_set_hotwords(uint64_t live, uint64_t hotwords)'),
  live_set_grammar: f('int32_t linnet_live_set_grammar(uint64_t live, uint64_t grammar)'),
  live_set_format: f('int32_t linnet_live_set_format(uint64_t live, const linnet_format_config_t *config)'),
  live_set_policy: f('int32_t linnet_live_set_policy(uint64_t live, const linnet_policy_t *policy)'),
  transcribe_file: f('int32_t linnet_transcribe_file(uint64_t engine, const char *path, const linnet_stream_config_t *config, _Out_ uint64_t *transcript)'),
  transcript_get: f('int32_t linnet_transcript_get(uint64_t transcript, _Inout_ linnet_event_t *event)'),
  transcript_free: f('int32_t linnet_transcript_free(uint64_t transcript)'),
};
