/* recognize MODEL AUDIO: the whole surface in the order of a host's life. Prints one line "TEXT" per way to the
 * transcript of AUDIO, a 16 kHz mono 16-bit WAV file with a header of 44 bytes. */
#include "check.h"

static void check_info(linnet_engine_t engine) {
    linnet_engine_info_t info;
    info.size = sizeof info;
    OK(linnet_engine_info(engine, &info));
    CHECK(info.size == sizeof info);
    CHECK(strlen(info.name) > 0 && strlen(info.language) > 0 && strlen(info.isa) > 0);
    CHECK(info.parameters > 0 && info.size_bytes > 0 && info.vocab_size > 0);
    CHECK(info.frame_us > 0 && info.chunks_len > 0 && info.left_context_frames > 0);
    for (size_t i = 1; i < info.chunks_len; i++) {
        CHECK(info.chunks_ms[i - 1] < info.chunks_ms[i]);
    }
    linnet_stream_t stream = new_stream(engine);
    uint32_t chunk_ms = 0;
    OK(linnet_stream_chunk_ms(stream, &chunk_ms));
    CHECK(chunk_ms == info.default_chunk_ms);
    OK(linnet_stream_set_chunk_ms(stream, UINT32_MAX));
    OK(linnet_stream_chunk_ms(stream, &chunk_ms));
    CHECK(chunk_ms == info.chunks_ms[info.chunks_len - 1]);
    OK(linnet_stream_set_chunk_ms(stream, 1));
    OK(linnet_stream_chunk_ms(stream, &chunk_ms));
    CHECK(chunk_ms == info.chunks_ms[0]);
    OK(linnet_stream_free(stream));
}

static void check_hypothesis(const linnet_event_t *event) {
    CHECK(event->text != NULL && strlen(event->text) == event->text_len);
    CHECK(event->confirmed <= event->words_len && event->start_ms <= event->end_ms);
    CHECK(event->confidence >= 0 && event->confidence <= 1);
    CHECK((event->words == NULL) == (event->words_len == 0));
    const char *at = event->text;
    uint64_t last_start_ms = 0;
    for (size_t i = 0; i < event->words_len; i++) {
        const linnet_word_t *word = &event->words[i];
        CHECK(strlen(word->text) == word->text_len && word->text_len > 0);
        CHECK(strncmp(at, word->text, word->text_len) == 0);
        at += word->text_len;
        CHECK(*at == (i + 1 < event->words_len ? ' ' : '\0'));
        at += i + 1 < event->words_len;
        CHECK(last_start_ms <= word->start_ms && word->start_ms <= word->end_ms);
        CHECK(word->confidence >= 0 && word->confidence <= 1);
        last_start_ms = word->start_ms;
    }
}

/* Polls all events; checks them, and appends the finals to `text`, separated by spaces. */
static void drain(linnet_stream_t stream, char *text, size_t room, uint64_t *sequence) {
    linnet_event_t event;
    event.size = sizeof event;
    for (;;) {
        OK(linnet_stream_poll(stream, &event));
        if (event.kind == LINNET_EVENT_NONE) {
            CHECK(event.text_len == 0 && event.words_len == 0 && event.text[0] == '\0');
            return;
        }
        if (event.kind == LINNET_EVENT_INTERIM || event.kind == LINNET_EVENT_FINAL) {
            check_hypothesis(&event);
            CHECK(event.words_len > 0 && event.sequence > *sequence);
            *sequence = event.sequence;
        }
        if (event.kind == LINNET_EVENT_FINAL) {
            CHECK(strlen(text) + event.text_len + 2 < room);
            strcat(strcat(text, text[0] ? " " : ""), event.text);
        }
    }
}

static void stream_it(linnet_engine_t engine, const int16_t *samples, size_t frames) {
    linnet_stream_config_t config;
    config.size = sizeof config;
    OK(linnet_stream_config_init(&config));
    CHECK(config.sample_rate_hz == 16000 && config.channels == 1 && config.endpoint_ms == 800);
    config.chunk_ms = UINT32_MAX;
    config.endpoint_ms = 0;
    config.max_utterance_ms = 0;
    linnet_stream_t stream = 0;
    OK(linnet_stream_new(engine, &config, &stream));

    char text[2][4096] = {"", ""};
    for (int pass = 0; pass < 2; pass++) {
        uint64_t sequence = 0, position_ms = 0;
        for (size_t at = 0; at < frames; at += 1600) {
            size_t count = frames - at < 1600 ? frames - at : 1600;
            if (pass == 0) {
                OK(linnet_stream_push_i16(stream, samples + at, count));
            } else {
                float block[1600];
                for (size_t i = 0; i < count; i++) {
                    block[i] = (float)samples[at + i] / 32768;
                }
                OK(linnet_stream_push_f32(stream, block, count));
            }
            drain(stream, text[pass], sizeof text[pass], &sequence);
        }
        OK(linnet_stream_position_ms(stream, &position_ms));
        CHECK(position_ms == frames * 1000 / 16000);
        OK(linnet_stream_finish(stream));
        drain(stream, text[pass], sizeof text[pass], &sequence);
        FAILS(linnet_stream_push_i16(stream, samples, 1), LINNET_ERROR_FINISHED, "ended");
        FAILS(linnet_stream_finalize(stream), LINNET_ERROR_FINISHED, "ended");
        FAILS(linnet_stream_finish(stream), LINNET_ERROR_FINISHED, "ended");
        OK(linnet_stream_reset(stream));
        OK(linnet_stream_position_ms(stream, &position_ms));
        CHECK(position_ms == 0);
    }
    CHECK(strcmp(text[0], text[1]) == 0);
    printf("%s\n", text[0]);

    linnet_metrics_t metrics;
    metrics.size = sizeof metrics;
    OK(linnet_stream_metrics(stream, &metrics));
    CHECK(metrics.chunks > 0 && metrics.frames > 0 && metrics.real_time_factor > 0);
    CHECK(metrics.encoder.count > 0 && metrics.encoder.p50_us <= metrics.encoder.max_us);
    CHECK(metrics.step.total_us >= metrics.encoder.total_us);
    OK(linnet_stream_free(stream));
}

static void print_transcript(linnet_transcript_t transcript) {
    linnet_event_t event;
    event.size = sizeof event;
    OK(linnet_transcript_get(transcript, &event));
    CHECK(event.kind == LINNET_EVENT_FINAL && event.confirmed == event.words_len);
    check_hypothesis(&event);
    printf("%s\n", event.text);
    OK(linnet_transcript_free(transcript));
    FAILS(linnet_transcript_get(transcript, &event), LINNET_ERROR_INVALID_HANDLE, "freed");
}

static unsigned char *read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    *len = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = (unsigned char *)malloc(*len);
    CHECK(bytes != NULL && fread(bytes, 1, *len, file) == *len);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    CHECK(linnet_abi_version() == LINNET_ABI_VERSION);
    CHECK(strlen(linnet_version()) > 0 && linnet_last_error()[0] == '\0');
    CHECK(strcmp(linnet_status_name(LINNET_ERROR_AUDIO), "audio error") == 0);

    linnet_engine_t mapped = 0, engine = 0;
    OK(linnet_engine_open(argv[1], &mapped));
    check_info(mapped);
    size_t model_len, wav_len;
    unsigned char *model = read_file(argv[1], &model_len);
    OK(linnet_engine_open_memory(model, model_len, &engine));
    free(model);

    unsigned char *wav = read_file(argv[2], &wav_len);
    CHECK(wav_len > 44);
    size_t frames = (wav_len - 44) / 2;
    int16_t *samples = (int16_t *)malloc(frames * sizeof *samples);
    float *floats = (float *)malloc(frames * sizeof *floats);
    CHECK(samples != NULL && floats != NULL);
    for (size_t i = 0; i < frames; i++) {
        samples[i] = (int16_t)(wav[44 + 2 * i] | wav[45 + 2 * i] << 8);
        floats[i] = (float)samples[i] / 32768;
    }

    linnet_transcript_t transcript = 0;
    OK(linnet_transcribe_f32(mapped, floats, frames, 16000, 1, NULL, &transcript));
    print_transcript(transcript);
    OK(linnet_transcribe_i16(engine, samples, frames, 16000, 1, NULL, &transcript));
    print_transcript(transcript);
    OK(linnet_transcribe_file(engine, argv[2], NULL, &transcript));
    print_transcript(transcript);
    stream_it(engine, samples, frames);

    OK(linnet_transcribe_f32(engine, NULL, 0, 16000, 1, NULL, &transcript));
    print_transcript(transcript);

    free(wav);
    free(samples);
    free(floats);
    OK(linnet_engine_free(mapped));
    OK(linnet_engine_free(engine));
    return 0;
}
