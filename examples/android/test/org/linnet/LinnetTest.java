package org.linnet;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;

/** The Java class and its JNI library on a desktop JVM: LinnetTest MODEL CLIP, a 16 kHz mono 16-bit WAV file. */
public final class LinnetTest {
    private static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    private static Linnet.Event say(Linnet.Stream stream, short[] samples) {
        stream.push(samples, samples.length);
        stream.finalizeUtterance();
        Linnet.Event last = null;
        for (Linnet.Event event = stream.poll(); event != null; event = stream.poll()) {
            last = event.kind == Linnet.Event.FINAL ? event : last;
        }
        check(last != null && !last.text.isEmpty(), "no final");
        return last;
    }

    private static void fails(Runnable call, String part) {
        try {
            call.run();
        } catch (Linnet.Failure failure) {
            check(failure.getMessage().contains(part), failure.getMessage());
            return;
        }
        throw new AssertionError("no failure with " + part);
    }

    public static void main(String[] arguments) throws Exception {
        byte[] wav = Files.readAllBytes(Paths.get(arguments[1]));
        short[] samples = new short[(wav.length - 44) / 2];
        ByteBuffer.wrap(wav, 44, wav.length - 44).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer().get(samples);
        float[] floats = new float[samples.length];
        for (int i = 0; i < samples.length; i++) {
            floats[i] = samples[i] / 32768f;
        }
        String text;
        try (Linnet linnet = new Linnet(Files.readAllBytes(Paths.get(arguments[0])));
                Linnet.Stream stream = linnet.stream(16000)) {
            Linnet.Event first = say(stream, samples);
            text = first.text;
            check(String.join(" ", first.words.stream().map(word -> word.text).toArray(String[]::new)).equals(text), text);
            stream.push(floats, floats.length);
            stream.finalizeUtterance();

            List<String> rejected = stream.setHotwords(Arrays.asList("tea", "\u2603"), 2);
            check(rejected.size() == 1 && rejected.get(0).startsWith("\u2603: "), rejected.toString());
            stream.setHotwords(Arrays.asList(), 2);
            while (stream.poll() != null) {
            }
            stream.setGrammar("#JSGF V1.0;\npublic <ask> = (will | can){verb} you help (me | us);");
            Linnet.Event meant = say(stream, samples);
            check("ask".equals(meant.intent), String.valueOf(meant.intent));
            check(meant.slots.size() == 1 && meant.slots.get(0).name.equals("verb"), "no slot");
            stream.setGrammar(null);
            stream.setSmartFormat(true);
            check(Character.isUpperCase(say(stream, samples).written.charAt(0)), "no capital");
            fails(() -> stream.setGrammar("nothing"), "line 1");
            stream.finish();
            fails(() -> stream.push(samples, 1), "ended");
        }
        fails(() -> new Linnet("no such file"), "no such file");
        fails(() -> new Linnet(new byte[20]), "");
        try (Linnet linnet = new Linnet(arguments[0])) {
            fails(() -> linnet.stream(3), "3");
        }
        System.out.println(Linnet.version() + " " + text);
    }
}
