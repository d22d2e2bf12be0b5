/* live MODEL: sessions that the host pushes audio into: events by waiting, by callback and by file descriptor; freeing
 * from everywhere; the same words as a stream. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

enum { RATE = 16000, SECONDS = 4, BLOCK = 160 };

static linnet_engine_t engine;
static float *audio;

static void pause_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* The finals of the audio as one stream gives them, one a line. */
static void words_of_stream(char *text, size_t size) {
    linnet_event_t event = {.size = sizeof event};
    linnet_stream_t stream = new_stream(engine);
    OK(linnet_stream_push_f32(stream, audio, SECONDS * RATE));
    OK(linnet_stream_finish(stream));
    text[0] = 0;
    do {
        OK(linnet_stream_poll(stream, &event));
        if (event.kind == LINNET_EVENT_FINAL) {
            CHECK(strlen(text) + event.text_len + 2 < size);
            strcat(strcat(text, event.text), "\n");
        }
    } while (event.kind != LINNET_EVENT_NONE);
    OK(linnet_stream_free(stream));
}

static linnet_live_t start(linnet_event_callback_t on_event, void *user_data, uint32_t event_fd) {
    linnet_live_config_t config = {.size = sizeof config};
    linnet_live_t live = 0;
    OK(linnet_live_config_init(&config));
    config.on_event = on_event;
    config.user_data = user_data;
    config.event_fd = event_fd;
    config.realtime_priority = 0;
    config.buffer_ms = 60000;
    OK(linnet_live_start(engine, &config, &live));
    CHECK(live != 0);
    return live;
}

static void push_all(linnet_live_t live) {
    for (size_t at = 0; at < SECONDS * RATE; at += BLOCK) {
        OK(linnet_live_push_f32(live, audio + at, BLOCK));
    }
    OK(linnet_live_stop(live));
    FAILS(linnet_live_push_f32(live, audio, BLOCK), LINNET_ERROR_FINISHED, "");
}

/* What a host remembers of a session. */
struct seen {
    char text[4096];
    int stopped;
    uint64_t sequence;
    pthread_mutex_t lock;
    linnet_live_t free_on_first;
    int freed;
};

static void see(struct seen *seen, const linnet_event_t *event) {
    if (event->kind == LINNET_EVENT_FINAL) {
        CHECK(strlen(seen->text) + event->text_len + 2 < sizeof seen->text);
        strcat(strcat(seen->text, event->text), "\n");
    }
    if (event->kind == LINNET_EVENT_FINAL || event->kind == LINNET_EVENT_INTERIM) {
        CHECK(event->sequence > seen->sequence);
        seen->sequence = event->sequence;
    }
    CHECK(event->kind != LINNET_EVENT_GAP);
    CHECK(!seen->stopped);
    seen->stopped = event->kind == LINNET_EVENT_STATE && event->state == LINNET_STATE_STOPPED;
}

static void on_event(void *user_data, const linnet_event_t *event) {
    struct seen *seen = (struct seen *)user_data;
    pthread_mutex_lock(&seen->lock);
    CHECK(!seen->freed);
    if (seen->free_on_first) {
        OK(linnet_live_free(seen->free_on_first));
        seen->freed = 1;
    } else {
        see(seen, event);
    }
    pthread_mutex_unlock(&seen->lock);
}

static void by_waiting(const char *expected) {
    struct seen seen = {.sequence = 0};
    linnet_event_t event = {.size = sizeof event};
    linnet_state_t state = LINNET_STATE_NONE;
    linnet_metrics_t metrics = {.size = sizeof metrics};
    linnet_live_t live = start(NULL, NULL, 0);
    push_all(live);
    for (int i = 0; i < 1000 && !seen.stopped; i++) {
        OK(linnet_live_next(live, &event, 1000));
        see(&seen, &event);
    }
    CHECK(seen.stopped && strcmp(seen.text, expected) == 0);
    OK(linnet_live_next(live, &event, 10));
    CHECK(event.kind == LINNET_EVENT_NONE);
    OK(linnet_live_state(live, &state));
    CHECK(state == LINNET_STATE_STOPPED);
    OK(linnet_live_metrics(live, &metrics));
    OK(linnet_live_finalize(live));
    FAILS(linnet_live_event_fd(live, (int32_t *)&event), LINNET_ERROR_INVALID_ARGUMENT, "event_fd");
    OK(linnet_live_free(live));
    FAILS(linnet_live_free(live), LINNET_ERROR_INVALID_HANDLE, "freed");
    FAILS(linnet_live_next(live, &event, 0), LINNET_ERROR_INVALID_HANDLE, "freed");
}

static void by_callback(const char *expected) {
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    linnet_event_t event = {.size = sizeof event};
    linnet_live_t live = start(on_event, &seen, 0);
    FAILS(linnet_live_next(live, &event, 0), LINNET_ERROR_INVALID_ARGUMENT, "callback");
    push_all(live);
    for (int i = 0, over = 0; i < 6000 && !over; i++) {
        pause_ms(10);
        pthread_mutex_lock(&seen.lock);
        over = seen.stopped;
        pthread_mutex_unlock(&seen.lock);
    }
    OK(linnet_live_free(live));
    CHECK(seen.stopped && strcmp(seen.text, expected) == 0);

    /* Freed by its own callback, which is the last then. */
    struct seen brief = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_lock(&brief.lock);
    live = start(on_event, &brief, 0);
    brief.free_on_first = live;
    pthread_mutex_unlock(&brief.lock);
    for (int i = 0, freed = 0; i < 6000 && !freed; i++) {
        (void)linnet_live_push_f32(live, audio, BLOCK);
        pause_ms(10);
        pthread_mutex_lock(&brief.lock);
        freed = brief.freed;
        pthread_mutex_unlock(&brief.lock);
    }
    CHECK(brief.freed);
    pause_ms(100);
    FAILS(linnet_live_stop(live), LINNET_ERROR_INVALID_HANDLE, "freed");
}

static void by_descriptor(const char *expected) {
    struct seen seen = {.sequence = 0};
    linnet_event_t event = {.size = sizeof event};
    int32_t fd = -1;
    linnet_live_t live = start(NULL, NULL, 1);
    OK(linnet_live_event_fd(live, &fd));
    push_all(live);
    while (!seen.stopped) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        CHECK(poll(&ready, 1, 60000) == 1);
        OK(linnet_live_next(live, &event, 0));
        CHECK(event.kind != LINNET_EVENT_NONE);
        see(&seen, &event);
    }
    CHECK(strcmp(seen.text, expected) == 0);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    CHECK(poll(&ready, 1, 20) == 0);
    OK(linnet_live_free(live));
}

static void *push_until_freed(void *session) {
    linnet_live_t live = *(linnet_live_t *)session;
    linnet_status_t status = LINNET_OK;
    while (status == LINNET_OK) {
        status = linnet_live_push_f32(live, audio, BLOCK);
        pause_ms(1);
    }
    CHECK(status == LINNET_ERROR_INVALID_HANDLE);
    return NULL;
}

static void *next_until_freed(void *session) {
    linnet_live_t live = *(linnet_live_t *)session;
    linnet_event_t event = {.size = sizeof event};
    while (linnet_live_next(live, &event, 5) == LINNET_OK) {
    }
    return NULL;
}

static void freed_while_in_use(void) {
    for (int i = 0; i < 5; i++) {
        pthread_t pusher, taker;
        linnet_live_t live = start(NULL, NULL, i % 2);
        CHECK(pthread_create(&pusher, NULL, push_until_freed, &live) == 0);
        CHECK(pthread_create(&taker, NULL, next_until_freed, &live) == 0);
        pause_ms(20 * i);
        OK(linnet_live_free(live));
        pthread_join(pusher, NULL);
        pthread_join(taker, NULL);
    }
}

static void misuse(void) {
    linnet_live_config_t config = {.size = sizeof config};
    linnet_live_t live = 1;
    OK(linnet_live_config_init(&config));
    config.source = 7;
    FAILS(linnet_live_start(engine, &config, &live), LINNET_ERROR_INVALID_ARGUMENT, "source");
    CHECK(live == 0);
    OK(linnet_live_config_init(&config));
    config.buffer_ms = 1;
    FAILS(linnet_live_start(engine, &config, &live), LINNET_ERROR_INVALID_ARGUMENT, "buffer_ms");
    OK(linnet_live_config_init(&config));
    linnet_stream_config_t stream = {.size = sizeof stream};
    OK(linnet_stream_config_init(&stream));
    stream.sample_rate_hz = 3;
    config.stream = &stream;
    CHECK(linnet_live_start(engine, &config, &live) == LINNET_ERROR_AUDIO);
    FAILS(linnet_live_start(engine, NULL, NULL), LINNET_ERROR_INVALID_ARGUMENT, "null");
    FAILS(linnet_live_start(engine + 256, NULL, &live), LINNET_ERROR_INVALID_HANDLE, "");
    FAILS(linnet_live_push_f32(engine, audio, 1), LINNET_ERROR_INVALID_HANDLE, "engine");
    OK(linnet_live_free(0));
}

int main(int argc, char **argv) {
    static char expected[4096];
    CHECK(argc == 2);
    OK(linnet_engine_open(argv[1], &engine));
    audio = make_audio(SECONDS * RATE);
    words_of_stream(expected, sizeof expected);
    by_waiting(expected);
    by_callback(expected);
    by_descriptor(expected);
    freed_while_in_use();
    misuse();
    OK(linnet_engine_free(engine));
    free(audio);
    return 0;
}
