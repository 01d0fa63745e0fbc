// The loudspeaker on the audio thread: plays what comes, and tells how far it is.

const REPORT_S = 0.1;

class Speaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.clear(0);
    this.port.onmessage = ({ data }) => {
      if (data.clear !== undefined) this.clear(data.clear);
      else this.queue.push(new Int16Array(data.sound));
    };
    this.since = 0;
    this.peak = 0;
  }

  clear(stream) {
    this.stream = stream;
    this.queue = [];
    this.at = 0;
    this.played = 0;
    this.told = -1;
  }

  process(_, [output]) {
    const samples = output[0];
    for (let i = 0; i < samples.length && this.queue.length; i++) {
      const sound = this.queue[0];
      samples[i] = sound[this.at++] / 32768;
      this.peak = Math.max(this.peak, Math.abs(samples[i]));
      this.played++;
      if (this.at === sound.length) {
        this.queue.shift();
        this.at = 0;
      }
    }
    this.since += samples.length;
    if (this.since >= sampleRate * REPORT_S) this.report();
    return true;
  }

  report() {
    this.since = 0;
    const news = this.played !== this.told;
    this.port.postMessage({ stream: this.stream, played: this.played, news, peak: this.peak });
    this.told = this.played;
    this.peak = 0;
  }
}

registerProcessor("speaker", Speaker);
