/* microphone                     lists the microphones
 * microphone MODEL [DEVICE]      shows what is said into one, by default the system's, until Ctrl-C
 *
 * The library must have been built with the feature `capture`. A microphone that is unplugged is taken up again. */
#include <linnet.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* Ends the program when a call failed. */
static void check(linnet_status_t status, const char *what) {
    if (status != LINNET_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, linnet_status_name(status), linnet_last_error());
        exit(1);
    }
}

static void list_microphones(void) {
    linnet_devices_t devices;
    linnet_device_t device = {.size = sizeof device};
    size_t len;
    check(linnet_devices_list(&devices), "microphones");
    check(linnet_devices_len(devices, &len), "microphones");
    for (size_t i = 0; i < len; i++) {
        check(linnet_devices_get(devices, i, &device), "microphones");
        printf("%-40s %s\n", device.id, device.name);
    }
    check(linnet_devices_free(devices), "microphones");
}

static void show(const linnet_event_t *event) {
    switch (event->kind) {
    case LINNET_EVENT_INTERIM:
        fprintf(stderr, "\r\033[K… %s", event->written);
        break;
    case LINNET_EVENT_FINAL:
        fprintf(stderr, "\r\033[K");
        printf("[%" PRIu64 ".%03" PRIu64 " s] %s\n", event->end_ms / 1000, event->end_ms % 1000, event->written);
        fflush(stdout);
        break;
    case LINNET_EVENT_NOTICE:
        fprintf(stderr, "%s\n", event->text);
        break;
    case LINNET_EVENT_TROUBLE:
        fprintf(stderr, "%s (again in %.0f s)\n", event->text, (double)(event->end_ms - event->start_ms) / 1000);
        break;
    case LINNET_EVENT_DEAD_MICROPHONE:
        fprintf(stderr, "the microphone delivers no sound: is it muted?\n");
        break;
    case LINNET_EVENT_GAP:
        fprintf(stderr, "%" PRIu64 " ms of audio were lost\n", event->end_ms - event->start_ms);
        break;
    default:
        break;
    }
}

/* Waits in an event loop of the program's own, on the session's file descriptor. */
static void listen_to(linnet_live_t live) {
    linnet_event_t event = {.size = sizeof event};
    struct pollfd waiting = {.events = POLLIN};
    check(linnet_live_event_fd(live, &waiting.fd), "events");
    do {
        if (poll(&waiting, 1, -1) < 0 && errno != EINTR) {
            perror("poll");
            exit(1);
        }
        if (interrupted) {
            interrupted = 0;
            signal(SIGINT, SIG_DFL);
            check(linnet_live_stop(live), "stop");
        }
        check(linnet_live_next(live, &event, 0), "events");
        show(&event);
    } while (event.kind != LINNET_EVENT_STATE || event.state != LINNET_STATE_STOPPED);
}

int main(int argc, char **argv) {
    linnet_engine_t engine;
    linnet_live_t live;
    linnet_stream_config_t stream = {.size = sizeof stream};
    linnet_format_config_t format = {.size = sizeof format};
    linnet_live_config_t config = {.size = sizeof config};
    linnet_session_metrics_t metrics = {.size = sizeof metrics};
    if (argc == 1) {
        list_microphones();
        return 0;
    }
    if (argc > 3 || argv[1][0] == '-') {
        fprintf(stderr, "usage: %s [MODEL [DEVICE]]\n", argv[0]);
        return 2;
    }
    check(linnet_engine_open(argv[1], &engine), argv[1]);
    check(linnet_format_config_init(&format), "format");
    format.smart = 1;
    format.punctuate = 1;
    check(linnet_stream_config_init(&stream), "settings");
    stream.format = &format;
    check(linnet_live_config_init(&config), "settings");
    config.source = LINNET_SOURCE_MICROPHONE;
    config.device = argc == 3 ? argv[2] : NULL;
    config.stream = &stream;
    config.event_fd = 1;
    check(linnet_live_start(engine, &config, &live), "session");

    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    sigaction(SIGINT, &action, NULL);
    listen_to(live);

    check(linnet_live_session_metrics(live, &metrics), "metrics");
    fprintf(stderr, "95 %% of events within %.1f ms of their audio; %" PRIu64 " ms of audio lost\n",
            (double)metrics.capture_to_event.p95_us / 1000, metrics.gap_ms);
    check(linnet_live_free(live), "session");
    check(linnet_engine_free(engine), "engine");
    return 0;
}
