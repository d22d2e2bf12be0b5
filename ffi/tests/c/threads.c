/* threads MODEL: concurrent calls on one stream, from threads with small stacks, and freeing stream and engine while others
 * are in use. */
#include "check.h"

#include <pthread.h>

/* What linnet.h says a call takes at most; sanitizers take more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK = 1 << 20 };
#else
enum { STACK = 128 << 10 };
#endif

enum { THREADS = 4, PUSHES = 12, BLOCK = 4000 };

static linnet_engine_t engine;
static linnet_stream_t shared_stream;
static float *audio;

static void *push_and_poll(void *unused) {
    (void)unused;
    linnet_event_t event = {.size = sizeof event};
    for (int i = 0; i < PUSHES; i++) {
        OK(linnet_stream_push_f32(shared_stream, audio + i * BLOCK, BLOCK));
        OK(linnet_stream_poll(shared_stream, &event));
    }
    return NULL;
}

/* Uses the stream until somebody has freed it. */
static void *use_until_freed(void *unused) {
    (void)unused;
    linnet_event_t event = {.size = sizeof event};
    linnet_status_t status = LINNET_OK;
    for (int i = 0; status == LINNET_OK; i = (i + 1) % PUSHES) {
        status = linnet_stream_push_f32(shared_stream, audio + i * BLOCK, BLOCK);
        if (status == LINNET_OK) {
            status = linnet_stream_poll(shared_stream, &event);
        }
    }
    CHECK(status == LINNET_ERROR_INVALID_HANDLE);
    return NULL;
}

static void *free_stream(void *freed) {
    *(int *)freed = linnet_stream_free(shared_stream) == LINNET_OK;
    return NULL;
}

static void *own_stream(void *unused) {
    (void)unused;
    linnet_stream_t stream = 0;
    if (linnet_stream_new(engine, NULL, &stream) == LINNET_OK) {
        OK(linnet_stream_push_f32(stream, audio, PUSHES * BLOCK));
        OK(linnet_stream_finish(stream));
        OK(linnet_stream_free(stream));
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    pthread_attr_t small;
    uint64_t position_ms = 0;
    CHECK(argc == 2);
    OK(linnet_engine_open(argv[1], &engine));
    audio = make_audio(PUSHES * BLOCK);
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, STACK) == 0);

    shared_stream = new_stream(engine);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], &small, push_and_poll, NULL) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    OK(linnet_stream_position_ms(shared_stream, &position_ms));
    CHECK(position_ms == (uint64_t)THREADS * PUSHES * BLOCK * 1000 / 16000);

    int freed[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, use_until_freed, NULL) == 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[2 + i], NULL, free_stream, &freed[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(freed[0] + freed[1] == 1);

    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], &small, own_stream, NULL) == 0);
    }
    OK(linnet_engine_free(engine));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    free(audio);
    return 0;
}
