package org.linnet;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * An opened model. Share it between streams and threads, and close it at the end.
 *
 * <pre>{@code
 * try (Linnet linnet = new Linnet(bytesOfTheModel); Linnet.Stream stream = linnet.stream(16000)) {
 *     stream.push(samples, count);
 *     for (Linnet.Event event = stream.poll(); event != null; event = stream.poll()) {
 *         if (event.kind == Linnet.Event.FINAL) show(event.written);
 *     }
 * }
 * }</pre>
 */
public final class Linnet implements AutoCloseable {
    static {
        System.loadLibrary("linnet_jni");
    }

    /** A call failed; the message says why. */
    public static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message);
        }
    }

    /** A recognized word, where it is in the stream, and how sure the recognizer is of it, 0 to 1. */
    public static final class Word {
        public final String text;
        public final long startMs;
        public final long endMs;
        public final float confidence;

        Word(String text, long startMs, long endMs, float confidence) {
            this.text = text;
            this.startMs = startMs;
            this.endMs = endMs;
            this.confidence = confidence;
        }
    }

    /** A slot of a grammar that was filled. */
    public static final class Slot {
        public final String name;
        public final String value;

        Slot(String name, String value) {
            this.name = name;
            this.value = value;
        }
    }

    /** Something that happened in a stream. Kinds are those of linnet.h. */
    public static final class Event {
        public static final int SPEECH_STARTED = 1;
        public static final int INTERIM = 2;
        public static final int FINAL = 3;
        public static final int UTTERANCE_END = 4;
        public static final int GAP = 5;

        public final int kind;
        public final long startMs;
        public final long endMs;
        public final boolean speechFinal;
        /** Whether a grammar interpreted the utterance and accepts it. */
        public final boolean accepted;
        public final String text;
        /** The text as the stream's format writes it. */
        public final String written;
        /** What was said in the grammar, or null. */
        public final String intent;
        public final List<Word> words;
        public final List<Slot> slots;

        Event(long[] numbers, byte[][] strings) {
            kind = (int) numbers[0];
            startMs = numbers[1];
            endMs = numbers[2];
            speechFinal = (numbers[3] & 1) != 0;
            accepted = (numbers[3] & 2) != 0;
            text = string(strings[0]);
            written = string(strings[1]);
            intent = strings[2] == null ? null : string(strings[2]);
            int count = (int) numbers[4];
            List<Word> words = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int at = 5 + 3 * i;
                words.add(new Word(string(strings[3 + i]), numbers[at], numbers[at + 1], numbers[at + 2] / 1000f));
            }
            List<Slot> slots = new ArrayList<>();
            for (int i = 3 + count; i < strings.length; i += 2) {
                slots.add(new Slot(string(strings[i]), string(strings[i + 1])));
            }
            this.words = Collections.unmodifiableList(words);
            this.slots = Collections.unmodifiableList(slots);
        }
    }

    /** One stream of audio. Calls take turns. */
    public static final class Stream implements AutoCloseable {
        private final Linnet linnet;
        private long handle;

        Stream(Linnet linnet, long handle) {
            this.linnet = linnet;
            this.handle = handle;
        }

        /** Takes the first {@code count} of 16-bit mono samples. */
        public void push(short[] samples, int count) {
            if (count < 0 || count > samples.length) {
                throw new IndexOutOfBoundsException(count + " of " + samples.length + " samples");
            }
            check(pushShorts(handle, samples, count));
        }

        /** Takes the first {@code count} of mono samples in -1 to 1. */
        public void push(float[] samples, int count) {
            if (count < 0 || count > samples.length) {
                throw new IndexOutOfBoundsException(count + " of " + samples.length + " samples");
            }
            check(pushFloats(handle, samples, count));
        }

        /** The next event, or null when there is none until more is pushed. */
        public Event poll() {
            Object[] event = Linnet.poll(handle);
            if (event == null) {
                throw new Failure(lastError());
            }
            long[] numbers = (long[]) event[0];
            return numbers[0] == 0 ? null : new Event(numbers, (byte[][]) event[1]);
        }

        /**
         * Listens for phrases; returns those that can't be listened for, with reasons. Boosts of 0.5 to 1.5 suit most; 0
         * takes the default, 0.8.
         */
        public List<String> setHotwords(List<String> phrases, float boost) {
            byte[][] bytes = phrases.stream().map(Linnet::bytes).toArray(byte[][]::new);
            byte[][] rejected = hotwords(handle, linnet.handle, bytes, boost);
            if (rejected == null) {
                throw new Failure(lastError());
            }
            List<String> told = new ArrayList<>();
            Arrays.stream(rejected).forEach(phrase -> told.add(string(phrase)));
            return told;
        }

        /** Keeps to a grammar in JSGF, or with null to none. */
        public void setGrammar(String source) {
            check(grammar(handle, linnet.handle, source == null ? null : bytes(source)));
        }

        /** Writes numbers, money, times and the like as a reader expects them, with capitals. */
        public void setSmartFormat(boolean on) {
            check(smartFormat(handle, on));
        }

        /** Makes a final of what was pushed so far; the stream goes on. */
        public void finalizeUtterance() {
            check(finalizeStream(handle));
        }

        /** Makes a final of what was pushed so far, and ends the stream. */
        public void finish() {
            check(finishStream(handle));
        }

        @Override
        public synchronized void close() {
            long closed = handle;
            handle = 0;
            check(freeStream(closed));
        }
    }

    private long handle;

    /** Opens a model file. */
    public Linnet(String path) {
        handle = opened(openFile(bytes(path)));
    }

    /** Opens a model in memory, such as an asset. The bytes are copied. */
    public Linnet(byte[] model) {
        handle = opened(openBytes(model));
    }

    /** Starts a stream of mono samples. */
    public Stream stream(int sampleRateHz) {
        return new Stream(this, opened(newStream(handle, sampleRateHz)));
    }

    /** The version of the library. */
    public static String version() {
        return string(libraryVersion());
    }

    @Override
    public synchronized void close() {
        long closed = handle;
        handle = 0;
        check(freeEngine(closed));
    }

    private static long opened(long handle) {
        if (handle == 0) {
            throw new Failure(lastError());
        }
        return handle;
    }

    private static void check(int status) {
        if (status != 0) {
            throw new Failure(lastError());
        }
    }

    private static String lastError() {
        return string(lastErrorBytes());
    }

    /** UTF-8 with a zero at its end, as the library takes it: JNI's own strings are encoded otherwise. */
    private static byte[] bytes(String text) {
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a zero in the text");
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return Arrays.copyOf(bytes, bytes.length + 1);
    }

    private static String string(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static native byte[] libraryVersion();

    private static native byte[] lastErrorBytes();

    private static native long openFile(byte[] path);

    private static native long openBytes(byte[] model);

    private static native int freeEngine(long engine);

    private static native long newStream(long engine, int sampleRateHz);

    private static native int freeStream(long stream);

    private static native int pushShorts(long stream, short[] samples, int count);

    private static native int pushFloats(long stream, float[] samples, int count);

    private static native Object[] poll(long stream);

    private static native byte[][] hotwords(long stream, long engine, byte[][] phrases, float boost);

    private static native int grammar(long stream, long engine, byte[] source);

    private static native int smartFormat(long stream, boolean on);

    private static native int finalizeStream(long stream);

    private static native int finishStream(long stream);
}
