/* What the tests share. */
#ifndef LINNET_TESTS_CHECK_H
#define LINNET_TESTS_CHECK_H

#include <linnet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program with the place and what the library said when `condition` is false. */
#define CHECK(condition)                                                                                            \
    do {                                                                                                            \
        if (!(condition)) {                                                                                         \
            fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, linnet_last_error());   \
            exit(1);                                                                                                \
        }                                                                                                           \
    } while (0)

#define OK(call) CHECK((call) == LINNET_OK)

/* The call fails with this status, and its message has `part` in it. */
#define FAILS(call, status, part)                                                                                   \
    do {                                                                                                            \
        CHECK((call) == (status));                                                                                  \
        CHECK(strstr(linnet_last_error(), (part)) != NULL);                                                         \
    } while (0)

/* 16 kHz mono: a voice-like buzz whose pitch and loudness wander, `frames` long. The caller frees it. */
static float *make_audio(size_t frames) {
    float *samples = (float *)malloc(frames * sizeof(float));
    double phase = 0;
    CHECK(samples != NULL);
    for (size_t i = 0; i < frames; i++) {
        double seconds = (double)i / 16000;
        phase += (140 + 40 * sin(5 * seconds)) / 16000;
        phase -= floor(phase);
        samples[i] = (float)(0.3 * fabs(sin(7 * seconds)) * (2 * phase - 1));
    }
    return samples;
}

static linnet_stream_t new_stream(linnet_engine_t engine) {
    linnet_stream_t stream = 0;
    OK(linnet_stream_new(engine, NULL, &stream));
    CHECK(stream != 0);
    return stream;
}

#endif
