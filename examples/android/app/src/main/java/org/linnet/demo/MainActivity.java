package org.linnet.demo;

import android.Manifest;
import android.app.Activity;
import android.content.pm.PackageManager;
import android.media.AudioFormat;
import android.media.AudioRecord;
import android.media.MediaRecorder;
import android.os.Bundle;
import android.widget.TextView;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import org.linnet.Linnet;

/** Shows what is said, as it is said. */
public final class MainActivity extends Activity {
    private static final int RATE_HZ = 16000;
    private TextView view;
    private volatile boolean listening;
    private Thread thread;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        view = new TextView(this);
        view.setTextSize(24);
        view.setPadding(48, 96, 48, 48);
        setContentView(view);
        if (checkSelfPermission(Manifest.permission.RECORD_AUDIO) == PackageManager.PERMISSION_GRANTED) {
            listen();
        } else {
            requestPermissions(new String[] {Manifest.permission.RECORD_AUDIO}, 0);
        }
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
        if (results.length > 0 && results[0] == PackageManager.PERMISSION_GRANTED) {
            listen();
        } else {
            view.setText("Linnet needs the microphone.");
        }
    }

    @Override
    protected void onDestroy() {
        listening = false;
        super.onDestroy();
    }

    private void listen() {
        listening = true;
        thread = new Thread(this::recognize, "linnet");
        thread.start();
    }

    private void recognize() {
        int block = RATE_HZ / 10;
        int least = AudioRecord.getMinBufferSize(RATE_HZ, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT);
        AudioRecord microphone = new AudioRecord(MediaRecorder.AudioSource.VOICE_RECOGNITION, RATE_HZ,
                AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT, Math.max(least, 4 * block));
        try (Linnet linnet = new Linnet(asset("linnet-en.linnet")); Linnet.Stream stream = linnet.stream(RATE_HZ)) {
            stream.setSmartFormat(true);
            microphone.startRecording();
            short[] samples = new short[block];
            while (listening) {
                int count = microphone.read(samples, 0, samples.length);
                if (count < 0) {
                    throw new IOException("the microphone failed: " + count);
                }
                stream.push(samples, count);
                for (Linnet.Event event = stream.poll(); event != null; event = stream.poll()) {
                    if (event.kind == Linnet.Event.INTERIM || event.kind == Linnet.Event.FINAL) {
                        String text = event.written;
                        runOnUiThread(() -> view.setText(text));
                    }
                }
            }
        } catch (IOException | Linnet.Failure failure) {
            runOnUiThread(() -> view.setText(failure.getMessage()));
        } finally {
            microphone.release();
        }
    }

    private byte[] asset(String name) throws IOException {
        try (InputStream input = getAssets().open(name)) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 16];
            for (int count = input.read(buffer); count >= 0; count = input.read(buffer)) {
                bytes.write(buffer, 0, count);
            }
            return bytes.toByteArray();
        }
    }
}
