/* What org.linnet.Linnet calls. Strings are arrays of bytes in UTF-8; those that come in end with a zero. */
#include <jni.h>
#include <linnet.h>

#include <stdlib.h>
#include <string.h>

#define CALL(result, name) JNIEXPORT result JNICALL Java_org_linnet_Linnet_##name

static jbyteArray bytes_of(JNIEnv *env, const char *text) {
    jsize len = (jsize)strlen(text);
    jbyteArray array = (*env)->NewByteArray(env, len);
    if (array != NULL) {
        (*env)->SetByteArrayRegion(env, array, 0, len, (const jbyte *)text);
    }
    return array;
}

CALL(jbyteArray, libraryVersion)(JNIEnv *env, jclass class) {
    (void)class;
    return bytes_of(env, linnet_version());
}

CALL(jbyteArray, lastErrorBytes)(JNIEnv *env, jclass class) {
    (void)class;
    return bytes_of(env, linnet_last_error());
}

CALL(jlong, openFile)(JNIEnv *env, jclass class, jbyteArray path) {
    linnet_engine_t engine = 0;
    (void)class;
    jbyte *bytes = (*env)->GetByteArrayElements(env, path, NULL);
    if (bytes != NULL) {
        (void)linnet_engine_open((const char *)bytes, &engine);
        (*env)->ReleaseByteArrayElements(env, path, bytes, JNI_ABORT);
    }
    return (jlong)engine;
}

CALL(jlong, openBytes)(JNIEnv *env, jclass class, jbyteArray model) {
    linnet_engine_t engine = 0;
    (void)class;
    jbyte *bytes = (*env)->GetByteArrayElements(env, model, NULL);
    if (bytes != NULL) {
        (void)linnet_engine_open_memory((const uint8_t *)bytes, (size_t)(*env)->GetArrayLength(env, model), &engine);
        (*env)->ReleaseByteArrayElements(env, model, bytes, JNI_ABORT);
    }
    return (jlong)engine;
}

CALL(jint, freeEngine)(JNIEnv *env, jclass class, jlong engine) {
    (void)env, (void)class;
    return linnet_engine_free((linnet_engine_t)engine);
}

CALL(jlong, newStream)(JNIEnv *env, jclass class, jlong engine, jint rate_hz) {
    linnet_stream_t stream = 0;
    linnet_stream_config_t config = {.size = sizeof config};
    (void)env, (void)class;
    if (linnet_stream_config_init(&config) == LINNET_OK) {
        config.sample_rate_hz = rate_hz < 0 ? 0 : (uint32_t)rate_hz;
        (void)linnet_stream_new((linnet_engine_t)engine, &config, &stream);
    }
    return (jlong)stream;
}

CALL(jint, freeStream)(JNIEnv *env, jclass class, jlong stream) {
    (void)env, (void)class;
    return linnet_stream_free((linnet_stream_t)stream);
}

/* A push computes: the array must not be pinned meanwhile, so samples are copied, a piece at a time. */
enum { PIECE = 2048 };

CALL(jint, pushShorts)(JNIEnv *env, jclass class, jlong stream, jshortArray samples, jint count) {
    jshort piece[PIECE];
    linnet_status_t status = LINNET_OK;
    (void)class;
    for (jint at = 0; at < count && status == LINNET_OK; at += PIECE) {
        jint len = count - at < PIECE ? count - at : PIECE;
        (*env)->GetShortArrayRegion(env, samples, at, len, piece);
        status = linnet_stream_push_i16((linnet_stream_t)stream, piece, (size_t)len);
    }
    return status;
}

CALL(jint, pushFloats)(JNIEnv *env, jclass class, jlong stream, jfloatArray samples, jint count) {
    jfloat piece[PIECE];
    linnet_status_t status = LINNET_OK;
    (void)class;
    for (jint at = 0; at < count && status == LINNET_OK; at += PIECE) {
        jint len = count - at < PIECE ? count - at : PIECE;
        (*env)->GetFloatArrayRegion(env, samples, at, len, piece);
        status = linnet_stream_push_f32((linnet_stream_t)stream, piece, (size_t)len);
    }
    return status;
}

static int put(JNIEnv *env, jobjectArray strings, jsize at, const char *text) {
    jbyteArray bytes = text == NULL ? NULL : bytes_of(env, text);
    if (text != NULL && bytes == NULL) {
        return 0;
    }
    (*env)->SetObjectArrayElement(env, strings, at, bytes);
    (*env)->DeleteLocalRef(env, bytes);
    return 1;
}

/* {numbers, strings} of an event as Linnet.Event takes them; null when the call failed. */
CALL(jobjectArray, poll)(JNIEnv *env, jclass class, jlong stream) {
    linnet_event_t event = {.size = sizeof event};
    (void)class;
    if (linnet_stream_poll((linnet_stream_t)stream, &event) != LINNET_OK) {
        return NULL;
    }
    jsize words = (jsize)event.words_len, slots = (jsize)event.slots_len;
    jsize numbers_len = 5 + 3 * words, strings_len = 3 + words + 2 * slots;
    jclass object = (*env)->FindClass(env, "java/lang/Object"), array = (*env)->FindClass(env, "[B");
    jlong *numbers = (jlong *)calloc((size_t)numbers_len, sizeof *numbers);
    jobjectArray result = NULL, strings = NULL;
    jlongArray told = NULL;
    if (numbers == NULL || object == NULL || array == NULL ||
        (strings = (*env)->NewObjectArray(env, strings_len, array, NULL)) == NULL ||
        (told = (*env)->NewLongArray(env, numbers_len)) == NULL) {
        free(numbers);
        return NULL;
    }
    numbers[0] = event.kind;
    numbers[1] = (jlong)event.start_ms;
    numbers[2] = (jlong)event.end_ms;
    numbers[3] = (event.speech_final ? 1 : 0) | (event.accepted ? 2 : 0);
    numbers[4] = words;
    int good = put(env, strings, 0, event.text) && put(env, strings, 1, event.written) &&
               put(env, strings, 2, event.intent);
    for (jsize i = 0; good && i < words; i++) {
        numbers[5 + 3 * i] = (jlong)event.words[i].start_ms;
        numbers[6 + 3 * i] = (jlong)event.words[i].end_ms;
        numbers[7 + 3 * i] = (jlong)(event.words[i].confidence * 1000);
        good = put(env, strings, 3 + i, event.words[i].text);
    }
    for (jsize i = 0; good && i < slots; i++) {
        good = put(env, strings, 3 + words + 2 * i, event.slots[i].name) &&
               put(env, strings, 4 + words + 2 * i, event.slots[i].value);
    }
    (*env)->SetLongArrayRegion(env, told, 0, numbers_len, numbers);
    free(numbers);
    if (good && (result = (*env)->NewObjectArray(env, 2, object, NULL)) != NULL) {
        (*env)->SetObjectArrayElement(env, result, 0, told);
        (*env)->SetObjectArrayElement(env, result, 1, strings);
    }
    return result;
}

/* Of each rejected phrase "phrase: reason"; null when the call failed. */
static jobjectArray tell_rejected(JNIEnv *env, linnet_hotwords_t hotwords) {
    linnet_rejected_hotword_t rejected = {.size = sizeof rejected};
    size_t len = 0;
    jclass array = (*env)->FindClass(env, "[B");
    jobjectArray told = NULL;
    if (array == NULL || linnet_hotwords_rejected_len(hotwords, &len) != LINNET_OK ||
        (told = (*env)->NewObjectArray(env, (jsize)len, array, NULL)) == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        if (linnet_hotwords_rejected(hotwords, i, &rejected) != LINNET_OK) {
            return NULL;
        }
        size_t size = strlen(rejected.phrase) + strlen(rejected.reason) + 3;
        char *line = (char *)malloc(size);
        if (line == NULL) {
            return NULL;
        }
        strcpy(line, rejected.phrase);
        strcat(line, ": ");
        strcat(line, rejected.reason);
        int good = put(env, told, (jsize)i, line);
        free(line);
        if (!good) {
            return NULL;
        }
    }
    return told;
}

CALL(jobjectArray, hotwords)
(JNIEnv *env, jclass class, jlong stream, jlong engine, jobjectArray phrases, jfloat boost) {
    jsize len = (*env)->GetArrayLength(env, phrases), taken = 0;
    linnet_hotword_t *list = (linnet_hotword_t *)calloc((size_t)len + 1, sizeof *list);
    jbyteArray *arrays = (jbyteArray *)calloc((size_t)len + 1, sizeof *arrays);
    linnet_hotwords_t hotwords = 0;
    jobjectArray told = NULL;
    (void)class;
    while (list != NULL && arrays != NULL && taken < len) {
        jbyteArray array = (jbyteArray)(*env)->GetObjectArrayElement(env, phrases, taken);
        jbyte *bytes = (*env)->GetByteArrayElements(env, array, NULL);
        if (bytes == NULL) {
            break;
        }
        arrays[taken] = array;
        list[taken].phrase = (const char *)bytes;
        list[taken++].boost = boost;
    }
    if (list != NULL && arrays != NULL && taken == len &&
        linnet_hotwords_new((linnet_engine_t)engine, list, (size_t)len, &hotwords) == LINNET_OK &&
        linnet_stream_set_hotwords((linnet_stream_t)stream, hotwords) == LINNET_OK) {
        told = tell_rejected(env, hotwords);
    }
    for (jsize i = 0; i < taken; i++) {
        (*env)->ReleaseByteArrayElements(env, arrays[i], (jbyte *)list[i].phrase, JNI_ABORT);
    }
    free(list);
    free(arrays);
    (void)linnet_hotwords_free(hotwords);
    return told;
}

CALL(jint, grammar)(JNIEnv *env, jclass class, jlong stream, jlong engine, jbyteArray source) {
    linnet_grammar_t grammar = 0;
    linnet_status_t status = LINNET_OK;
    (void)class;
    if (source != NULL) {
        jbyte *bytes = (*env)->GetByteArrayElements(env, source, NULL);
        if (bytes == NULL) {
            return LINNET_ERROR_RESOURCES;
        }
        status = linnet_grammar_new((linnet_engine_t)engine, (const char *)bytes, NULL, &grammar);
        (*env)->ReleaseByteArrayElements(env, source, bytes, JNI_ABORT);
    }
    if (status == LINNET_OK) {
        status = linnet_stream_set_grammar((linnet_stream_t)stream, grammar);
    }
    (void)linnet_grammar_free(grammar);
    return status;
}

CALL(jint, smartFormat)(JNIEnv *env, jclass class, jlong stream, jboolean on) {
    linnet_format_config_t format = {.size = sizeof format};
    (void)env, (void)class;
    linnet_status_t status = linnet_format_config_init(&format);
    if (status != LINNET_OK) {
        return status;
    }
    format.smart = on ? 1 : 0;
    format.punctuate = on ? 1 : 0;
    return linnet_stream_set_format((linnet_stream_t)stream, &format);
}

CALL(jint, finalizeStream)(JNIEnv *env, jclass class, jlong stream) {
    (void)env, (void)class;
    return linnet_stream_finalize((linnet_stream_t)stream);
}

CALL(jint, finishStream)(JNIEnv *env, jclass class, jlong stream) {
    (void)env, (void)class;
    return linnet_stream_finish((linnet_stream_t)stream);
}
