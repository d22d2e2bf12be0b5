// Runs on the browser's audio thread: 16-bit samples of the first channel, in messages of about 100 ms.
class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Int16Array(Math.round(sampleRate / 10));
    this.count = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.samples[this.count++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.count === this.samples.length) {
        this.port.postMessage(this.samples.slice());
        this.count = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
