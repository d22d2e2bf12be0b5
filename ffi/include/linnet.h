/* Linnet: embedded streaming speech recognition. The C ABI.
 *
 * An engine is an opened model; a stream is the state of one audio stream, which the host drives; a live session is one
 * that the library drives on threads of its own; a transcript is what a whole recording said. Each is a handle: a number, zero when there is none. A handle that was freed, is of another kind, or never was one is
 * recognized, and the call returns LINNET_ERROR_INVALID_HANDLE.
 *
 * Calls return a status; linnet_last_error tells in words what failed last in this thread. Nothing unwinds or longjmps
 * out of the library: a defect is returned as LINNET_ERROR_INTERNAL, except by a library built with panic=abort (the
 * profile `embedded`), where it ends the process.
 *
 * Any function may be called by any thread at any time. Calls on one stream take turns; all others run side by side. Only
 * live sessions have threads of the library, and only they call back, where the host gave them a function.
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

/**
 * Version of the ABI that this header describes. It changes only when a program has to be compiled again; functions
 * and trailing fields of structs may be added without.
 */
#define LINNET_ABI_VERSION 1

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
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
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
#if __STDC_VERSION__ >= 202311L
typedef enum linnet_status_t linnet_status_t;
#else
typedef int32_t linnet_status_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an event tells.
 */
enum linnet_event_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
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
     * The words of the running utterance so far. The first `confirmed` of them don't change any more.
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
#if __STDC_VERSION__ >= 202311L
typedef enum linnet_event_kind_t linnet_event_kind_t;
#else
typedef int32_t linnet_event_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The state of a live session.
 */
enum linnet_state_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
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
#if __STDC_VERSION__ >= 202311L
typedef enum linnet_state_t linnet_state_t;
#else
typedef int32_t linnet_state_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

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
} linnet_engine_info_t;

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
} linnet_stream_config_t;

/**
 * The state of one audio stream. Zero is none.
 *
 * Any thread may call at any time: calls on one stream take turns, calls on different streams run side by side.
 */
typedef uint64_t linnet_stream_t;

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
     * Zero.
     */
    uint32_t reserved;
} linnet_word_t;

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
     * Name of the microphone in UTF-8, zero-terminated; null for the system's default. Not used with
     * LINNET_SOURCE_PUSH.
     */
    const char *device;
    /**
     * Settings of the recognition. Rate and channels are those of the pushed audio; a microphone has its own.
     */
    struct linnet_stream_config_t stream;
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
 * A live session. Zero is none. Any thread may call at any time.
 */
typedef uint64_t linnet_live_t;

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
 * Fills `config` with the defaults. Its `size` field is set by the caller.
 *
 * Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `config` is the caller's.
 */
linnet_status_t linnet_stream_config_init(struct linnet_stream_config_t *config);

/**
 * Makes a stream. `config` may be null, for the defaults. On an error `*stream` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the rate or the number of
 * channels is not one that can be converted; LINNET_ERROR_UNSUPPORTED when a field is set that the library does not
 * have; LINNET_ERROR_RESOURCES. Threads: any. Ownership: `config` is only read during the call; `*stream` is the
 * caller's, who gives it to linnet_stream_free.
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
 * `config` and the device's name are only read during the call; `user_data` must stay good until linnet_live_free has
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
 * is the caller's; what it points to is borrowed, valid until the next call with this session.
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
 * Ends a session at once and gives it back: audio and events that it holds are dropped. No callback runs after it has
 * returned, unless a callback called it: then that one is the last. Zero does nothing.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE, also when it was freed before. Threads: any.
 */
linnet_status_t linnet_live_free(linnet_live_t live);

/**
 * Recognizes a whole recording: `frames` frames of interleaved samples in -1..1 with `sample_rate_hz` frames per
 * second. On an error `*transcript` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT as linnet_stream_push_f32; LINNET_ERROR_AUDIO when
 * the rate or the number of channels is not one that can be converted; LINNET_ERROR_RESOURCES. Threads: any; calls run
 * side by side. Ownership: `samples` are only read during the call; `*transcript` is the caller's, who gives it to
 * linnet_transcript_free.
 */
linnet_status_t linnet_transcribe_f32(linnet_engine_t engine,
                                      const float *samples,
                                      size_t frames,
                                      uint32_t sample_rate_hz,
                                      uint32_t channels,
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
                                      linnet_transcript_t *transcript);

/**
 * Recognizes an audio file, which is read piece by piece: WAV, and unless the library was built without them also FLAC,
 * MP3 and Ogg Vorbis. `path` is UTF-8 and ends with a zero. On an error `*transcript` is zero.
 *
 * Errors: LINNET_ERROR_INVALID_HANDLE; LINNET_ERROR_INVALID_ARGUMENT; LINNET_ERROR_AUDIO when the file can't be read or
 * converted, also when its format is not built in; LINNET_ERROR_RESOURCES. Threads: any; calls run side by side.
 * Ownership: `path` is only read during the call; `*transcript` is the caller's, who gives it to
 * linnet_transcript_free.
 */
linnet_status_t linnet_transcribe_file(linnet_engine_t engine, const char *path, linnet_transcript_t *transcript);

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
