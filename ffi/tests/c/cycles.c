/* cycles MODEL COUNT: making, using and freeing streams COUNT times leaves resident memory where it was. Prints the
 * growth in KiB. */
#include "check.h"

#include <unistd.h>

enum { FRAMES = 16000, LIMIT_KIB = 1024 };

static long resident_kib(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &pages, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void cycle(linnet_engine_t engine, const float *audio) {
    linnet_event_t event = {.size = sizeof event};
    linnet_transcript_t transcript = 0;
    linnet_stream_t stream = new_stream(engine);
    OK(linnet_stream_push_f32(stream, audio, FRAMES));
    OK(linnet_stream_finalize(stream));
    OK(linnet_stream_poll(stream, &event));
    OK(linnet_stream_free(stream));
    CHECK(linnet_stream_free(stream) == LINNET_ERROR_INVALID_HANDLE);
    OK(linnet_transcribe_f32(engine, audio, FRAMES / 10, 16000, 1, NULL, &transcript));
    OK(linnet_transcript_free(transcript));
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    linnet_engine_t engine = 0;
    OK(linnet_engine_open(argv[1], &engine));
    float *audio = make_audio(FRAMES);
    for (int i = 0; i < 20; i++) {
        cycle(engine, audio);
    }
    long before = resident_kib();
    for (int i = 0; i < atoi(argv[2]); i++) {
        cycle(engine, audio);
    }
    long growth = resident_kib() - before;
    printf("%ld\n", growth);
    CHECK(growth < LIMIT_KIB);
    free(audio);
    OK(linnet_engine_free(engine));
    return 0;
}
