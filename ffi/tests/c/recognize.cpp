// recognize_cpp MODEL: the header in C++, with handles that free themselves.
#include "check.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

static void check(linnet_status_t status) {
    if (status != LINNET_OK) {
        throw std::runtime_error(std::string(linnet_status_name(status)) + ": " + linnet_last_error());
    }
}

template <linnet_status_t (*Free)(uint64_t)>
class Handle {
public:
    Handle() = default;
    Handle(Handle &&other) noexcept : value(std::exchange(other.value, 0)) {}
    Handle &operator=(Handle &&other) noexcept {
        std::swap(value, other.value);
        return *this;
    }
    ~Handle() { CHECK(Free(value) == LINNET_OK); }
    uint64_t get() const { return value; }
    uint64_t *out() { return &value; }

private:
    uint64_t value = 0;
};

using Engine = Handle<linnet_engine_free>;
using Stream = Handle<linnet_stream_free>;

static_assert(std::is_standard_layout<linnet_event_t>::value, "events are plain data");
static_assert(sizeof(linnet_status_t) == 4 && sizeof(linnet_event_kind_t) == 4, "enums are 32 bits in C and C++");

static size_t recognize(const Engine &engine, const std::vector<float> &audio) {
    linnet_stream_config_t config{};
    config.size = sizeof config;
    check(linnet_stream_config_init(&config));
    config.chunk_ms = 160;
    Stream stream;
    check(linnet_stream_new(engine.get(), &config, stream.out()));
    Stream moved = std::move(stream);
    check(linnet_stream_push_f32(moved.get(), audio.data(), audio.size()));
    check(linnet_stream_finish(moved.get()));
    linnet_event_t event{};
    event.size = sizeof event;
    size_t events = 0;
    for (check(linnet_stream_poll(moved.get(), &event)); event.kind != LINNET_EVENT_NONE; events++) {
        CHECK(std::string(event.text, event.text_len) == event.text);
        check(linnet_stream_poll(moved.get(), &event));
    }
    return events;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    Engine engine;
    try {
        check(linnet_engine_open("no/such/file.linnet", engine.out()));
        CHECK(!"an error was not thrown");
    } catch (const std::runtime_error &error) {
        CHECK(std::string(error.what()).rfind("model error: ", 0) == 0);
    }
    check(linnet_engine_open(argv[1], engine.out()));
    std::unique_ptr<float, void (*)(void *)> samples(make_audio(32000), std::free);
    std::vector<float> audio(samples.get(), samples.get() + 32000);
    CHECK(recognize(engine, audio) == recognize(engine, audio));
    return 0;
}
