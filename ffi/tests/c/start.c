/* start MODEL AUDIO: the time from a program's start of the library to the first words, in microseconds, and where it goes:
 * "open stream first total". AUDIO is a 16 kHz mono 16-bit WAV file with a header of 44 bytes. */
#include "check.h"

#include <time.h>

static double now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    static int16_t samples[16000 * 20];
    linnet_engine_t engine = 0;
    linnet_stream_t stream = 0;
    linnet_stream_config_t config = {.size = sizeof config};
    linnet_event_t event = {.size = sizeof event};
    size_t pushed = 0;
    CHECK(argc == 3);
    FILE *file = fopen(argv[2], "rb");
    CHECK(file != NULL && fseek(file, 44, SEEK_SET) == 0);
    size_t frames = fread(samples, sizeof *samples, sizeof samples / sizeof *samples, file);
    fclose(file);

    double began = now_us();
    OK(linnet_engine_open(argv[1], &engine));
    double opened = now_us();
    OK(linnet_stream_config_init(&config));
    config.chunk_ms = 80;
    OK(linnet_stream_new(engine, &config, &stream));
    double made = now_us();
    while (event.kind != LINNET_EVENT_INTERIM && pushed + 160 <= frames) {
        OK(linnet_stream_push_i16(stream, samples + pushed, 160));
        pushed += 160;
        do {
            OK(linnet_stream_poll(stream, &event));
        } while (event.kind != LINNET_EVENT_NONE && event.kind != LINNET_EVENT_INTERIM);
    }
    double heard = now_us();
    CHECK(event.kind == LINNET_EVENT_INTERIM && event.text_len > 0);
    printf("%.0f %.0f %.0f %.0f\n", opened - began, made - opened, heard - made, heard - began);
    fprintf(stderr, "\"%s\" after %zu ms of audio\n", event.text, pushed / 16);
    OK(linnet_stream_free(stream));
    OK(linnet_engine_free(engine));
    return 0;
}
