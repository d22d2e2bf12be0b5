/* transcribe MODEL FILE          the transcript of an audio file (WAV, FLAC, MP3, Ogg Vorbis), with word times
 * transcribe MODEL - [RATE_HZ]   live: raw 16-bit little-endian mono samples from standard input, words as they come
 */
#include <linnet.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program when a call failed. */
static void check(linnet_status_t status, const char *what) {
    if (status != LINNET_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, linnet_status_name(status), linnet_last_error());
        exit(1);
    }
}

static void transcribe_file(linnet_engine_t engine, const char *path) {
    linnet_transcript_t transcript;
    linnet_event_t event = {.size = sizeof event};
    check(linnet_transcribe_file(engine, path, NULL, &transcript), path);
    check(linnet_transcript_get(transcript, &event), path);
    printf("%s\n", event.text);
    for (size_t i = 0; i < event.words_len; i++) {
        const linnet_word_t *word = &event.words[i];
        printf("%8.2f s  %4.0f %%  %s\n", (double)word->start_ms / 1000, 100.0 * word->confidence, word->text);
    }
    check(linnet_transcript_free(transcript), path);
}

/* Shows interims in place, and each final on its own line. */
static void show_events(linnet_stream_t stream) {
    linnet_event_t event = {.size = sizeof event};
    for (;;) {
        check(linnet_stream_poll(stream, &event), "poll");
        switch (event.kind) {
        case LINNET_EVENT_NONE:
            return;
        case LINNET_EVENT_INTERIM:
            fprintf(stderr, "\r\033[K… %s", event.text);
            break;
        case LINNET_EVENT_FINAL:
            fprintf(stderr, "\r\033[K");
            printf("[%" PRIu64 ".%03" PRIu64 " s] %s\n", event.end_ms / 1000, event.end_ms % 1000, event.text);
            fflush(stdout);
            break;
        default:
            break;
        }
    }
}

static void transcribe_live(linnet_engine_t engine, uint32_t rate_hz) {
    unsigned char bytes[3200];
    int16_t samples[sizeof bytes / 2];
    size_t len;
    linnet_stream_t stream;
    linnet_metrics_t metrics = {.size = sizeof metrics};
    linnet_stream_config_t config = {.size = sizeof config};
    check(linnet_stream_config_init(&config), "config");
    config.sample_rate_hz = rate_hz;
    check(linnet_stream_new(engine, &config, &stream), "stream");

    while ((len = fread(bytes, 2, sizeof bytes / 2, stdin)) > 0) {
        for (size_t i = 0; i < len; i++) {
            samples[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
        }
        check(linnet_stream_push_i16(stream, samples, len), "push");
        show_events(stream);
    }
    check(linnet_stream_finish(stream), "finish");
    show_events(stream);

    check(linnet_stream_metrics(stream, &metrics), "metrics");
    fprintf(stderr, "%.1f s of audio, real-time factor %.3f, 95 %% of steps within %.1f ms\n",
            (double)metrics.audio_ms / 1000, metrics.real_time_factor, (double)metrics.step.p95_us / 1000);
    check(linnet_stream_free(stream), "stream");
}

int main(int argc, char **argv) {
    linnet_engine_t engine;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s MODEL FILE | %s MODEL - [RATE_HZ]\n", argv[0], argv[0]);
        return 2;
    }
    if (linnet_abi_version() != LINNET_ABI_VERSION) {
        fprintf(stderr, "the library has ABI version %u, the header %u\n", linnet_abi_version(), LINNET_ABI_VERSION);
        return 1;
    }
    check(linnet_engine_open(argv[1], &engine), argv[1]);
    if (strcmp(argv[2], "-") == 0) {
        transcribe_live(engine, argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 16000);
    } else {
        transcribe_file(engine, argv[2]);
    }
    check(linnet_engine_free(engine), "engine");
    return 0;
}
