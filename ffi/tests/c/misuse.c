/* misuse MODEL: wrong handles, pointers, sizes and values get an error, and nothing else happens. */
#include "check.h"

#define ARGUMENT LINNET_ERROR_INVALID_ARGUMENT
#define HANDLE LINNET_ERROR_INVALID_HANDLE

static void handles(linnet_engine_t engine) {
    linnet_stream_t stream = new_stream(engine), other = 0;
    linnet_event_t event = {.size = sizeof event};
    const float silence[160] = {0};
    const uint64_t forged[] = {0, 1, 42, UINT64_MAX, (uint64_t)(uintptr_t)&stream, stream + (1u << 8), stream ^ (1ull << 40)};

    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        uint64_t handle = forged[i];
        linnet_engine_info_t info = {.size = sizeof info};
        linnet_metrics_t metrics = {.size = sizeof metrics};
        uint64_t position_ms;
        uint32_t chunk_ms;
        FAILS(linnet_stream_push_f32(handle, silence, 160), HANDLE, "");
        FAILS(linnet_stream_push_i16(handle, (const int16_t *)silence, 160), HANDLE, "");
        FAILS(linnet_stream_poll(handle, &event), HANDLE, "");
        FAILS(linnet_stream_finalize(handle), HANDLE, "");
        FAILS(linnet_stream_finish(handle), HANDLE, "");
        FAILS(linnet_stream_reset(handle), HANDLE, "");
        FAILS(linnet_stream_set_chunk_ms(handle, 80), HANDLE, "");
        FAILS(linnet_stream_chunk_ms(handle, &chunk_ms), HANDLE, "");
        FAILS(linnet_stream_position_ms(handle, &position_ms), HANDLE, "");
        FAILS(linnet_stream_metrics(handle, &metrics), HANDLE, "");
        FAILS(linnet_engine_info(handle, &info), HANDLE, "");
        FAILS(linnet_stream_new(handle, NULL, &other), HANDLE, "");
        FAILS(linnet_transcribe_f32(handle, silence, 160, 16000, 1, NULL, &other), HANDLE, "");
        FAILS(linnet_transcribe_i16(handle, (const int16_t *)silence, 160, 16000, 1, NULL, &other), HANDLE, "");
        FAILS(linnet_transcribe_file(handle, "speech.wav", NULL, &other), HANDLE, "");
        FAILS(linnet_transcript_get(handle, &event), HANDLE, "");
        CHECK(other == 0);
        if (handle != 0) {
            FAILS(linnet_stream_free(handle), HANDLE, "");
            FAILS(linnet_engine_free(handle), HANDLE, "");
            FAILS(linnet_transcript_free(handle), HANDLE, "");
        }
    }
    /* As with free(NULL). */
    OK(linnet_stream_free(0));
    OK(linnet_engine_free(0));
    OK(linnet_transcript_free(0));

    FAILS(linnet_stream_push_f32(engine, silence, 160), HANDLE, "of kind engine");
    FAILS(linnet_engine_free(stream), HANDLE, "of kind stream");
    FAILS(linnet_transcript_free(stream), HANDLE, "of kind stream");

    OK(linnet_stream_free(stream));
    FAILS(linnet_stream_free(stream), HANDLE, "freed");
    FAILS(linnet_stream_poll(stream, &event), HANDLE, "freed");
    other = new_stream(engine);
    CHECK(other != stream);
    FAILS(linnet_stream_push_f32(stream, silence, 160), HANDLE, "freed");
    OK(linnet_stream_push_f32(other, silence, 160));
    OK(linnet_stream_free(other));
}

static void pointers(linnet_engine_t engine) {
    linnet_stream_t stream = new_stream(engine);
    linnet_event_t event[2] = {{.size = sizeof *event}, {.size = sizeof *event}};
    union {
        float samples[161];
        char bytes[161 * sizeof(float)];
    } audio = {{0}};
    const float *odd = (const float *)(const void *)(audio.bytes + 1);
    linnet_transcript_t transcript = 0;
    uint64_t position_ms;

    FAILS(linnet_stream_push_f32(stream, NULL, 1), ARGUMENT, "null");
    FAILS(linnet_stream_push_f32(stream, (const float *)16, 1), ARGUMENT, "not the address");
    FAILS(linnet_stream_push_f32(stream, odd, 160), ARGUMENT, "misaligned");
    FAILS(linnet_stream_push_i16(stream, (const int16_t *)(const void *)odd, 160), ARGUMENT, "misaligned");
    FAILS(linnet_stream_push_f32(stream, audio.samples, SIZE_MAX), ARGUMENT, "memory");
    FAILS(linnet_stream_push_f32(stream, audio.samples, SIZE_MAX / 4), ARGUMENT, "memory");
    FAILS(linnet_stream_push_i16(stream, (const int16_t *)audio.samples, SIZE_MAX / 2), ARGUMENT, "memory");
    OK(linnet_stream_push_f32(stream, NULL, 0));
    OK(linnet_stream_push_i16(stream, NULL, 0));

    const float not_finite[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        audio.samples[i * 70] = not_finite[i];
        FAILS(linnet_stream_push_f32(stream, audio.samples, 160), ARGUMENT, "finite");
        FAILS(linnet_transcribe_f32(engine, audio.samples, 160, 16000, 1, NULL, &transcript), ARGUMENT, "finite");
        audio.samples[i * 70] = 0;
    }
    OK(linnet_stream_position_ms(stream, &position_ms));
    CHECK(position_ms == 0);

    FAILS(linnet_stream_poll(stream, NULL), ARGUMENT, "null");
    FAILS(linnet_stream_poll(stream, (linnet_event_t *)(void *)((char *)event + 4)), ARGUMENT, "misaligned");
    FAILS(linnet_stream_position_ms(stream, NULL), ARGUMENT, "null");
    FAILS(linnet_stream_chunk_ms(stream, NULL), ARGUMENT, "null");
    FAILS(linnet_stream_metrics(stream, NULL), ARGUMENT, "null");
    FAILS(linnet_stream_new(engine, NULL, NULL), ARGUMENT, "null");
    FAILS(linnet_stream_config_init(NULL), ARGUMENT, "null");
    FAILS(linnet_engine_info(engine, NULL), ARGUMENT, "null");
    FAILS(linnet_transcribe_f32(engine, audio.samples, 160, 16000, 1, NULL, NULL), ARGUMENT, "null");
    FAILS(linnet_transcribe_f32(engine, NULL, 160, 16000, 1, NULL, &transcript), ARGUMENT, "null");
    FAILS(linnet_transcribe_i16(engine, NULL, 160, 16000, 1, NULL, &transcript), ARGUMENT, "null");
    FAILS(linnet_transcribe_f32(engine, audio.samples, SIZE_MAX / 2, 16000, 3, NULL, &transcript), ARGUMENT, "memory");
    FAILS(linnet_transcribe_file(engine, NULL, NULL, &transcript), ARGUMENT, "null");
    CHECK(transcript == 0);
    OK(linnet_stream_free(stream));
}

static void structs(linnet_engine_t engine) {
    linnet_stream_t stream = 0;
    linnet_stream_config_t config = {.size = 0};
    FAILS(linnet_stream_config_init(&config), ARGUMENT, "sizeof");
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "sizeof");
    config.size = SIZE_MAX;
    FAILS(linnet_stream_config_init(&config), ARGUMENT, "sizeof");
    config.size = sizeof config;
    OK(linnet_stream_config_init(&config));

    const struct {
        size_t offset;
        uint32_t value;
        linnet_status_t status;
    } bad[] = {
        {offsetof(linnet_stream_config_t, sample_rate_hz), 0, LINNET_ERROR_AUDIO},
        {offsetof(linnet_stream_config_t, sample_rate_hz), 7999, LINNET_ERROR_AUDIO},
        {offsetof(linnet_stream_config_t, sample_rate_hz), UINT32_MAX, LINNET_ERROR_AUDIO},
        {offsetof(linnet_stream_config_t, channels), 0, ARGUMENT},
        {offsetof(linnet_stream_config_t, channels), UINT32_MAX, ARGUMENT},
        {offsetof(linnet_stream_config_t, interim_results), 7, ARGUMENT},
        {offsetof(linnet_stream_config_t, max_symbols_per_frame), 0, ARGUMENT},
        {offsetof(linnet_stream_config_t, max_symbols_per_frame), UINT32_MAX, ARGUMENT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        linnet_stream_config_t wrong = config;
        memcpy((char *)&wrong + bad[i].offset, &bad[i].value, sizeof bad[i].value);
        stream = 1;
        FAILS(linnet_stream_new(engine, &wrong, &stream), bad[i].status, "");
        CHECK(stream == 0);
    }

    /* As a program that was compiled with a newer header does. */
    struct {
        linnet_stream_config_t known;
        uint64_t added_later;
    } newer = {.known = config};
    newer.known.size = sizeof newer;
    OK(linnet_stream_new(engine, &newer.known, &stream));
    OK(linnet_stream_free(stream));
    newer.added_later = 1;
    FAILS(linnet_stream_new(engine, &newer.known, &stream), LINNET_ERROR_UNSUPPORTED, "newer");

    stream = new_stream(engine);
    linnet_event_t event = {.size = 8};
    FAILS(linnet_stream_poll(stream, &event), ARGUMENT, "sizeof");
    FAILS(linnet_stream_set_chunk_ms(stream, 0), ARGUMENT, "chunk_ms");
    OK(linnet_stream_free(stream));
}

static void models(const char *path) {
    linnet_engine_t engine = 1;
    FAILS(linnet_engine_open(NULL, &engine), ARGUMENT, "null");
    CHECK(engine == 0);
    FAILS(linnet_engine_open("", &engine), ARGUMENT, "empty");
    FAILS(linnet_engine_open("\xff\xfe", &engine), ARGUMENT, "UTF-8");
    FAILS(linnet_engine_open("no/such/file.linnet", &engine), LINNET_ERROR_MODEL, "no/such/file.linnet");
    FAILS(linnet_engine_open(path, NULL), ARGUMENT, "null");
    FAILS(linnet_engine_open_memory(NULL, 10, &engine), ARGUMENT, "null");
    FAILS(linnet_engine_open_memory((const uint8_t *)path, SIZE_MAX, &engine), ARGUMENT, "memory");
    FAILS(linnet_engine_open_memory(NULL, 0, &engine), LINNET_ERROR_MODEL, "");
    unsigned char noise[2048];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (unsigned char)(i * 37 + i / 7);
    }
    FAILS(linnet_engine_open_memory(noise, sizeof noise, &engine), LINNET_ERROR_MODEL, "");
    CHECK(engine == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    linnet_engine_t engine = 0;
    models(argv[1]);
    OK(linnet_engine_open(argv[1], &engine));
    handles(engine);
    pointers(engine);
    structs(engine);

    linnet_transcript_t transcript = 1;
    FAILS(linnet_transcribe_file(engine, "no/such/file.wav", NULL, &transcript), LINNET_ERROR_AUDIO, "no/such/file.wav");
    CHECK(transcript == 0);
    OK(linnet_engine_free(engine));
    FAILS(linnet_engine_free(engine), HANDLE, "freed");
    return 0;
}
