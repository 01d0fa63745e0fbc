// The microphone on the audio thread: 20 ms of 16-bit samples a message, and how loud they are.

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(Math.round(sampleRate * 0.02));
    this.filled = 0;
    this.peak = 0;
  }

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (const sample of samples) {
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
