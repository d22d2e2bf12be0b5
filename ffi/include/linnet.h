/* Linnet: embedded streaming speech recognition. The C ABI.
 *
 * An engine is an opened model; a stream is the state of one audio stream, which the host drives; a live session is one
 * that the library drives on threads of its own; a transcript is what a whole recording said. Hotwords, grammars and
 * n-gram models tell what may be said. Each is a handle: a number, zero when there is none. A handle that was freed, is of
 * another kind, or never was one is recognized, and the call returns LINNET_ERROR_INVALID_HANDLE.
 *
 * Calls return a status; linnet_last_error tells in words what failed last in this thread. Nothing unwinds or longjmps
 * out of the library: a defect is returned as LINNET_ERROR_INTERNAL, except by a library built with panic=abort (the
 * profile `embedded`), where it ends the process.
 *
 * Any function may be called at any time by any thread that has 128 KB of stack. Calls on one stream take turns; all others
 * run side by side. Only live sessions have threads of the library: free them before the library is unloaded (dlclose),
 * and before the process forks and goes on without exec. The library calls back where the host gave it a function: of a
 * session, for its events, and for the log (linnet_log).
 *
 * Structs that start with `size` are versioned by it: set it to sizeof before every call. Strings are UTF-8 and end with
 * a zero. What a call hands out through pointers is borrowed from the handle it was called with. Audio is interleaved;
 * counts are in frames, one sample of each channel. Names end in their unit.
 */


#ifndef LINNET_H
#define LINNET_H

/* Generated from the crate linnet-ffi; change it there, then: LINNET_UPDATE_HEADER=1 cargo test -p linnet-ffi */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus) || defined(__OBJC__) || defined(__swift__) || \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define LINNET_FIXED_ENUMS
#endif

/**
 * Version of the ABI that this header describes. It changes only when a program has to be compiled again; functions
 * and trailing fields of structs may be added without.
 */
#define LINNET_ABI_VERSION 2

/**
 * No messages.
 */
#define LINNET_LOG_OFF 0

/**
 * Defects of the library.
 */
#define LINNET_LOG_ERROR 1

/**
 * Trouble that the library gets over: lost microphones, damaged audio files.
 */
#define LINNET_LOG_WARN 2

/**
 * What was opened, and how live sessions go.
 */
#define LINNET_LOG_INFO 3

/**
 * Every call that failed, and details.
 */
#define LINNET_LOG_DEBUG 4

/**
 * In place of a language model: none, not even the one in the model file.
 */
#define LINNET_NO_LANGUAGE_MODEL 1

/**
 * Runs of three digits or more are written as `****`.
 */
#define LINNET_REDACT_NUMBERS 1

/**
 * Everything with a digit is written as `****`.
 */
#define LINNET_REDACT_ALL_NUMBERS 2

/**
 * Numbers of payment cards (13 to 19 digits with a valid check digit) are written as `****`.
 */
#define LINNET_REDACT_CARDS 4

/**
 * Social security numbers (nine digits) are written as `****`.
 */
#define LINNET_REDACT_SSN 8

/**
 * Conversation: the default.
 */
#define LINNET_PRESET_CONVERSATION 0

/**
 * Short commands to a device, answered at once.
 */
#define LINNET_PRESET_COMMAND 1

/**
 * Text that is thought about while it is spoken.
 */
#define LINNET_PRESET_DICTATION 2

/**
 * Orders with hesitations, in the noise of engines and kitchens.
 */
#define LINNET_PRESET_DRIVE_THRU 3

/**
 * Calls: quick turns, numbers said in groups.
 */
#define LINNET_PRESET_PHONE 4

/**
 * The host pushes the audio, for example from its own audio callback: linnet_live_push_f32 and linnet_live_push_i16.
 */
#define LINNET_SOURCE_PUSH 0

/**
 * The library captures from a microphone, and takes it up again when it was lost.
 */
#define LINNET_SOURCE_MICROPHONE 1

/**
 * What a call returns.
 */
enum linnet_status_t
#ifdef LINNET_FIXED_ENUMS
  : int32_t
#endif // LINNET_FIXED_ENUMS
 {
    /**
     * It worked.
     */
    LINNET_OK = 0,
    /**
     * An argument is null, misaligned, out of range or not finite, or a struct's size is not set.
     */
    LINNET_ERROR_INVALID_ARGUMENT = 1,
    /**
     * The handle was freed, is of another kind, or never was one.
     */
    LINNET_ERROR_INVALID_HANDLE = 2,
    /**
     * The model can't be read, is damaged, or is of a newer format.
     */
    LINNET_ERROR_MODEL = 3,
    /**
     * The audio can't be read or converted.
     */
    LINNET_ERROR_AUDIO = 4,
    /**
     * The stream has ended; reset it before pushing more.
     */
    LINNET_ERROR_FINISHED = 5,
    /**
     * A field is set that this library, which is older than the header, does not have.
     */
    LINNET_ERROR_UNSUPPORTED = 6,
    /**
     * There is no memory or no free handle.
     */
    LINNET_ERROR_RESOURCES = 7,
    /**
     * A defect of the library. The stream it happened in takes no more calls but linnet_stream_free.
     */
    LINNET_ERROR_INTERNAL = 8,
};
#ifndef __cplusplus
#ifdef LINNET_FIXED_ENUMS
typedef enum linnet_status_t linnet_status_t;
#else
typedef int32_t linnet_status_t;
#endif // LINNET_FIXED_ENUMS
#endif // __cplusplus

/**
 * What an event tells.
 */
enum linnet_event_kind_t
#ifdef LINNET_FIXED_ENUMS
  : int32_t
#endif // LINNET_FIXED_ENUMS
 {
    /**
     * Nothing happened: no event is left until the next push.
     */
    LINNET_EVENT_NONE = 0,
    /**
     * The first word of an utterance was recognized. `start_ms` is where it starts.
     */
    LINNET_EVENT_SPEECH_STARTED = 1,
    /**
     * The words of the running utterance so far. The first `confirmed` of them don't change any more. Without words it
     * takes back those told before: they were noise, and no final comes.
     */
    LINNET_EVENT_INTERIM = 2,
    /**
     * The words of a finished utterance.
     */
    LINNET_EVENT_FINAL = 3,
    /**
     * The utterance is over. `end_ms` is the end of its last word.
     */
    LINNET_EVENT_UTTERANCE_END = 4,
    /**
     * Audio between `start_ms` and `end_ms` was lost before it reached the recognizer.
     */
    LINNET_EVENT_GAP = 5,
    /**
     * The state of a live session has changed to `state`.
     */
    LINNET_EVENT_STATE = 6,
    /**
     * The microphone of a live session was lost or can't be opened; `text` says why and what to do. It is tried again
     * `end_ms` - `start_ms` milliseconds later.
     */
    LINNET_EVENT_TROUBLE = 7,
    /**
     * The microphone has been delivering one and the same value since `start_ms`: it is muted, not plugged in, or
     * broken.
     */
    LINNET_EVENT_DEAD_MICROPHONE = 8,
    /**
     * A microphone that was dead delivers sound again since `start_ms`.
     */
    LINNET_EVENT_MICROPHONE_ALIVE = 9,
    /**
     * `text` tells something that whoever runs the machine may want to know.
     */
    LINNET_EVENT_NOTICE = 10,
};
#ifndef __cplusplus
#ifdef LINNET_FIXED_ENUMS
typedef enum linnet_event_kind_t linnet_event_kind_t;
#else
typedef int32_t linnet_event_kind_t;
#endif // LINNET_FIXED_ENUMS
#endif // __cplusplus

/**
 * The state of a live session.
 */
enum linnet_state_t
#ifdef LINNET_FIXED_ENUMS
  : int32_t
#endif // LINNET_FIXED_ENUMS
 {
    /**
     * There is no session: the event is of a stream.
     */
    LINNET_STATE_NONE = 0,
    /**
     * No audio has come yet.
     */
    LINNET_STATE_CONNECTING = 1,
    /**
     * Audio is coming in.
     */
    LINNET_STATE_LIVE = 2,
    /**
     * The microphone was lost; it is tried again until it is back.
     */
    LINNET_STATE_RECONNECTING = 3,
    /**
     * The session is over.
     */
    LINNET_STATE_STOPPED = 4,
};
#ifndef __cplusplus
#ifdef LINNET_FIXED_ENUMS
typedef enum linnet_state_t linnet_state_t;
#else
typedef int32_t linnet_state_t;
#endif // LINNET_FIXED_ENUMS
#endif // __cplusplus

/**
 * What takes the library's messages. `level` is a LINNET_LOG_ constant; `target` tells the part of the library. Both
 * strings are UTF-8, zero-terminated, and borrowed until the function returns.
 */
typedef void (*linnet_log_callback_t)(void *user_data, uint32_t level, const char *target, const char *message);

/**
 * A model that is ready to recognize. Zero is none. Any number of threads may use it at the same time.
 */
typedef uint64_t linnet_engine_t;

/**
 * Facts about an opened model. Set `size` before the call. Strings and array are borrowed from the engine.
 */
typedef struct linnet_engine_info_t {
    /**
     * sizeof(linnet_engine_info_t).
     */
    size_t size;
    /**
     * Name of the model: UTF-8, zero-terminated.
     */
    const char *name;
    /**
     * Language as a BCP 47 tag, zero-terminated.
     */
    const char *language;
    /**
     * Instruction set of the kernels, zero-terminated; "none" for the f32 reference.
     */
    const char *isa;
    /**
     * Number of weights.
     */
    uint64_t parameters;
    /**
     * Size of the packed model in bytes.
     */
    uint64_t size_bytes;
    /**
     * Tokens without the blank.
     */
    uint32_t vocab_size;
    /**
     * Duration of an encoder frame in microseconds.
     */
    uint32_t frame_us;
    /**
     * Chunk durations to choose from in milliseconds, ascending.
     */
    const uint32_t *chunks_ms;
    /**
     * Number of `chunks_ms`.
     */
    size_t chunks_len;
    /**
     * The chunk of a stream that does not choose, in milliseconds.
     */
    uint32_t default_chunk_ms;
    /**
     * Left context of the attention in encoder frames.
     */
    uint32_t left_context_frames;
    /**
     * Whether the model has a speaker network, so that a stream's `speakers` does something: 1 or 0.
     */
    uint32_t speakers;
    /**
     * Zero.
     */
    uint32_t reserved;
} linnet_engine_info_t;

/**
 * A phrase that is expected. Its layout stays as it is for an ABI version.
 */
typedef struct linnet_hotword_t {
    /**
     * One or more words, as they are to be written: UTF-8, zero-terminated.
     */
    const char *phrase;
    /**
     * How much likelier each piece of the phrase becomes, natural logarithm: above 0 and at most 20; 0 takes the default,
     * 0.8. Values of 0.5 to 1.5 suit most phrases; from about 2 on the phrase is also heard where it was not said.
     */
    float boost;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * Other spellings of how it sounds, such as "kin wah" for quinoa: UTF-8, zero-terminated. What matches them is
     * written as the phrase. Null where there are none.
     */
    const char *const *sounds_like;
    /**
     * Number of `sounds_like`.
     */
    size_t sounds_like_len;
} linnet_hotword_t;

/**
 * A compiled set of hotwords, for any number of streams and sessions of its engine. Zero is none. Any number of threads
 * may use it at the same time.
 */
typedef uint64_t linnet_hotwords_t;

/**
 * A phrase, or one of its spellings, that is not listened for. Set `size` before the call that fills it. Strings are
 * borrowed from the hotwords.
 */
typedef struct linnet_rejected_hotword_t {
    /**
     * sizeof(linnet_rejected_hotword_t).
     */
    size_t size;
    /**
     * The phrase: UTF-8, zero-terminated.
     */
    const char *phrase;
    /**
     * The spelling that was rejected: the phrase itself, or one of those that it sounds like. Zero-terminated.
     */
    const char *spelling;
    /**
     * Why, in words. Zero-terminated.
     */
    const char *reason;
} linnet_rejected_hotword_t;

/**
 * The state of one audio stream. Zero is none.
 *
 * Any thread may call at any time: calls on one stream take turns, calls on different streams run side by side.
 */
typedef uint64_t linnet_stream_t;

/**
 * A live session. Zero is none. Any thread may call at any time.
 */
typedef uint64_t linnet_live_t;

/**
 * Settings of a grammar. Set `size`, fill the rest with linnet_grammar_config_init, and change what is needed.
 */
typedef struct linnet_grammar_config_t {
    /**
     * sizeof(linnet_grammar_config_t).
     */
    size_t size;
    /**
     * Margin below which an utterance counts as not said in the grammar; -INFINITY rejects none. Default -0.6.
     */
    float rejection;
    /**
     * What each letter of the grammar's words earns, natural logarithm, -100 to 100: more hears more words, 0 only those
     * that the model is sure of. Default 1.
     */
    float letter_reward;
} linnet_grammar_config_t;

/**
 * A compiled grammar, for any number of streams and sessions of its engine. Zero is none. Any number of threads may use
 * it at the same time.
 */
typedef uint64_t linnet_grammar_t;

/**
 * How much an n-gram model counts. Set `size`, fill the rest with linnet_language_model_config_init, and change what is
 * needed.
 */
typedef struct linnet_language_model_config_t {
    /**
     * sizeof(linnet_language_model_config_t).
     */
    size_t size;
    /**
     * Factor of its logarithmic probabilities beside those of the recognizer, 0 to 10. Default 0.2.
     */
    float weight;
    /**
     * What each token earns, natural logarithm, -100 to 100; it makes up for every longer text being less likely.
     * Default 0.8.
     */
    float token_reward;
} linnet_language_model_config_t;

/**
 * An n-gram model, for any number of streams and sessions of its engine: `language_model` of linnet_stream_config_t.
 * Zero is none. Any number of threads may use it at the same time.
 */
typedef uint64_t linnet_language_model_t;

/**
 * Words that are written for others. Its layout stays as it is for an ABI version.
 */
typedef struct linnet_replacement_t {
    /**
     * What is said, in lower case: UTF-8, zero-terminated.
     */
    const char *said;
    /**
     * What is written for it; empty for nothing. UTF-8, zero-terminated.
     */
    const char *written;
} linnet_replacement_t;

/**
 * How words are written. Set `size`, fill the rest with linnet_format_config_init, and change what is needed.
 *
 * The recognizer's own words (`text` of an event) stay as they are; what is set here shows in `written`.
 */
typedef struct linnet_format_config_t {
    /**
     * sizeof(linnet_format_config_t).
     */
    size_t size;
    /**
     * Whether numbers are written in digits, "twenty five" as 25: 1 or 0. Default 0.
     */
    uint32_t numerals;
    /**
     * Also money, times, dates, telephone numbers, units, spelled letters and sites: 1 or 0. Default 0.
     */
    uint32_t smart;
    /**
     * Capitals where English wants them, and a full stop where a pause ended an utterance: 1 or 0. Default 0.
     */
    uint32_t punctuate;
    /**
     * Whether profane words are written as `****`: 1 or 0. Default 0.
     */
    uint32_t profanity_filter;
    /**
     * Numbers to hide: the sum of LINNET_REDACT_ constants. Default 0.
     */
    uint32_t redact;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * Words to write instead of others. Default null.
     */
    const struct linnet_replacement_t *replacements;
    /**
     * Number of `replacements`. Default 0.
     */
    size_t replacements_len;
} linnet_format_config_t;

/**
 * Settings of one stream. Set `size`, fill the rest with linnet_stream_config_init, and change what is needed.
 */
typedef struct linnet_stream_config_t {
    /**
     * sizeof(linnet_stream_config_t).
     */
    size_t size;
    /**
     * Samples per second and channel that are pushed: 8000 to 192000. Default 16000.
     */
    uint32_t sample_rate_hz;
    /**
     * Interleaved channels that are pushed; they are mixed down to one. Default 1.
     */
    uint32_t channels;
    /**
     * Audio per step of the encoder, in milliseconds: rounded to the nearest that the model was trained with; 0 takes
     * the model's default. Longer chunks are more accurate and cheaper, and later. Default 0.
     */
    uint32_t chunk_ms;
    /**
     * Whether interim events are made: 1 or 0. Default 1.
     */
    uint32_t interim_results;
    /**
     * Least stream time between two interim events, in milliseconds. Default 100.
     */
    uint32_t interim_interval_ms;
    /**
     * Trailing silence after a word that ends the utterance with a final event, in milliseconds; 0 ends it only at
     * linnet_stream_finalize and linnet_stream_finish. Default 800.
     */
    uint32_t endpoint_ms;
    /**
     * Longest utterance in milliseconds: a final event is made at the next pause between words after it; 0 sets no
     * limit. Default 30000.
     */
    uint32_t max_utterance_ms;
    /**
     * Most tokens that one encoder frame may emit: 1 to 64. Default 5.
     */
    uint32_t max_symbols_per_frame;
    /**
     * Whether the model may shorten the silence of `endpoint_ms` to 0.4 or lengthen it to 1.8 of its length: 1 or 0.
     * Default 1.
     */
    uint32_t adaptive_endpointing;
    /**
     * Least silence after words that something is likely to follow, in milliseconds. Default 1200.
     */
    uint32_t unfinished_ms;
    /**
     * Gap between words that ends the utterance, whatever is heard in it, in milliseconds; 0 for never. Default 0.
     */
    uint32_t utterance_end_ms;
    /**
     * Whether the encoder rests in silence: 1 or 0. Default 1.
     */
    uint32_t gate;
    /**
     * Hypotheses that the search follows, 1 to 64: 1 is greedy search; more are more accurate and cost more. A grammar
     * takes 32 at least, the first of two passes four at the most. Default 32.
     */
    uint32_t beam_width;
    /**
     * Most other hypotheses that a final tells of, 0 to 64; they come from the beam. Default 0.
     */
    uint32_t alternatives;
    /**
     * What to listen for; zero for nothing in particular. Default 0.
     */
    linnet_hotwords_t hotwords;
    /**
     * What can be said; zero for anything. Default 0.
     */
    linnet_grammar_t grammar;
    /**
     * How words are written; null for as the model spells them. Default null.
     */
    const struct linnet_format_config_t *format;
    /**
     * Most speakers that are told apart, 1 to 16, to label words with who says them (`speaker` of linnet_word_t); 0
     * labels none. Naming a number that is known makes fewer errors. Needs a model with a speaker network
     * (linnet_engine_info_t), and does nothing without. Default 0.
     */
    uint32_t speakers;
    /**
     * Cosine between voices below which they are two people's, above 0 and at most 1, where lower makes fewer speakers;
     * 0 takes the one that the model was measured with. Default 0.
     */
    float speaker_threshold;
    /**
     * Which texts are likely; zero for the language model in the model file, LINNET_NO_LANGUAGE_MODEL for none. It is heard
     * by a beam of at least 2, without a grammar. Default 0.
     */
    linnet_language_model_t language_model;
    /**
     * Whether a second pass in the longest chunks, behind the first, corrects what that has heard, so that finals are as
     * right as with the longest chunk and interims as early as with `chunk_ms`, for 1.5 times the work: 1 or 0. Default 1.
     */
    uint32_t second_pass;
} linnet_stream_config_t;

/**
 * When utterances end. Set `size`, fill the rest with linnet_policy_init, and change what is needed.
 *
 * Three rules, of which the first that applies ends the utterance: silence (`endpoint_ms`), a gap between words
 * (`utterance_end_ms`), and length (`max_utterance_ms`).
 */
typedef struct linnet_policy_t {
    /**
     * sizeof(linnet_policy_t).
     */
    size_t size;
    /**
     * Silence after speech that ends the utterance, in milliseconds; 0 for never.
     */
    uint32_t endpoint_ms;
    /**
     * Whether the model may shorten that silence to 0.4 or lengthen it to 1.8 of its length, by how finished the
     * utterance sounds: 1 or 0.
     */
    uint32_t adaptive;
    /**
     * Least silence after words that something is likely to follow ("with", "the", a number), in milliseconds. English
     * models only.
     */
    uint32_t unfinished_ms;
    /**
     * Gap between words that ends the utterance, whatever is heard in it, in milliseconds; 0 for never.
     */
    uint32_t utterance_end_ms;
    /**
     * Longest utterance in milliseconds: a final event is made at the next pause between words after it; 0 sets no
     * limit.
     */
    uint32_t max_utterance_ms;
    /**
     * Zero.
     */
    uint32_t reserved;
} linnet_policy_t;

/**
 * One word of an event. Its layout stays as it is for an ABI version.
 */
typedef struct linnet_word_t {
    /**
     * UTF-8, zero-terminated. Borrowed as the event is.
     */
    const char *text;
    /**
     * Bytes of `text` without the zero.
     */
    size_t text_len;
    /**
     * Where it starts in the stream.
     */
    uint64_t start_ms;
    /**
     * Where it ends in the stream.
     */
    uint64_t end_ms;
    /**
     * Probability that the word is right, 0 to 1.
     */
    float confidence;
    /**
     * Who says it, as a number from 1; 0 where the stream does not tell speakers apart (`speakers` of
     * linnet_stream_config_t), or can't yet. It may change until the event's `end_ms` is 2 s behind the word, and not
     * any more then, nor in a final. Of a written word: who says the first of the words that it stands for.
     */
    uint32_t speaker;
} linnet_word_t;

/**
 * A slot of a grammar that an utterance filled. Its layout stays as it is for an ABI version.
 */
typedef struct linnet_slot_t {
    /**
     * Name of the slot: UTF-8, zero-terminated. Borrowed as the event is.
     */
    const char *name;
    /**
     * Value of its tag in the grammar, or the words that were said: UTF-8, zero-terminated. Borrowed as the event is.
     */
    const char *value;
    /**
     * Where it starts in the stream.
     */
    uint64_t start_ms;
    /**
     * Where it ends in the stream.
     */
    uint64_t end_ms;
    /**
     * How sure the value is among all readings in the grammar, 0 to 1.
     */
    float confidence;
    /**
     * Zero.
     */
    uint32_t reserved;
} linnet_slot_t;

/**
 * Another hypothesis of a finished utterance. Its layout stays as it is for an ABI version.
 */
typedef struct linnet_alternative_t {
    /**
     * Its words: UTF-8, zero-terminated. Borrowed as the event is.
     */
    const char *text;
    /**
     * Bytes of `text` without the zero.
     */
    size_t text_len;
    /**
     * Logarithm of its probability relative to the others.
     */
    float score;
    /**
     * Zero.
     */
    uint32_t reserved;
} linnet_alternative_t;

/**
 * Something that happened in a stream, or a transcript. Set `size` before the call that fills it.
 *
 * Times are positions in the stream's audio, zero at its first sample. `text` and `words` are borrowed: for how long
 * says the function that fills the event.
 */
typedef struct linnet_event_t {
    /**
     * sizeof(linnet_event_t).
     */
    size_t size;
    /**
     * What the event tells.
     */
    linnet_event_kind_t kind;
    /**
     * Mean confidence of the words, 0 to 1; 0 where there are none.
     */
    float confidence;
    /**
     * Number of this hypothesis among all interims and finals of the stream, from 1; 0 in other events.
     */
    uint64_t sequence;
    /**
     * Of a hypothesis: where the utterance starts. Of other events: see their kind.
     */
    uint64_t start_ms;
    /**
     * Of a hypothesis: up to where audio was taken into account. Of other events: see their kind.
     */
    uint64_t end_ms;
    /**
     * The words, separated by single spaces. UTF-8, zero-terminated, never null.
     */
    const char *text;
    /**
     * Bytes of `text` without the zero.
     */
    size_t text_len;
    /**
     * The words with times and confidences; null where there are none.
     */
    const struct linnet_word_t *words;
    /**
     * Number of `words`.
     */
    size_t words_len;
    /**
     * How many leading words will not change any more in this utterance: all of them in a final.
     */
    size_t confirmed;
    /**
     * Of a final: whether a pause ended the utterance, and not a limit or a request.
     */
    bool speech_final;
    /**
     * Of a final: whether linnet_stream_finalize or linnet_stream_finish made it.
     */
    bool from_finalize;
    /**
     * Of LINNET_EVENT_STATE: the new state; LINNET_STATE_NONE in all others.
     */
    linnet_state_t state;
    /**
     * The words as the stream's format writes them, "twenty five" as 25; the same as `text` where there is no format.
     * UTF-8, zero-terminated, never null.
     */
    const char *written;
    /**
     * Bytes of `written` without the zero.
     */
    size_t written_len;
    /**
     * The written words with times and confidences, of which one may stand for several of `words` and hold spaces; null
     * where there are none.
     */
    const struct linnet_word_t *written_words;
    /**
     * Number of `written_words`.
     */
    size_t written_words_len;
    /**
     * Of a final of a stream with a grammar: the name of the public rule that was said. Null where nothing fits, and
     * where there is no grammar. UTF-8, zero-terminated.
     */
    const char *intent;
    /**
     * The slots that were filled, in the order of the words; null where there are none.
     */
    const struct linnet_slot_t *slots;
    /**
     * Number of `slots`.
     */
    size_t slots_len;
    /**
     * Hypotheses of the whole utterance, what the final says first and then the likeliest, as many as the stream asks for; null
     * where there are none.
     */
    const struct linnet_alternative_t *alternatives;
    /**
     * Number of `alternatives`.
     */
    size_t alternatives_len;
    /**
     * Of a final of a stream with a grammar: how much better the grammar explains the utterance than free speech does,
     * logarithm of a ratio of probabilities for each token. Near 0 when it fits, far below when not.
     */
    float margin;
    /**
     * Whether a grammar was there to interpret the utterance: `margin` and `accepted` mean something.
     */
    bool interpreted;
    /**
     * Whether the utterance counts as said in the grammar. When not, the words are those of free speech, and intent and
     * slots are the best guess: ask again.
     */
    bool accepted;
} linnet_event_t;

/**
 * The distribution of one stage's durations, in microseconds. Its layout stays as it is for an ABI version.
 */
typedef struct linnet_stage_times_t {
    /**
     * Number of times it ran.
     */
    uint64_t count;
    /**
     * Sum of all runs.
     */
    uint64_t total_us;
    /**
     * Median.
     */
    uint64_t p50_us;
    /**
     * 95th percentile.
     */
    uint64_t p95_us;
    /**
     * 99th percentile.
     */
    uint64_t p99_us;
    /**
     * Longest.
     */
    uint64_t max_us;
} linnet_stage_times_t;

/**
 * Counters and times of one stream since it was made; linnet_stream_reset leaves them. Set `size` before the call.
 */
typedef struct linnet_metrics_t {
    /**
     * sizeof(linnet_metrics_t).
     */
    size_t size;
    /**
     * Audio pushed, in milliseconds.
     */
    uint64_t audio_ms;
    /**
     * Chunks that the encoder computed.
     */
    uint64_t chunks;
    /**
     * Encoder frames decoded.
     */
    uint64_t frames;
    /**
     * Tokens emitted.
     */
    uint64_t tokens;
    /**
     * Processing time over audio time: below 1 is faster than real time.
     */
    double real_time_factor;
    /**
     * Conversion to 16 kHz mono and log-mel features, per block of at most 4096 frames pushed.
     */
    struct linnet_stage_times_t features;
    /**
     * One call of the encoder that finished a chunk.
     */
    struct linnet_stage_times_t encoder;
    /**
     * Transducer decoding and transcript of one chunk.
     */
    struct linnet_stage_times_t decode;
    /**
     * A block that finished at least one chunk, whole.
     */
    struct linnet_stage_times_t step;
    /**
     * Audio that the encoder rested in, in milliseconds.
     */
    uint64_t gated_ms;
    /**
     * Samples that were not finite and counted as zero.
     */
    uint64_t bad_samples;
} linnet_metrics_t;

/**
 * What a session calls with each of its events, on a thread of the library. The event and all it points to are
 * borrowed until the function returns. The function may call the library, also to free the session.
 */
typedef void (*linnet_event_callback_t)(void *user_data, const struct linnet_event_t *event);

/**
 * Settings of a live session. Set `size`, fill the rest with linnet_live_config_init, and change what is needed.
 */
typedef struct linnet_live_config_t {
    /**
     * sizeof(linnet_live_config_t).
     */
    size_t size;
    /**
     * LINNET_SOURCE_PUSH (the default) or LINNET_SOURCE_MICROPHONE.
     */
    uint32_t source;
    /**
     * Audio that is kept while the recognizer is busy, in milliseconds: 80 to 600000. What comes when that is full is
     * lost, and told by LINNET_EVENT_GAP. Default 5000.
     */
    uint32_t buffer_ms;
    /**
     * Id of the microphone, or a part of its name: UTF-8, zero-terminated; null for the system's default. Not used with
     * LINNET_SOURCE_PUSH.
     */
    const char *device;
    /**
     * Settings of the recognition; null for the defaults. Rate and channels are those of the pushed audio; a microphone
     * has its own.
     */
    const struct linnet_stream_config_t *stream;
    /**
     * Whether the recognizer's thread asks for real-time priority: 1 or 0. Default 1; where the system refuses,
     * LINNET_EVENT_NOTICE says so.
     */
    uint32_t realtime_priority;
    /**
     * Whether linnet_live_event_fd will be asked for: 1 or 0. Default 0.
     */
    uint32_t event_fd;
    /**
     * Takes the events; null to take them with linnet_live_next. Default null.
     */
    linnet_event_callback_t on_event;
    /**
     * Handed to `on_event` as it is.
     */
    void *user_data;
} linnet_live_config_t;

/**
 * What a live session measured of itself, besides its recognizer. Set `size` before the call.
 */
typedef struct linnet_session_metrics_t {
    /**
     * sizeof(linnet_session_metrics_t).
     */
    size_t size;
    /**
     * From the capture of the last sample of a block until the recognizer took the block.
     */
    struct linnet_stage_times_t queue;
    /**
     * From an event's making until it was handed on to the callback or to linnet_live_next.
     */
    struct linnet_stage_times_t delivery;
    /**
     * From the capture of the audio that brought an event until the event was handed on.
     */
    struct linnet_stage_times_t capture_to_event;
    /**
     * Steps that took longer than the audio of their chunk lasts.
     */
    uint64_t overruns;
    /**
     * Times that chunks were made longer because the recognizer was behind.
     */
    uint64_t longer_chunks;
    /**
     * Audio that was lost because the buffer was full, in milliseconds.
     */
    uint64_t dropped_ms;
    /**
     * Gaps in the stream, for whatever reason.
     */
    uint64_t gaps;
    /**
     * Audio that is missing in them, in milliseconds.
     */
    uint64_t gap_ms;
    /**
     * Glitches that the device reported.
     */
    uint64_t glitches;
    /**
     * Times that a device was lost.
     */
    uint64_t losses;
    /**
     * Attempts to open a device that failed.
     */
    uint64_t failed_attempts;
    /**
     * Times that audio came again after a loss.
     */
    uint64_t recoveries;
    /**
     * Time from the last loss until audio came again, in milliseconds.
     */
    uint64_t last_recovery_ms;
    /**
     * The longest such time, in milliseconds.
     */
    uint64_t longest_recovery_ms;
    /**
     * How much faster (or slower, below zero) the device's clock runs than the session's, in parts per million; NAN
     * before there is enough audio to tell.
     */
    double drift_ppm;
    /**
     * How loud it is now: root mean square of the samples in decibels of full scale, -100 at least.
     */
    float level_rms_db;
    /**
     * Largest magnitude of a sample now, in decibels of full scale, -100 at least.
     */
    float level_peak_db;
} linnet_session_metrics_t;

/**
 * The microphones that were there when it was made. Zero is none. Any number of threads may use it at the same time.
 */
typedef uint64_t linnet_devices_t;

/**
 * A microphone. Set `size` before the call that fills it. Strings are borrowed from the list.
 */
typedef struct linnet_device_t {
    /**
     * sizeof(linnet_device_t).
     */
    size_t size;
    /**
     * What the system calls it, and what `device` of linnet_live_config_t takes: UTF-8, zero-terminated.
     */
    const char *id;
    /**
     * A name for people: UTF-8, zero-terminated.
     */
    const char *name;
} linnet_device_t;

/**
 * The transcript of a recording. Zero is none. Any number of threads may use it at the same time.
 */
typedef uint64_t linnet_transcript_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The ABI version of the library that was loaded: anything but LINNET_ABI_VERSION means that this header belongs to
 * another library.
 *
 * Threads: any.
 */
uint32_t linnet_abi_version(void);

/**
 * The version of the library as "major.minor.patch".
 *
 * Threads: any. Ownership: static.
 */
const char *linnet_version(void);

/**
 * A few words for a status; "unknown status" for a number that is none.
 *
 * Threads: any. Ownership: static.
 */
const char *linnet_status_name(int32_t status);

/**
 * What went wrong in the last call of this thread that failed: a sentence in UTF-8, empty when none has.
 *
 * Threads: each has its own. Ownership: borrowed; valid until the thread's next call that fails.
 */
const char *linnet_last_error(void);

/**
 * Hands the library's messages up to a level (a LINNET_LOG_ constant) to a function, for the whole process; null or
 * LINNET_LOG_OFF for to nobody, as it is at first. When this returns, the function that was set before is not running
 * any more and will not be called again.
 *
 * The function is called on whatever thread has something to say, several at the same time. It may call the library
 * except for this function; what it does there logs nothing.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT when there is no such level, or from within the function;
 * LINNET_ERROR_UNSUPPORTED in a program in Rust that has a logger of its own, which gets the messages then. Threads: any.
 * Ownership: `user_data` must stay good until another function is set.
 */
linnet_status_t linnet_log(linnet_log_callback_t on_message,
                           void *user_data,
                           uint32_t level);

/**
 * Opens a model file (`.linnet`), which is mapped into memory and must not be changed while it is in use.
 *
 * `path` is UTF-8 and ends with a zero. On an error `*engine` is zero.
 *
 * Errors: LINNET_ERROR_MODEL when the file can't be read, is no model, is damaged, or is of a newer format;
 * LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `path` is only read during the call;
 * `*engine` is the caller's, who gives it to linnet_engine_free.
 */
linnet_status_t linnet_engine_open(const char *path, linnet_engine_t *engine);

/**
 * Opens a model held in memory: `len` bytes at `bytes`, of any alignment, which are copied.
 *
 * On an error `*engine` is zero.
 *
 * Errors: as linnet_engine_open; LINNET_ERROR_RESOURCES also when there is no memory for the copy. Threads: any.
 * Ownership: `bytes` are only read during the call; `*engine` is the caller's, who gives it to linnet_engine_free.
 */
linnet_status_t linnet_engine_open_memory(const uint8_t *bytes, size_t len, linnet_engine_t *engine);

/**
 * Gives an engine back. Streams made from it go on; the model is unloaded with the last of them. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any, also during other calls with the
 * same handle, which end as if it were still there.
 */
linnet_status_t linnet_engine_free(linnet_engine_t engine);

/**
 * Fills `info` with facts about the model.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: what `info` points to
 * is borrowed; valid until linnet_engine_free.
 */
linnet_status_t linnet_engine_info(linnet_engine_t engine, struct linnet_engine_info_t *info);

/**
 * Compiles `len` hotwords. Those that can't be listened for are left out; linnet_hotwords_rejected tells which, and why.
 * On an error `*hotwords` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when a pointer is bad, or a string is not UTF-8;
 * LINNET_ERROR_RESOURCES. Threads: any. Ownership: `phrases` and what they point to are only read during the call;
 * `*hotwords` is the caller's, who gives it to linnet_hotwords_free.
 */
linnet_status_t linnet_hotwords_new(linnet_engine_t engine,
                                    const struct linnet_hotword_t *phrases,
                                    size_t len,
                                    linnet_hotwords_t *hotwords);

/**
 * Tells in `*len` how many spellings of the hotwords were rejected.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
 */
linnet_status_t linnet_hotwords_rejected_len(linnet_hotwords_t hotwords, size_t *len);

/**
 * Fills `rejected` with one of the spellings that were rejected: `index` counts from 0.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also when there are not so many. Threads: any.
 * Ownership: `rejected` is the caller's; its strings are borrowed, valid until linnet_hotwords_free.
 */
linnet_status_t linnet_hotwords_rejected(linnet_hotwords_t hotwords,
                                         size_t index,
                                         struct linnet_rejected_hotword_t *rejected);

/**
 * Gives hotwords back. Streams and sessions that listen for them go on to do so. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when they were freed before. Threads: any.
 */
linnet_status_t linnet_hotwords_free(linnet_hotwords_t hotwords);

/**
 * Listens for other hotwords from the next chunk on; zero for none. A match that has begun with the old ones is
 * forgotten.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the hotwords are of another engine. Threads:
 * any. Ownership: `hotwords` stays the caller's, who may free it at once.
 */
linnet_status_t linnet_stream_set_hotwords(linnet_stream_t stream, linnet_hotwords_t hotwords);

/**
 * Listens for other hotwords in a session, from the audio that comes next on; otherwise as linnet_stream_set_hotwords.
 *
 * Errors: as linnet_stream_set_hotwords. Threads: any. Ownership: as linnet_stream_set_hotwords.
 */
linnet_status_t linnet_live_set_hotwords(linnet_live_t live, linnet_hotwords_t hotwords);

/**
 * Fills `config` with the defaults. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
 */
linnet_status_t linnet_grammar_config_init(struct linnet_grammar_config_t *config);

/**
 * Compiles a grammar of what can be said: a subset of JSGF, UTF-8, zero-terminated. `config` may be null, for the
 * defaults. On an error `*grammar` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the source is no grammar, is too large, or has
 * a word that the model can't write: linnet_last_error tells where; LINNET_ERROR_UNSUPPORTED; LINNET_ERROR_RESOURCES.
 * Threads: any. Ownership: `source` and `config` are only read during the call; `*grammar` is the caller's, who gives it
 * to linnet_grammar_free.
 */
linnet_status_t linnet_grammar_new(linnet_engine_t engine,
                                   const char *source,
                                   const struct linnet_grammar_config_t *config,
                                   linnet_grammar_t *grammar);

/**
 * Gives a grammar back. Streams and sessions that keep to it go on to do so. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
 */
linnet_status_t linnet_grammar_free(linnet_grammar_t grammar);

/**
 * Keeps to another grammar, or with zero to none: at once when no word of an utterance was heard yet, else from the next
 * utterance on. Finals then have `intent` and `slots`.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the grammar is of another engine. Threads:
 * any. Ownership: `grammar` stays the caller's, who may free it at once.
 */
linnet_status_t linnet_stream_set_grammar(linnet_stream_t stream,
                                          linnet_grammar_t grammar);

/**
 * Keeps to another grammar in a session, from the audio that comes next on; otherwise as linnet_stream_set_grammar.
 *
 * Errors: as linnet_stream_set_grammar. Threads: any. Ownership: as linnet_stream_set_grammar.
 */
linnet_status_t linnet_live_set_grammar(linnet_live_t live, linnet_grammar_t grammar);

/**
 * Fills `config` with the defaults. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
 */
linnet_status_t linnet_language_model_config_init(struct linnet_language_model_config_t *config);

/**
 * Reads an n-gram model from a file, in the ARPA format or compact, whose words are the pieces of the engine's model:
 * `linnet lm` makes one of a text. `config` may be null: then it counts as much as the file says, or as the defaults do
 * when it is an ARPA file. `path` is UTF-8 and ends with a zero. On an error `*language_model` is zero.
 *
 * Errors: LINNET_ERROR_MODEL when the file can't be read, is none of both, or has other pieces than the engine's model:
 * linnet_last_error tells where; LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_UNSUPPORTED;
 * LINNET_ERROR_RESOURCES. Threads: any. Ownership: `path` and `config` are only read during the call, and nothing of the
 * file is needed after it; `*language_model` is the caller's, who gives it to linnet_language_model_free.
 */
linnet_status_t linnet_language_model_open(linnet_engine_t engine,
                                           const char *path,
                                           const struct linnet_language_model_config_t *config,
                                           linnet_language_model_t *language_model);

/**
 * Reads an n-gram model from memory: `len` bytes of such a file; otherwise as linnet_language_model_open.
 *
 * Errors: as linnet_language_model_open. Threads: any. Ownership: `text` is only read during the call; otherwise as
 * linnet_language_model_open.
 */
linnet_status_t linnet_language_model_open_memory(linnet_engine_t engine,
                                                  const char *text,
                                                  size_t len,
                                                  const struct linnet_language_model_config_t *config,
                                                  linnet_language_model_t *language_model);

/**
 * Gives a language model back. Streams and sessions that follow it go on to do so. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
 */
linnet_status_t linnet_language_model_free(linnet_language_model_t language_model);

/**
 * Fills `config` with the defaults. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
 */
linnet_status_t linnet_format_config_init(struct linnet_format_config_t *config);

/**
 * Changes how words are written, from the next interim or final on. `config` may be null, for as the model spells them.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT, LINNET_ERROR_UNSUPPORTED. Threads: any.
 * Ownership: `config` and what it points to are only read during the call.
 */
linnet_status_t linnet_stream_set_format(linnet_stream_t stream, const struct linnet_format_config_t *config);

/**
 * Changes how the words of a session are written, from the audio that comes next on; otherwise as
 * linnet_stream_set_format.
 *
 * Errors: as linnet_stream_set_format. Threads: any. Ownership: as linnet_stream_set_format.
 */
linnet_status_t linnet_live_set_format(linnet_live_t live, const struct linnet_format_config_t *config);

/**
 * Fills `config` with the defaults. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
 */
linnet_status_t linnet_stream_config_init(struct linnet_stream_config_t *config);

/**
 * Fills `policy` with a preset: a LINNET_PRESET_ constant. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `policy` is the caller's.
 */
linnet_status_t linnet_policy_init(struct linnet_policy_t *policy, uint32_t preset);

/**
 * Changes when utterances end, also the running one. `policy` may be null, for the default one.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT, LINNET_ERROR_UNSUPPORTED. Threads: any.
 * Ownership: `policy` is only read during the call.
 */
linnet_status_t linnet_stream_set_policy(linnet_stream_t stream, const struct linnet_policy_t *policy);

/**
 * Fills `policy` with what ends the utterances of the stream. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `policy` is the
 * caller's.
 */
linnet_status_t linnet_stream_policy(linnet_stream_t stream, struct linnet_policy_t *policy);

/**
 * Changes when the utterances of a session end, from the audio that comes next on; otherwise as
 * linnet_stream_set_policy.
 *
 * Errors: as linnet_stream_set_policy. Threads: any. Ownership: `policy` is only read during the call.
 */
linnet_status_t linnet_live_set_policy(linnet_live_t live, const struct linnet_policy_t *policy);

/**
 * Makes a stream. `config` may be null, for the defaults. On an error `*stream` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the rate or the number of
 * channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED when a field is set that the library does not
 * have; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `config` and what it points to are only read during the call;
 * `*stream` is the caller's, who gives it to linnet_stream_free.
 */
linnet_status_t linnet_stream_new(linnet_engine_t engine,
                                  const struct linnet_stream_config_t *config,
                                  linnet_stream_t *stream);

/**
 * Gives a stream back, and drops audio and events that it holds. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any. A call that another thread is in
 * ends as if the stream were still there, and its memory is freed then; this function does not wait for it.
 */
linnet_status_t linnet_stream_free(linnet_stream_t stream);

/**
 * Takes `frames` frames of interleaved samples in -1..1 (`frames` times the channels of the configuration in all), and
 * computes every chunk that is complete: the call takes as long as that. Poll after it.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT when `samples` is null or misaligned, when `frames` is more than memory holds,
 * or when a sample is not finite: nothing is taken then; LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_FINISHED. Threads:
 * any. Ownership: `samples` are only read during the call.
 */
linnet_status_t linnet_stream_push_f32(linnet_stream_t stream, const float *samples, size_t frames);

/**
 * Takes 16-bit samples, otherwise as linnet_stream_push_f32.
 *
 * Errors: as linnet_stream_push_f32. Threads: any. Ownership: `samples` are only read during the call.
 */
linnet_status_t linnet_stream_push_i16(linnet_stream_t stream, const int16_t *samples, size_t frames);

/**
 * Fills `event` with the oldest event that was not polled yet; its kind is LINNET_EVENT_NONE when there is none until
 * the next push. Never waits for audio. An interim that was not polled is replaced by a newer one; nothing else is
 * dropped.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any; where several poll, each event goes
 * to one of them, and only one at a time may use what it got. Ownership: `event` is the caller's; its text and words
 * are borrowed, valid until the next call with this stream by any thread.
 */
linnet_status_t linnet_stream_poll(linnet_stream_t stream, struct linnet_event_t *event);

/**
 * Recognizes all audio pushed so far to its last sample and makes a final event of it. The stream goes on: the next
 * push continues at the same position with a fresh state.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_FINISHED. Threads: any.
 */
linnet_status_t linnet_stream_finalize(linnet_stream_t stream);

/**
 * Ends the stream: linnet_stream_finalize, after which pushing and finalizing fail until linnet_stream_reset.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_FINISHED. Threads: any.
 */
linnet_status_t linnet_stream_finish(linnet_stream_t stream);

/**
 * Starts anew at position zero in the same storage: audio and events that the stream holds are dropped.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE. Threads: any.
 */
linnet_status_t linnet_stream_reset(linnet_stream_t stream);

/**
 * Changes the audio per step of the encoder from the next chunk on, to the nearest that the model was trained with.
 * `chunk_ms` is in milliseconds and at least 1.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
 */
linnet_status_t linnet_stream_set_chunk_ms(linnet_stream_t stream, uint32_t chunk_ms);

/**
 * Tells the audio per step of the encoder in `*chunk_ms`, in milliseconds.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
 */
linnet_status_t linnet_stream_chunk_ms(linnet_stream_t stream, uint32_t *chunk_ms);

/**
 * Tells in `*position_ms` up to where audio was pushed, in milliseconds since the stream began.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
 */
linnet_status_t linnet_stream_position_ms(linnet_stream_t stream, uint64_t *position_ms);

/**
 * Fills `metrics` with the counters and times of the stream since it was made.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `metrics` is the
 * caller's.
 */
linnet_status_t linnet_stream_metrics(linnet_stream_t stream, struct linnet_metrics_t *metrics);

/**
 * Fills `config` with the defaults. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
 */
linnet_status_t linnet_live_config_init(struct linnet_live_config_t *config);

/**
 * Starts a session: from now on audio is recognized on a thread of the library. `config` may be null, for the defaults.
 * A microphone is opened in the background; whether that works comes as an event. On an error `*live` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the rate or the number of
 * channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED when a field is set that the library does not
 * have, and for a microphone in a library built without capture; LINNET_ERROR_RESOURCES. Threads: any. Ownership:
 * `config` and what it points to are only read during the call; `user_data` must stay good until linnet_live_free has
 * returned, or the callback that called it; `*live` is the caller's, who gives it to linnet_live_free.
 */
linnet_status_t linnet_live_start(linnet_engine_t engine,
                                  const struct linnet_live_config_t *config,
                                  linnet_live_t *live);

/**
 * Takes `frames` frames of interleaved samples in -1..1, at the rate and channels of the session. May be called from an
 * audio callback: the samples are copied into a buffer that is allocated already, nothing is computed and nobody is
 * waited for, as long as one thread pushes and no session is started or freed at the same moment. Samples that are not
 * finite count as zero. When the buffer is full, audio is lost and told by LINNET_EVENT_GAP.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also for a session of a microphone;
 * LINNET_ERROR_FINISHED after linnet_live_stop. Threads: any. Ownership: `samples` are only read during the call.
 */
linnet_status_t linnet_live_push_f32(linnet_live_t live, const float *samples, size_t frames);

/**
 * Takes 16-bit samples, otherwise as linnet_live_push_f32.
 *
 * Errors: as linnet_live_push_f32. Threads: any. Ownership: `samples` are only read during the call.
 */
linnet_status_t linnet_live_push_i16(linnet_live_t live, const int16_t *samples, size_t frames);

/**
 * Waits up to `timeout_ms` milliseconds (0: not at all) for the next event and fills `event` with it; its kind is
 * LINNET_EVENT_NONE when none came. Events come in order; an interim that was not taken in time is replaced by a newer
 * one. The last event of a session is LINNET_EVENT_STATE with LINNET_STATE_STOPPED.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also for a session with a callback. Threads: any;
 * where several take events, each goes to one of them, and only one at a time may use what it got. Ownership: `event`
 * is the caller's; what it points to is borrowed, valid until linnet_live_next or linnet_live_free of this session.
 */
linnet_status_t linnet_live_next(linnet_live_t live, struct linnet_event_t *event, uint32_t timeout_ms);

/**
 * Tells in `*fd` a file descriptor that is readable while an event waits for linnet_live_next, for event loops (poll,
 * epoll, kqueue, libuv). It is there when the session was started with `event_fd`. The host neither reads nor closes it.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT when the session was not started with `event_fd`;
 * LINNET_ERROR_UNSUPPORTED on systems without file descriptors. Threads: any. Ownership: borrowed, valid until
 * linnet_live_free.
 */
linnet_status_t linnet_live_event_fd(linnet_live_t live,
                                     int32_t *fd);

/**
 * Makes a final of what has been said so far, without a pause. It comes as an event.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE. Threads: any.
 */
linnet_status_t linnet_live_finalize(linnet_live_t live);

/**
 * Ends the audio: what was captured or pushed is recognized, and LINNET_EVENT_STATE with LINNET_STATE_STOPPED comes as
 * the last event. Does nothing the second time.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE. Threads: any.
 */
linnet_status_t linnet_live_stop(linnet_live_t live);

/**
 * Tells the session's state in `*state`: it may be ahead of the events.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
 */
linnet_status_t linnet_live_state(linnet_live_t live, linnet_state_t *state);

/**
 * Fills `metrics` with counters and times of the recognizer, up to a quarter of a second old.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `metrics` is the
 * caller's.
 */
linnet_status_t linnet_live_metrics(linnet_live_t live, struct linnet_metrics_t *metrics);

/**
 * Fills `metrics` with what the session measured of itself: queues, latency, gaps, losses and how loud it is.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `metrics` is the
 * caller's.
 */
linnet_status_t linnet_live_session_metrics(linnet_live_t live, struct linnet_session_metrics_t *metrics);

/**
 * Ends a session at once and gives it back: audio and events that it holds are dropped. No callback runs after it has
 * returned, unless a callback called it: then that one is the last. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
 */
linnet_status_t linnet_live_free(linnet_live_t live);

/**
 * Lists the microphones of the system. They are not opened to find out whether they work. On an error `*devices` is
 * zero.
 *
 * Errors: LINNET_ERROR_UNSUPPORTED by a library built without capture; LINNET_ERROR_AUDIO when there is no sound
 * system; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `*devices` is the caller's,
 * who gives it to linnet_devices_free.
 */
linnet_status_t linnet_devices_list(linnet_devices_t *devices);

/**
 * Tells in `*len` how many microphones a list has.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any.
 */
linnet_status_t linnet_devices_len(linnet_devices_t devices, size_t *len);

/**
 * Fills `device` with one of the list's microphones: `index` counts from 0.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT, also when there are not so many. Threads: any.
 * Ownership: `device` is the caller's; its strings are borrowed, valid until linnet_devices_free.
 */
linnet_status_t linnet_devices_get(linnet_devices_t devices, size_t index, struct linnet_device_t *device);

/**
 * Gives a list back. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
 */
linnet_status_t linnet_devices_free(linnet_devices_t devices);

/**
 * Recognizes a whole recording: `frames` frames of interleaved samples in -1..1 with `sample_rate_hz` frames per
 * second. On an error `*transcript` is zero.
 *
 * `config` may be null. Of it a recording takes `chunk_ms` (of which 0 is the longest here), `max_symbols_per_frame`,
 * `beam_width`, `alternatives`, `hotwords`, `grammar`, `language_model`, `format`, `speakers`, `speaker_threshold` and
 * `second_pass`; rate and channels are those of the arguments, and nothing ends its one utterance early.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT as linnet_stream_push_f32 and linnet_stream_new;
 * LINNET_ERROR_AUDIO when the rate or the number of channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED;
 * LINNET_ERROR_RESOURCES. Threads: any; calls run side by side. Ownership: `samples`, `config` and what it points to are
 * only read during the call; `*transcript` is the caller's, who gives it to linnet_transcript_free.
 */
linnet_status_t linnet_transcribe_f32(linnet_engine_t engine,
                                      const float *samples,
                                      size_t frames,
                                      uint32_t sample_rate_hz,
                                      uint32_t channels,
                                      const struct linnet_stream_config_t *config,
                                      linnet_transcript_t *transcript);

/**
 * Recognizes a whole recording of 16-bit samples, otherwise as linnet_transcribe_f32.
 *
 * Errors: as linnet_transcribe_f32. Threads: any; calls run side by side. Ownership: as linnet_transcribe_f32.
 */
linnet_status_t linnet_transcribe_i16(linnet_engine_t engine,
                                      const int16_t *samples,
                                      size_t frames,
                                      uint32_t sample_rate_hz,
                                      uint32_t channels,
                                      const struct linnet_stream_config_t *config,
                                      linnet_transcript_t *transcript);

/**
 * Recognizes an audio file, which is read piece by piece: WAV, and unless the library was built without them also FLAC,
 * MP3 and Ogg Vorbis. `path` is UTF-8 and ends with a zero; `config` is as for linnet_transcribe_f32. On an error
 * `*transcript` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the file can't be read or
 * converted, also when its format is not built in; LINNET_ERROR_RESOURCES. Threads: any; calls run side by side.
 * Ownership: `path`, `config` and what it points to are only read during the call; `*transcript` is the caller's, who
 * gives it to linnet_transcript_free.
 */
linnet_status_t linnet_transcribe_file(linnet_engine_t engine,
                                       const char *path,
                                       const struct linnet_stream_config_t *config,
                                       linnet_transcript_t *transcript);

/**
 * Fills `event` with the transcript: an event of kind LINNET_EVENT_FINAL with the words of the whole recording.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `event` is the caller's;
 * its text and words are borrowed, valid until linnet_transcript_free.
 */
linnet_status_t linnet_transcript_get(linnet_transcript_t transcript, struct linnet_event_t *event);

/**
 * Gives a transcript back, with all that was borrowed from it. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
 */
linnet_status_t linnet_transcript_free(linnet_transcript_t transcript);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LINNET_H */
