// The microphone on the audio thread: 20 ms of 16-bit samples a message, and how loud they are.
// Silence goes on where the microphone is gone, so that what was said before it has an end.

const NOTHING = new Float32Array(128);

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(Math.round(sampleRate * 0.02));
    this.filled = 0;
    this.peak = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? NOTHING) {
      const value = Math.max(-1, Math.min(1, sample));
      this.peak = Math.max(this.peak, Math.abs(value));
      this.frame[this.filled++] = value < 0 ? value * 32768 : value * 32767;
      if (this.filled === this.frame.length) this.send();
    }
    return true;
  }

  send() {
    const sound = this.frame.slice().buffer;
    this.port.postMessage({ sound, peak: this.peak }, [sound]);
    this.filled = 0;
    this.peak = 0;
  }
}

registerProcessor("microphone", Microphone);
