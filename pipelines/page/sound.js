// The microphone and the loudspeaker of this browser, at one rate, 16-bit mono.

const RATE_HZ = 24000;
const RATES_HZ = [8000, 16000, 24000, 48000];
const START_MS = 5000;

export class Sound {
  // Called with 20 ms of the microphone each, and how loud it is.
  onMicrophone = (_sound, _peak) => {};
  // Called ten times a second with how far the loudspeaker is in which stream, and how loud.
  onPlayed = (_stream, _samples, _news, _peak) => {};
  // Called with the settings of a microphone that is gone: unplugged, or not allowed any more.
  onLost = (_settings) => {};
  #muted = false;

  // Whoever calls it closes what is open, if it fails.
  async open() {
    this.microphone = await microphone();
    try {
      await this.#connect(new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" }));
    } catch {
      // Some browsers connect a microphone only at the rate of the device.
      await this.context.close();
      await this.#connect(new AudioContext({ latencyHint: "interactive" }));
    }
    if (!RATES_HZ.includes(this.rateHz)) {
      throw new Error(`this device sounds at ${this.rateHz} Hz, which the server does not take`);
    }
    await started(this.context);
  }

  get rateHz() {
    return this.context.sampleRate;
  }

  set muted(muted) {
    this.#muted = muted;
    for (const track of this.microphone.getAudioTracks()) track.enabled = !muted;
  }

  // Take another microphone, or one that is back, and give its name; the call does not notice.
  async hear(deviceId) {
    const heard = await microphone(deviceId);
    const [track] = heard.getAudioTracks();
    if (this.context.state === "closed") {
      track.stop();
      throw new Error("the call is over");
    }
    for (const old of this.microphone.getTracks()) old.stop();
    this.microphone = heard;
    this.muted = this.#muted;
    this.#listen();
    return track.label || "a microphone";
  }

  play(sound) {
    this.speaker.port.postMessage({ sound }, [sound]);
  }

  clear(stream) {
    this.speaker.port.postMessage({ clear: stream });
  }

  // Samples that were taken from the queue and are not at the ear yet.
  get buffered() {
    return Math.round((this.context.outputLatency || 0) * this.rateHz);
  }

  close() {
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    if (this.context?.state !== "closed") this.context?.close();
  }

  async #connect(context) {
    this.context = context;
    await context.audioWorklet.addModule("microphone-worklet.js");
    await context.audioWorklet.addModule("speaker-worklet.js");
    this.ear = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    this.ear.port.onmessage = ({ data }) => this.onMicrophone(data.sound, data.peak);
    this.#listen();
    this.speaker = new AudioWorkletNode(context, "speaker", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.speaker.port.onmessage = ({ data }) =>
      this.onPlayed(data.stream, data.played, data.news, data.peak);
    this.speaker.connect(context.destination);
  }

  #listen() {
    const [track] = this.microphone.getAudioTracks();
    const settings = track.getSettings();
    this.source?.disconnect();
    this.source = this.context.createMediaStreamSource(this.microphone);
    this.source.connect(this.ear);
    track.addEventListener("ended", () => {
      if (this.microphone.getAudioTracks()[0] === track) this.onLost(settings);
    });
  }
}

// Where there is no loudspeaker, a browser may wait for one for ever.
async function started(context) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, START_MS, new Error("the browser finds no loudspeaker"));
  });
  await Promise.race([context.resume(), late]);
  clearTimeout(timer);
}

async function microphone(deviceId) {
  if (!navigator.mediaDevices) throw new Error("browsers give the microphone to pages by https or at localhost only");
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (deviceId) audio.deviceId = { exact: deviceId };
  return navigator.mediaDevices.getUserMedia({ audio });
}
