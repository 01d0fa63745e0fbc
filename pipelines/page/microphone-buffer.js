// The latest five seconds of the microphone, each sample with its number in the call: what was
// sent as well as what was not, because the call may go on in a process that never got it.

const KEEP_S = 5;

export class MicrophoneBuffer {
  constructor(rateHz) {
    this.most = rateHz * KEEP_S;
    this.frames = [];
    this.kept = 0;
    this.end = 0;
  }

  get start() {
    return this.end - this.kept;
  }

  add(sound) {
    const samples = new Int16Array(sound);
    this.frames.push(samples);
    this.kept += samples.length;
    this.end += samples.length;
    while (this.kept > this.most) this.kept -= this.frames.shift().length;
  }

  // What comes from a sample on, in pieces, and the number of the first sample given.
  from(sample) {
    const first = Math.min(Math.max(sample, this.start), this.end);
    let skip = first - this.start;
    const pieces = [];
    for (const frame of this.frames) {
      if (skip < frame.length) pieces.push(skip ? frame.slice(skip) : frame);
      skip = Math.max(0, skip - frame.length);
    }
    return { first, pieces };
  }
}
