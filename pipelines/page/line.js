// A call over our WebSocket protocol (docs/websocket.md) that comes back when its line dies.

import { MicrophoneBuffer } from "./microphone-buffer.js";

const FINAL = new Set([1000, 4001, 4400, 4401, 4404]);
// For a call that has not begun; one that has may go on.
const FAILED = 4500;
const GIVE_UP_MS = 60_000;
const LONGEST_PAUSE_MS = 1000;
const READY_MS = 15_000;
const PING_MS = 1000;
// A network that is gone tells nobody: a line that gives no answer for so long is taken for dead.
const SILENT_MS = 3000;

export class CallLine extends EventTarget {
  constructor(url, { rateHz, access }) {
    super();
    this.url = url;
    this.rateHz = rateHz;
    this.access = access;
    this.token = null;
    this.microphone = new MicrophoneBuffer(rateHz);
    this.stream = 0;
    this.played = 0;
    this.marks = [];
    this.attached = false;
    this.everAttached = false;
    this.over = false;
    this.lostAt = performance.now();
    this.pause = 20;
    this.askedAt = this.heardAt = 0;
    this.pinging = setInterval(() => this.#ping(), PING_MS);
    this.#attach();
  }

  // 20 ms of the microphone; kept while no server is attached.
  speak(sound) {
    this.microphone.add(sound);
    if (this.attached) this.socket.send(sound);
  }

  // So many samples of a stream have sounded.
  report(stream, samples) {
    if (stream !== this.stream || samples <= this.played) return;
    this.played = samples;
    this.tell({ type: "played", stream, samples });
  }

  tell(message) {
    if (this.attached) this.socket.send(JSON.stringify(message));
    return this.attached;
  }

  // For who hangs up it is over at once; a server that cannot hear it is told when it is back.
  hangUp() {
    this.over = true;
    if (this.attached) this.#sayBye();
    else this.#end("");
  }

  #sayBye() {
    this.attached = false;
    this.saidBye = true;
    this.socket.send(JSON.stringify({ type: "bye" }));
    setTimeout(() => this.#end(""), SILENT_MS);
  }

  // Which response sounds, and how much of it did.
  get heard() {
    let mark = { response_id: "", response_ms: 0, at_sample: 0 };
    for (const each of this.marks) if (each.at_sample < this.played) mark = each;
    const ms = mark.response_ms + ((this.played - mark.at_sample) * 1000) / this.rateHz;
    return {
      stream: this.stream,
      samples: this.played,
      response_id: mark.response_id,
      response_ms: Math.max(0, ms),
    };
  }

  #attach() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    const patience = setTimeout(() => socket.close(), READY_MS);
    socket.onopen = () => socket.send(JSON.stringify(this.#hello()));
    socket.onmessage = ({ data }) => {
      this.heardAt = performance.now();
      if (typeof data === "string") this.#control(JSON.parse(data), patience);
      else this.#emit("sound", data);
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(patience);
      this.#lost(code, reason);
    };
  }

  #hello() {
    const hello = {
      type: "hello",
      version: 1,
      input_rate_hz: this.rateHz,
      output_rate_hz: this.rateHz,
      reports: true,
      details: true,
    };
    if (this.token) return { ...hello, token: this.token, heard: this.heard };
    return this.access ? { ...hello, access: this.access } : hello;
  }

  #control(message, patience) {
    switch (message.type) {
      case "ready":
        clearTimeout(patience);
        this.#ready(message);
        break;
      case "token":
        this.token = message.token;
        break;
      case "speech":
        if (message.stream === this.stream) this.marks.push(message);
        break;
      case "clear":
        this.#begin(message.stream);
        break;
      case "error":
        this.problem = message.message;
        break;
      case "pong":
        this.answers = true;
        break;
      default:
        this.#emit("message", message);
    }
  }

  #ready(message) {
    if (this.over) {
      this.socket.onmessage = null;
      return this.#sayBye();
    }
    this.token = message.token;
    const back = this.everAttached;
    this.#begin(message.stream);
    this.attached = this.everAttached = true;
    this.askedAt = 0;
    // An older server that takes the call over does not know the question.
    this.answers = false;
    this.lostAt = null;
    this.pause = 20;
    const { first, pieces } = this.microphone.from(message.received_samples);
    this.tell({ type: "microphone", from_sample: first });
    for (const piece of pieces) this.socket.send(piece);
    this.#ping();
    // So much of the microphone was too old to be kept.
    const lost_s = Math.max(0, first - message.received_samples) / this.rateHz;
    this.#emit("attached", { back, lost_s });
  }

  #begin(stream) {
    this.stream = stream;
    this.played = 0;
    this.marks = [];
    this.#emit("clear", stream);
  }

  // Only what was asked and not answered tells: a page that sleeps asks late.
  #ping() {
    if (!this.attached) return;
    const now = performance.now();
    if (this.heardAt >= this.askedAt) {
      this.askedAt = now;
      this.tell({ type: "ping" });
    } else if (this.answers && now - this.askedAt > SILENT_MS) {
      this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.#lost(1006, "");
    }
  }

  #lost(code, reason) {
    const was = this.attached;
    this.attached = false;
    const never = !this.token && (this.over || code === FAILED);
    if (FINAL.has(code) || this.saidBye || never) return this.#end(code === 1000 ? "" : reason || this.problem);
    if (was) {
      this.lostAt = performance.now();
      this.#emit("lost", reason);
    }
    if (!this.token && this.problem && this.problem !== this.told) {
      this.told = this.problem;
      this.#emit("waits", this.told);
    }
    if (performance.now() - this.lostAt > GIVE_UP_MS) {
      return this.#end(this.problem || "the server cannot be reached");
    }
    // A line that died comes back at once; a server that is gone is asked less and less.
    const pause = was ? 0 : this.pause * (0.5 + Math.random() / 2);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
    setTimeout(() => this.#attach(), pause);
  }

  #end(reason) {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.pinging);
    this.#emit("over", reason);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
