// The microphone, camera and screen for pipecat's page, which has them by a library that loads more
// of itself from its maker's site. This asks the browser alone, and is served in its place.

const LEVEL_EVERY_MS = 100;
const LOCAL = { local: true, user_id: "local", user_name: "" };
const PROBLEMS = {
  NotAllowedError: "permissions",
  NotFoundError: "not-found",
  OverconstrainedError: "constraints",
  NotReadableError: "in-use",
};

/** Level of a track from 0 to 1, as it is now. */
class Meter {
  constructor(track) {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.samples = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
  }

  get level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    return Math.min(1, Math.hypot(...this.samples) / Math.sqrt(this.samples.length) * 4);
  }

  close() {
    this.context.close();
  }
}

/** Those of the caller, by the part of the library's interface that the page uses. */
class Devices {
  static instance = null;

  static getCallInstance() {
    return Devices.instance ?? undefined;
  }

  static createCallObject() {
    Devices.instance = new Devices();
    return Devices.instance;
  }

  constructor() {
    this.listeners = new Map();
    this.tracks = { audio: null, video: null, screenVideo: null, screenAudio: null };
    this.chosen = { audio: undefined, video: undefined, speaker: "default" };
    this.meter = null;
    this.levels = null;
    navigator.mediaDevices.addEventListener("devicechange", async () => {
      const { devices } = await this.enumerateDevices();
      this.tell("available-devices-updated", { availableDevices: devices });
    });
  }

  on(event, listener) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    return this;
  }

  tell(event, about) {
    for (const listener of this.listeners.get(event) ?? []) {
      listener({ action: event, ...about });
    }
  }

  // What is on

  async startCamera({ startVideoOff = false, startAudioOff = false } = {}) {
    if (!startAudioOff) await this.open("audio");
    if (!startVideoOff) await this.open("video");
    return this.selected();
  }

  async open(kind) {
    const wanted = this.chosen[kind] ? { deviceId: { exact: this.chosen[kind] } } : true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wanted });
      this.take(kind, stream.getTracks()[0]);
    } catch (error) {
      this.fail([kind], error);
    }
  }

  take(slot, track) {
    this.drop(slot);
    this.tracks[slot] = track;
    // The page stops what a connection that it replaces has sent, though the next one sends it, too.
    track.stop = () => {};
    track.addEventListener("ended", () => this.tracks[slot] === track && this.drop(slot));
    if (slot === "audio") this.meter = new Meter(track);
    this.tell("track-started", { participant: LOCAL, track, type: slot });
  }

  drop(slot) {
    const track = this.tracks[slot];
    if (!track) return;
    this.tracks[slot] = null;
    MediaStreamTrack.prototype.stop.call(track);
    if (slot === "audio") {
      this.meter?.close();
      this.meter = null;
    }
    this.tell("track-stopped", { participant: LOCAL, track, type: slot });
  }

  fail(media, error) {
    const type = PROBLEMS[error.name] ?? "unknown";
    this.tell("camera-error", {
      error: {
        type: type === "in-use" ? (media[0] === "audio" ? "mic-in-use" : "cam-in-use") : type,
        msg: error.message,
        blockedBy: "user",
        blockedMedia: media,
        missingMedia: media,
        failedMedia: media,
      },
    });
  }

  setLocalAudio(on) {
    const track = this.tracks.audio;
    if (!track) {
      if (on) this.open("audio");
      return;
    }
    track.enabled = on;
    this.tell(on ? "track-started" : "track-stopped", { participant: LOCAL, track, type: "audio" });
  }

  setLocalVideo(on) {
    if (on) this.open("video");
    else this.drop("video");
  }

  localAudio() {
    return this.tracks.audio?.enabled ?? false;
  }

  localVideo() {
    return this.tracks.video !== null;
  }

  async startScreenShare() {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: true });
      this.take("screenVideo", stream.getVideoTracks()[0]);
    } catch {
      // The user thought better of it.
    }
  }

  stopScreenShare() {
    this.drop("screenVideo");
  }

  localScreenVideo() {
    return this.tracks.screenVideo !== null;
  }

  localScreenAudio() {
    return false;
  }

  participants() {
    const tracks = Object.fromEntries(
      Object.entries(this.tracks).map(([slot, track]) => [
        slot,
        { persistentTrack: track ?? undefined },
      ]),
    );
    return { local: { ...LOCAL, tracks } };
  }

  leave() {
    for (const slot of Object.keys(this.tracks)) this.drop(slot);
    clearInterval(this.levels);
    this.levels = null;
  }

  // Which devices

  async enumerateDevices() {
    return { devices: await navigator.mediaDevices.enumerateDevices() };
  }

  async setInputDevicesAsync({ audioDeviceId, videoDeviceId }) {
    for (const [kind, id] of [["audio", audioDeviceId], ["video", videoDeviceId]]) {
      if (!id) continue;
      this.chosen[kind] = id;
      if (this.tracks[kind]) await this.open(kind);
    }
    const devices = await this.selected();
    this.tell("selected-devices-updated", { devices });
    return devices;
  }

  async setOutputDeviceAsync({ outputDeviceId }) {
    this.chosen.speaker = outputDeviceId;
    return this.selected();
  }

  async selected() {
    const { devices } = await this.enumerateDevices();
    const found = (kind, id) =>
      devices.find((each) => each.kind === kind && each.deviceId === id) ??
      devices.find((each) => each.kind === kind) ?? {};
    const of = (slot) => this.tracks[slot]?.getSettings().deviceId ?? this.chosen[slot];
    return {
      camera: found("videoinput", of("video")),
      mic: found("audioinput", of("audio")),
      speaker: found("audiooutput", this.chosen.speaker),
    };
  }

  // How loud

  isLocalAudioLevelObserverRunning() {
    return this.levels !== null;
  }

  async startLocalAudioLevelObserver(everyMs = LEVEL_EVERY_MS) {
    this.levels = setInterval(() => {
      const audioLevel = this.localAudio() ? this.meter.level : 0;
      this.tell("local-audio-level", { audioLevel });
    }, everyMs);
  }
}

export { Devices };
