/* settings MODEL AUDIO: hotwords, grammars, language models, speakers, formats, policies, alternatives, devices and the log, in streams, sessions and
 * recordings. AUDIO is a 16 kHz mono 16-bit WAV file with a header of 44 bytes in which somebody says "will you help
 * me"; what the model hears of it is not asked here, only what must hold whatever it hears. */
#include "check.h"

#define ARGUMENT LINNET_ERROR_INVALID_ARGUMENT
#define HANDLE LINNET_ERROR_INVALID_HANDLE

static const char *const MENU = "#JSGF V1.0;\n"
                                "public <ask> = (will | can){verb} you help (me{whom=speaker} | us);\n"
                                "public <other> = <NULL>;\n";

static linnet_engine_t engine, other_engine;
static int16_t *samples;
static size_t frames;
/* What the model hears of the clip, and the word of it that it is surest of. */
static char heard[4096], surest_word[256];

static void read_clip(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    frames = ((size_t)ftell(file) - 44) / 2;
    CHECK(fseek(file, 44, SEEK_SET) == 0);
    samples = (int16_t *)malloc(frames * sizeof *samples);
    CHECK(samples != NULL && fread(samples, sizeof *samples, frames, file) == frames);
    fclose(file);
}

static linnet_stream_config_t stream_config(void) {
    linnet_stream_config_t config = {.size = sizeof config};
    OK(linnet_stream_config_init(&config));
    config.endpoint_ms = 0;
    config.chunk_ms = 320;
    return config;
}

/* The next final, or an event of no kind. */
static linnet_event_t next_final(linnet_stream_t stream) {
    linnet_event_t event = {.size = sizeof event};
    do {
        OK(linnet_stream_poll(stream, &event));
    } while (event.kind != LINNET_EVENT_FINAL && event.kind != LINNET_EVENT_NONE);
    return event;
}

static linnet_event_t say_and_finalize(linnet_stream_t stream) {
    OK(linnet_stream_push_i16(stream, samples, frames));
    OK(linnet_stream_finalize(stream));
    linnet_event_t final = next_final(stream);
    CHECK(final.kind == LINNET_EVENT_FINAL && final.text_len > 0);
    return final;
}

static void hear_clip(void) {
    linnet_stream_config_t config = stream_config();
    linnet_stream_t stream = 0;
    OK(linnet_stream_new(engine, &config, &stream));
    linnet_event_t final = say_and_finalize(stream);
    const linnet_word_t *surest = final.words;
    for (size_t i = 1; i < final.words_len; i++) {
        surest = final.words[i].confidence > surest->confidence ? &final.words[i] : surest;
    }
    CHECK(final.text_len < sizeof heard && surest->text_len < sizeof surest_word);
    strcpy(heard, final.text);
    strcpy(surest_word, surest->text);
    CHECK(strstr(heard, "zebra") == NULL);
    OK(linnet_stream_free(stream));
}

/* A phrase that sounds like the surest word of the clip. */
static linnet_hotwords_t make_zebra(linnet_engine_t of) {
    const char *const sounds[] = {surest_word};
    linnet_hotword_t hotword = {.phrase = "zebra", .boost = 3, .sounds_like = sounds, .sounds_like_len = 1};
    linnet_hotwords_t hotwords = 0;
    OK(linnet_hotwords_new(of, &hotword, 1, &hotwords));
    CHECK(hotwords != 0);
    return hotwords;
}

static void rejected_hotwords(void) {
    const char *const sounds[] = {"kin wah", "\xe2\x98\x83"};
    const linnet_hotword_t list[] = {
        {.phrase = "quinoa", .sounds_like = sounds, .sounds_like_len = 2},
        {.phrase = "latte", .boost = 21},
        {.phrase = "mocha", .boost = NAN},
        {.phrase = "", .boost = 2},
        {.phrase = "flat white", .boost = 2},
    };
    linnet_hotwords_t hotwords = 0;
    linnet_rejected_hotword_t rejected = {.size = sizeof rejected};
    size_t len = 0;
    OK(linnet_hotwords_new(engine, list, 5, &hotwords));
    OK(linnet_hotwords_rejected_len(hotwords, &len));
    CHECK(len == 4);
    const char *const phrases[] = {"quinoa", "latte", "mocha", ""};
    const char *const spellings[] = {"\xe2\x98\x83", "latte", "mocha", ""};
    for (size_t i = 0; i < len; i++) {
        OK(linnet_hotwords_rejected(hotwords, i, &rejected));
        CHECK(strcmp(rejected.phrase, phrases[i]) == 0 && strcmp(rejected.spelling, spellings[i]) == 0);
        CHECK(strlen(rejected.reason) > 0);
    }
    OK(linnet_hotwords_rejected(hotwords, 1, &rejected));
    CHECK(strstr(rejected.reason, "21") != NULL);
    FAILS(linnet_hotwords_rejected(hotwords, 4, &rejected), ARGUMENT, "4 spellings");
    FAILS(linnet_hotwords_rejected(hotwords, 0, NULL), ARGUMENT, "null");
    FAILS(linnet_hotwords_rejected_len(hotwords, NULL), ARGUMENT, "null");
    OK(linnet_hotwords_free(hotwords));
    FAILS(linnet_hotwords_free(hotwords), HANDLE, "freed");
    FAILS(linnet_hotwords_rejected_len(hotwords, &len), HANDLE, "freed");

    FAILS(linnet_hotwords_new(engine, NULL, 1, &hotwords), ARGUMENT, "null");
    CHECK(hotwords == 0);
    FAILS(linnet_hotwords_new(engine, list, SIZE_MAX, &hotwords), ARGUMENT, "most");
    FAILS(linnet_hotwords_new(engine, list, 5, NULL), ARGUMENT, "null");
    FAILS(linnet_hotwords_new(engine + 256, list, 5, &hotwords), HANDLE, "");
    linnet_hotword_t bad = {.phrase = NULL};
    FAILS(linnet_hotwords_new(engine, &bad, 1, &hotwords), ARGUMENT, "phrase");
    bad.phrase = "\xff";
    FAILS(linnet_hotwords_new(engine, &bad, 1, &hotwords), ARGUMENT, "UTF-8");
    bad.phrase = "tea";
    bad.sounds_like_len = 1;
    FAILS(linnet_hotwords_new(engine, &bad, 1, &hotwords), ARGUMENT, "sounds_like");
    OK(linnet_hotwords_new(engine, NULL, 0, &hotwords));
    OK(linnet_hotwords_free(hotwords));
}

static void hotwords_in_streams(void) {
    linnet_stream_config_t config = stream_config();
    linnet_hotwords_t zebra = make_zebra(engine), foreign = make_zebra(other_engine);
    linnet_stream_t stream = 0, plain = 0;

    OK(linnet_stream_new(engine, &config, &plain));
    CHECK(strcmp(say_and_finalize(plain).text, heard) == 0);
    FAILS(linnet_stream_set_hotwords(plain, foreign), ARGUMENT, "another engine");
    FAILS(linnet_stream_set_hotwords(plain, engine), HANDLE, "of kind engine");

    /* From the start, and the set may go at once. */
    config.hotwords = foreign;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "another engine");
    config.hotwords = zebra;
    OK(linnet_stream_new(engine, &config, &stream));
    OK(linnet_stream_set_hotwords(plain, zebra));
    OK(linnet_hotwords_free(zebra));
    FAILS(linnet_stream_set_hotwords(plain, zebra), HANDLE, "freed");
    linnet_event_t final = say_and_finalize(stream);
    CHECK(strstr(final.text, "zebra") != NULL);
    char boosted[4096];
    strcpy(boosted, final.text);

    /* In mid-stream, and back to none. */
    CHECK(strcmp(say_and_finalize(plain).text, boosted) == 0);
    OK(linnet_stream_set_hotwords(plain, 0));
    CHECK(strcmp(say_and_finalize(plain).text, heard) == 0);
    OK(linnet_stream_free(stream));
    OK(linnet_stream_free(plain));
    OK(linnet_hotwords_free(foreign));
    OK(linnet_hotwords_free(0));
}

static void check_meaning(const linnet_event_t *final) {
    CHECK(final->interpreted && final->accepted && final->intent != NULL && strcmp(final->intent, "ask") == 0);
    CHECK(final->slots_len >= 1 && strcmp(final->slots[0].name, "verb") == 0);
    CHECK(strcmp(final->slots[0].value, "will") == 0 || strcmp(final->slots[0].value, "can") == 0);
    CHECK(final->slots[0].confidence >= 0 && final->slots[0].confidence <= 1);
    CHECK(final->slots[0].start_ms <= final->slots[0].end_ms && final->slots[0].end_ms <= final->end_ms);
    if (final->slots_len > 1) {
        CHECK(strcmp(final->slots[1].name, "whom") == 0 && strcmp(final->slots[1].value, "speaker") == 0);
    }
    CHECK(strstr(final->text, "you help") != NULL);
}

static linnet_grammar_t make_grammar(linnet_engine_t of) {
    linnet_grammar_config_t config = {.size = sizeof config};
    linnet_grammar_t grammar = 0;
    OK(linnet_grammar_config_init(&config));
    CHECK(config.rejection < 0 && config.letter_reward > 0);
    config.rejection = -INFINITY;
    /* Nothing but the menu, however unlike the audio. */
    config.letter_reward = 3;
    OK(linnet_grammar_new(of, MENU, &config, &grammar));
    CHECK(grammar != 0);
    return grammar;
}

static void grammars(void) {
    linnet_grammar_t grammar = make_grammar(engine), foreign = make_grammar(other_engine), broken = 1;
    linnet_grammar_config_t settings = {.size = sizeof settings};
    linnet_stream_config_t config = stream_config();
    linnet_stream_t stream = 0;

    OK(linnet_stream_new(engine, &config, &stream));
    linnet_event_t final = say_and_finalize(stream);
    CHECK(!final.interpreted && final.intent == NULL && final.slots == NULL && final.slots_len == 0);
    FAILS(linnet_stream_set_grammar(stream, foreign), ARGUMENT, "another engine");
    OK(linnet_stream_set_grammar(stream, grammar));
    final = say_and_finalize(stream);
    check_meaning(&final);
    OK(linnet_stream_set_grammar(stream, 0));
    final = say_and_finalize(stream);
    CHECK(!final.interpreted && strcmp(final.text, heard) == 0);
    OK(linnet_stream_free(stream));

    config.grammar = grammar;
    OK(linnet_stream_new(engine, &config, &stream));
    final = say_and_finalize(stream);
    check_meaning(&final);
    OK(linnet_stream_free(stream));

    linnet_transcript_t transcript = 0;
    linnet_event_t event = {.size = sizeof event};
    OK(linnet_transcribe_i16(engine, samples, frames, 16000, 1, &config, &transcript));
    OK(linnet_transcript_get(transcript, &event));
    check_meaning(&event);
    OK(linnet_transcript_free(transcript));

    FAILS(linnet_grammar_new(engine, "#JSGF V1.0;\npublic <a> = ;;", NULL, &broken), ARGUMENT, "line 2");
    CHECK(broken == 0);
    FAILS(linnet_grammar_new(engine, NULL, NULL, &broken), ARGUMENT, "null");
    FAILS(linnet_grammar_new(engine, "", NULL, &broken), ARGUMENT, "");
    FAILS(linnet_grammar_new(engine, MENU, NULL, NULL), ARGUMENT, "null");
    OK(linnet_grammar_config_init(&settings));
    settings.rejection = NAN;
    FAILS(linnet_grammar_new(engine, MENU, &settings, &broken), ARGUMENT, "rejection");
    OK(linnet_grammar_config_init(&settings));
    settings.letter_reward = INFINITY;
    FAILS(linnet_grammar_new(engine, MENU, &settings, &broken), ARGUMENT, "letter_reward");
    OK(linnet_grammar_free(grammar));
    OK(linnet_grammar_free(foreign));
    FAILS(linnet_grammar_free(grammar), HANDLE, "freed");
    OK(linnet_grammar_free(0));
}

static void formats(void) {
    linnet_stream_config_t config = stream_config();
    linnet_format_config_t format = {.size = sizeof format};
    linnet_stream_t stream = 0;
    char written[4096];
    OK(linnet_stream_new(engine, &config, &stream));
    linnet_event_t final = say_and_finalize(stream);
    CHECK(strcmp(final.written, final.text) == 0 && final.written_words_len == final.words_len);

    OK(linnet_format_config_init(&format));
    const linnet_replacement_t replacements[] = {{surest_word, "Zounds"}};
    format.punctuate = 1;
    format.smart = 1;
    format.redact = LINNET_REDACT_ALL_NUMBERS;
    format.replacements = replacements;
    format.replacements_len = 1;
    OK(linnet_stream_set_format(stream, &format));
    final = say_and_finalize(stream);
    CHECK(strcmp(final.text, heard) == 0);
    CHECK(strstr(final.written, "Zounds") != NULL && strlen(final.written) == final.written_len);
    size_t replaced = 0;
    for (size_t i = 0; i < final.written_words_len; i++) {
        replaced += strncmp(final.written_words[i].text, "Zounds", 6) == 0;
    }
    CHECK(replaced > 0);
    strcpy(written, final.written);
    OK(linnet_stream_set_format(stream, NULL));
    final = say_and_finalize(stream);
    CHECK(strcmp(final.written, final.text) == 0);
    OK(linnet_stream_free(stream));

    config.format = &format;
    OK(linnet_stream_new(engine, &config, &stream));
    CHECK(strcmp(say_and_finalize(stream).written, written) == 0);
    OK(linnet_stream_free(stream));

    format.redact = 1u << 9;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "redact");
    format.redact = 0;
    format.replacements_len = SIZE_MAX;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "replacements");
    format.replacements_len = 1;
    format.replacements = NULL;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "null");
    format.size = 3;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "sizeof(linnet_format_config_t)");
}

static void policies(void) {
    linnet_stream_config_t config = stream_config();
    linnet_policy_t policy = {.size = sizeof policy}, got = {.size = sizeof got};
    linnet_stream_t stream = 0;
    int16_t *silence = (int16_t *)calloc(48000, sizeof *silence);
    OK(linnet_stream_new(engine, &config, &stream));
    OK(linnet_stream_policy(stream, &got));
    CHECK(got.endpoint_ms == 0 && got.max_utterance_ms == 30000 && got.adaptive == 1);
    OK(linnet_stream_push_i16(stream, samples, frames));
    OK(linnet_stream_push_i16(stream, silence, 48000));
    CHECK(next_final(stream).kind == LINNET_EVENT_NONE);

    /* In mid-utterance. */
    OK(linnet_policy_init(&policy, LINNET_PRESET_COMMAND));
    OK(linnet_stream_set_policy(stream, &policy));
    OK(linnet_stream_policy(stream, &got));
    CHECK(memcmp(&got, &policy, sizeof got) == 0);
    OK(linnet_stream_push_i16(stream, silence, 48000));
    linnet_event_t final = next_final(stream);
    CHECK(final.kind == LINNET_EVENT_FINAL && final.speech_final && !final.from_finalize);

    OK(linnet_stream_set_policy(stream, NULL));
    OK(linnet_stream_policy(stream, &got));
    CHECK(got.endpoint_ms == 800);
    FAILS(linnet_policy_init(&policy, 99), ARGUMENT, "preset");
    policy.adaptive = 9;
    FAILS(linnet_stream_set_policy(stream, &policy), ARGUMENT, "adaptive");
    FAILS(linnet_stream_policy(stream, NULL), ARGUMENT, "null");
    FAILS(linnet_stream_set_policy(engine, NULL), HANDLE, "of kind engine");
    OK(linnet_stream_free(stream));
    free(silence);
}

static void alternatives(void) {
    linnet_stream_config_t config = stream_config();
    linnet_transcript_t transcript = 0;
    linnet_event_t event = {.size = sizeof event};
    config.beam_width = 4;
    config.alternatives = 3;
    OK(linnet_transcribe_i16(engine, samples, frames, 16000, 1, &config, &transcript));
    OK(linnet_transcript_get(transcript, &event));
    CHECK(event.alternatives_len > 1 && event.alternatives_len <= 3);
    CHECK(strcmp(event.alternatives[0].text, event.text) == 0);
    for (size_t i = 1; i < event.alternatives_len; i++) {
        CHECK(event.alternatives[i].score <= event.alternatives[i - 1].score);
        CHECK(strlen(event.alternatives[i].text) == event.alternatives[i].text_len);
    }
    OK(linnet_transcript_free(transcript));
    config.beam_width = 0;
    FAILS(linnet_transcribe_i16(engine, samples, frames, 16000, 1, &config, &transcript), ARGUMENT, "beam_width");
    CHECK(transcript == 0);
}

static void sessions(void) {
    linnet_live_config_t config = {.size = sizeof config};
    linnet_stream_config_t stream = stream_config();
    linnet_format_config_t format = {.size = sizeof format};
    linnet_session_metrics_t metrics = {.size = sizeof metrics};
    linnet_policy_t policy = {.size = sizeof policy};
    linnet_event_t event = {.size = sizeof event};
    linnet_grammar_t grammar = make_grammar(engine), foreign = make_grammar(other_engine);
    linnet_hotwords_t zebra = make_zebra(engine), strange = make_zebra(other_engine);
    linnet_live_t live = 0;
    OK(linnet_live_config_init(&config));
    OK(linnet_policy_init(&policy, LINNET_PRESET_DICTATION));
    config.realtime_priority = 0;
    config.buffer_ms = 60000;
    config.stream = &stream;
    stream.hotwords = strange;
    FAILS(linnet_live_start(engine, &config, &live), ARGUMENT, "another engine");
    stream.hotwords = zebra;

    /* Hotwords come with the configuration, then a grammar and a format. */
    for (int with_grammar = 0; with_grammar < 2; with_grammar++) {
        int finals = 0;
        OK(linnet_live_start(engine, &config, &live));
        if (with_grammar) {
            OK(linnet_format_config_init(&format));
            format.punctuate = 1;
            OK(linnet_live_set_format(live, &format));
            OK(linnet_live_set_hotwords(live, 0));
            OK(linnet_live_set_policy(live, &policy));
            OK(linnet_live_set_grammar(live, grammar));
            FAILS(linnet_live_set_grammar(live, foreign), ARGUMENT, "another engine");
            FAILS(linnet_live_set_hotwords(live, strange), ARGUMENT, "another engine");
        }
        for (size_t at = 0; at + 160 <= frames; at += 160) {
            OK(linnet_live_push_i16(live, samples + at, 160));
        }
        OK(linnet_live_stop(live));
        do {
            OK(linnet_live_next(live, &event, 60000));
            CHECK(event.kind != LINNET_EVENT_NONE);
            if (event.kind == LINNET_EVENT_FINAL) {
                finals++;
                if (with_grammar) {
                    check_meaning(&event);
                    CHECK(event.written[0] >= 'A' && event.written[0] <= 'Z');
                } else {
                    CHECK(!event.interpreted && strstr(event.text, "zebra") != NULL);
                }
            }
        } while (event.state != LINNET_STATE_STOPPED);
        CHECK(finals == 1);
        OK(linnet_live_session_metrics(live, &metrics));
        CHECK(metrics.queue.count > 100 && metrics.delivery.count > 0 && metrics.capture_to_event.count > 0);
        CHECK(metrics.gaps == 0 && metrics.dropped_ms == 0 && metrics.level_peak_db <= 0);
        OK(linnet_live_free(live));
    }
    FAILS(linnet_live_set_policy(live, NULL), HANDLE, "freed");
    FAILS(linnet_live_set_format(live, NULL), HANDLE, "freed");
    FAILS(linnet_live_set_hotwords(live, 0), HANDLE, "freed");
    FAILS(linnet_live_set_grammar(live, 0), HANDLE, "freed");
    FAILS(linnet_live_session_metrics(live, &metrics), HANDLE, "freed");
    OK(linnet_grammar_free(grammar));
    OK(linnet_grammar_free(foreign));
    OK(linnet_hotwords_free(zebra));
    OK(linnet_hotwords_free(strange));
}

/* What a stream hears of the clip, if anything. */
static char *hear(linnet_stream_t stream, char text[4096]) {
    OK(linnet_stream_push_i16(stream, samples, frames));
    OK(linnet_stream_finalize(stream));
    linnet_event_t final = next_final(stream);
    CHECK(final.text_len < 4096);
    strcpy(text, final.text);
    return text;
}

static char *read_stream(linnet_stream_config_t *config, char text[4096]) {
    linnet_stream_t stream = 0;
    OK(linnet_stream_new(engine, config, &stream));
    hear(stream, text);
    OK(linnet_stream_free(stream));
    return text;
}

static void language_models(const char *folder) {
    /* Of all that can be written it knows one letter. */
    const char *const letter = "\\data\\\nngram 1=3\n\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-0.1\te\n\n\\end\\\n";
    linnet_language_model_config_t config = {.size = sizeof config};
    linnet_language_model_t strong = 0, mute = 0, foreign = 0, model = 1;
    char plain[4096], text[4096];

    OK(linnet_language_model_config_init(&config));
    CHECK(config.weight > 0 && config.token_reward > 0);
    OK(linnet_language_model_open_memory(engine, letter, strlen(letter), NULL, &model));
    CHECK(model != 0);
    OK(linnet_language_model_free(model));
    FAILS(linnet_language_model_free(model), HANDLE, "freed");
    OK(linnet_language_model_free(0));
    config.weight = 5;
    OK(linnet_language_model_open_memory(engine, letter, strlen(letter), &config, &strong));
    config.weight = config.token_reward = 0;
    OK(linnet_language_model_open_memory(engine, letter, strlen(letter), &config, &mute));
    OK(linnet_language_model_open_memory(other_engine, letter, strlen(letter), NULL, &foreign));

    /* One that does not count changes nothing, one that counts much does, in a beam only. */
    linnet_stream_config_t stream_settings = stream_config();
    stream_settings.beam_width = 4;
    stream_settings.language_model = LINNET_NO_LANGUAGE_MODEL;
    read_stream(&stream_settings, plain);
    stream_settings.language_model = mute;
    CHECK(strcmp(read_stream(&stream_settings, text), plain) == 0);
    stream_settings.language_model = strong;
    CHECK(strcmp(read_stream(&stream_settings, text), plain) != 0);
    stream_settings.beam_width = 1;
    read_stream(&stream_settings, text);
    stream_settings.language_model = 0;
    CHECK(strcmp(read_stream(&stream_settings, plain), text) == 0);

    /* The same for a recording; and the stream goes on when the handle is gone. */
    linnet_transcript_t transcript = 0;
    linnet_event_t event = {.size = sizeof event};
    stream_settings.beam_width = 4;
    stream_settings.language_model = strong;
    read_stream(&stream_settings, plain);
    linnet_stream_t stream = 0;
    OK(linnet_stream_new(engine, &stream_settings, &stream));
    OK(linnet_transcribe_i16(engine, samples, frames, 16000, 1, &stream_settings, &transcript));
    OK(linnet_transcript_get(transcript, &event));
    CHECK(strcmp(event.text, heard) != 0);
    OK(linnet_transcript_free(transcript));
    OK(linnet_language_model_free(strong));
    CHECK(strcmp(hear(stream, text), plain) == 0);
    OK(linnet_stream_free(stream));
    FAILS(linnet_stream_new(engine, &stream_settings, &stream), HANDLE, "freed");
    stream_settings.language_model = foreign;
    FAILS(linnet_stream_new(engine, &stream_settings, &stream), ARGUMENT, "another engine");
    stream_settings.language_model = engine;
    FAILS(linnet_stream_new(engine, &stream_settings, &stream), HANDLE, "of kind engine");

    /* From a file, and what is none. */
    char path[4096];
    CHECK(snprintf(path, sizeof path, "%s.arpa", folder) < (int)sizeof path);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fputs(letter, file) >= 0 && fclose(file) == 0);
    OK(linnet_language_model_open(engine, path, NULL, &model));
    OK(linnet_language_model_free(model));
    CHECK(remove(path) == 0);
    FAILS(linnet_language_model_open(engine, path, NULL, &model), LINNET_ERROR_MODEL, ".arpa");
    CHECK(model == 0);
    FAILS(linnet_language_model_open(engine, NULL, NULL, &model), ARGUMENT, "null");
    FAILS(linnet_language_model_open_memory(engine, letter, 16, NULL, &model), LINNET_ERROR_MODEL, "end");
    FAILS(linnet_language_model_open_memory(engine, "\xff", 1, NULL, &model), LINNET_ERROR_MODEL, "UTF-8");
    FAILS(linnet_language_model_open_memory(engine, NULL, 1, NULL, &model), ARGUMENT, "null");
    FAILS(linnet_language_model_open_memory(engine, letter, SIZE_MAX, NULL, &model), ARGUMENT, "memory");
    FAILS(linnet_language_model_open_memory(engine, letter, strlen(letter), NULL, NULL), ARGUMENT, "null");
    config.weight = NAN;
    FAILS(linnet_language_model_open_memory(engine, letter, strlen(letter), &config, &model), ARGUMENT, "weight");
    config.weight = 0;
    config.token_reward = 101;
    FAILS(linnet_language_model_open_memory(engine, letter, strlen(letter), &config, &model), ARGUMENT, "reward");
    config.size = 1;
    FAILS(linnet_language_model_open_memory(engine, letter, strlen(letter), &config, &model), ARGUMENT, "size");
    OK(linnet_language_model_free(mute));
    OK(linnet_language_model_free(foreign));
}

/* The words of a final of a stream that tells so many speakers apart, by who says them; [0] counts those of nobody. */
static void count_speakers(linnet_stream_config_t *config, size_t counts[17]) {
    linnet_stream_t stream = 0;
    OK(linnet_stream_new(engine, config, &stream));
    linnet_event_t final = say_and_finalize(stream);
    memset(counts, 0, 17 * sizeof *counts);
    for (size_t i = 0; i < final.words_len; i++) {
        CHECK(final.words[i].speaker <= config->speakers);
        counts[final.words[i].speaker]++;
    }
    for (size_t i = 0; i < final.written_words_len; i++) CHECK(final.written_words[i].speaker <= config->speakers);
    OK(linnet_stream_free(stream));
}

static void speakers(void) {
    linnet_engine_info_t info = {.size = sizeof info};
    linnet_stream_config_t config = stream_config();
    size_t counts[17];
    OK(linnet_engine_info(engine, &info));
    CHECK(info.speakers <= 1 && config.speakers == 0 && config.speaker_threshold == 0);
    count_speakers(&config, counts);
    CHECK(counts[0] > 0);
    /* One person speaks: whoever cannot be told from another is the first. */
    config.speakers = 1;
    count_speakers(&config, counts);
    CHECK(info.speakers ? counts[1] > 0 : counts[1] == 0);
    config.speakers = 4;
    config.speaker_threshold = 0.01f;
    count_speakers(&config, counts);
    CHECK(info.speakers ? counts[1] > 0 : counts[1] == 0);
    linnet_stream_t stream = 0;
    config.speakers = 17;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "speakers");
    config.speakers = 4;
    config.speaker_threshold = NAN;
    FAILS(linnet_stream_new(engine, &config, &stream), ARGUMENT, "speaker_threshold");
    /* A program that was compiled before these fields came does not have them. */
    config.size = offsetof(linnet_stream_config_t, speakers);
    OK(linnet_stream_new(engine, &config, &stream));
    OK(linnet_stream_free(stream));
    info.speakers = 77;
    info.size = offsetof(linnet_engine_info_t, speakers);
    OK(linnet_engine_info(engine, &info));
    CHECK(info.speakers == 77);
}

static void devices(void) {
    linnet_devices_t list = 1;
    linnet_device_t device = {.size = sizeof device};
    size_t len = 99;
    linnet_status_t status = linnet_devices_list(&list);
    if (status == LINNET_OK) {
        OK(linnet_devices_len(list, &len));
        for (size_t i = 0; i < len; i++) {
            OK(linnet_devices_get(list, i, &device));
            CHECK(device.id != NULL && device.name != NULL && strlen(device.id) > 0);
        }
        FAILS(linnet_devices_get(list, len, &device), ARGUMENT, "index");
        OK(linnet_devices_free(list));
        FAILS(linnet_devices_free(list), HANDLE, "freed");
    } else {
        CHECK(list == 0 && (status == LINNET_ERROR_UNSUPPORTED || status == LINNET_ERROR_AUDIO));
        CHECK(strlen(linnet_last_error()) > 0);
    }
    FAILS(linnet_devices_len(0, &len), HANDLE, "zero");
    FAILS(linnet_devices_list(NULL), ARGUMENT, "null");
    OK(linnet_devices_free(0));
}

struct messages {
    int count[5];
    char last[512];
};

static void on_message(void *user_data, uint32_t level, const char *target, const char *message) {
    struct messages *messages = (struct messages *)user_data;
    CHECK(level >= LINNET_LOG_ERROR && level <= LINNET_LOG_DEBUG);
    CHECK(strncmp(target, "linnet", 6) == 0 && strlen(message) > 0);
    messages->count[level]++;
    strncpy(messages->last, message, sizeof messages->last - 1);
    /* Calls from here log nothing, and can't change who is called. */
    FAILS(linnet_stream_finalize(7), HANDLE, "");
    FAILS(linnet_log(NULL, NULL, LINNET_LOG_OFF), ARGUMENT, "within");
}

static void logging(const char *model) {
    struct messages messages = {{0}, ""};
    linnet_engine_t opened = 0;
    OK(linnet_log(on_message, &messages, LINNET_LOG_INFO));
    OK(linnet_engine_open(model, &opened));
    CHECK(messages.count[LINNET_LOG_INFO] == 1 && strstr(messages.last, "parameters") != NULL);
    CHECK(linnet_engine_free(opened + 256) == HANDLE);
    CHECK(messages.count[LINNET_LOG_DEBUG] == 0);
    OK(linnet_log(on_message, &messages, LINNET_LOG_DEBUG));
    CHECK(linnet_engine_free(opened + 256) == HANDLE);
    CHECK(messages.count[LINNET_LOG_DEBUG] == 1 && strstr(messages.last, "handle") != NULL);
    FAILS(linnet_log(on_message, &messages, 17), ARGUMENT, "level");
    OK(linnet_log(NULL, NULL, LINNET_LOG_DEBUG));
    int before = messages.count[LINNET_LOG_DEBUG];
    CHECK(linnet_engine_free(opened + 256) == HANDLE);
    CHECK(messages.count[LINNET_LOG_DEBUG] == before);
    OK(linnet_engine_free(opened));
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    read_clip(argv[2]);
    logging(argv[1]);
    OK(linnet_engine_open(argv[1], &engine));
    OK(linnet_engine_open(argv[1], &other_engine));
    hear_clip();
    rejected_hotwords();
    hotwords_in_streams();
    grammars();
    formats();
    policies();
    alternatives();
    language_models(argv[0]);
    speakers();
    sessions();
    devices();
    OK(linnet_engine_free(engine));
    OK(linnet_engine_free(other_engine));
    free(samples);
    return 0;
}
