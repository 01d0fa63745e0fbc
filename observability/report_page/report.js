"use strict";
// What the page shows without it is whole; this draws the sound, plays it and goes where it is told.

const data = JSON.parse(document.getElementById("run-data").textContent);
const length = Math.max(data.duration_s, 0.1);

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at += 1) found[at] = raw.charCodeAt(at);
  return found;
}

function clock(at) {
  const tenths = Math.round(at * 10);
  const minutes = Math.floor(tenths / 600);
  const rest = tenths % 600;
  const seconds = String(Math.floor(rest / 10)).padStart(2, "0");
  const text = `${minutes % 60}:${seconds}.${rest % 10}`;
  return minutes < 60 ? text : `${Math.floor(minutes / 60)}:${text.padStart(7, "0")}`;
}

// Where the call stands, and whether it plays. Without sound there is a position nevertheless.
class Player extends EventTarget {
  #audio = null;
  #at = 0;

  constructor(source, type) {
    super();
    if (!source) return;
    this.#audio = new Audio();
    this.#audio.preload = "auto";
    this.#audio.src = URL.createObjectURL(new Blob([bytes(source.textContent)], { type }));
    source.remove();
    for (const kind of ["play", "pause", "ended", "seeked"]) {
      this.#audio.addEventListener(kind, () => this.#tell());
    }
  }

  get at() { return this.#audio ? this.#audio.currentTime : this.#at; }
  get playing() { return this.#audio !== null && !this.#audio.paused; }

  seek(at) {
    const to = Math.min(Math.max(at, 0), length);
    this.#at = to;
    if (this.#audio) this.#audio.currentTime = to;
    this.#tell();
  }

  toggle() {
    if (!this.#audio) return;
    if (this.playing) this.#audio.pause();
    else this.#audio.play().catch(() => this.#tell());
  }

  #tell() { this.dispatchEvent(new Event("moved")); }
}

const player = new Player(document.getElementById("audio-data"), data.audio_type);

const WAVE = 72;
const LANE = 22;
const RULER = 20;
const LABEL = 96;
const POINT = 9;
const HIDDEN_LABELS = 560;

class CallTimeline extends HTMLElement {
  #canvas;
  #picture = document.createElement("canvas");
  #waves;
  #from = 0;
  #span = length;

  connectedCallback() {
    this.#canvas = this.querySelector("canvas");
    this.#waves = ["caller", "agent"].filter((side) => data[side]).map((side) => [side, bytes(data[side])]);
    const scroll = this.querySelector(".scroll input");
    this.querySelectorAll("[data-zoom]").forEach((button) =>
      button.addEventListener("click", () => this.zoom(button.dataset.zoom)));
    scroll.addEventListener("input", () => this.#show(scroll.value / 1000 * (length - this.#span)));
    this.#canvas.addEventListener("click", (event) => player.seek(this.#time(event)));
    this.#canvas.addEventListener("mousemove", (event) => this.#tell(event));
    this.#canvas.addEventListener("mouseleave", () => this.#read(""));
    this.#canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? "in" : "out", this.#time(event));
    }, { passive: false });
    player.addEventListener("moved", () => this.follow());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this);
  }

  zoom(how, around = player.at) {
    const share = (around - this.#from) / this.#span;
    const kept = share >= 0 && share <= 1 ? share : 0.5;
    const factor = { in: 0.5, out: 2, all: Infinity }[how];
    this.#span = Math.min(length, Math.max(1, this.#span * factor));
    this.#show(around - kept * this.#span);
  }

  follow() {
    const at = player.at;
    if (at < this.#from || at > this.#from + this.#span) this.#show(at - this.#span * 0.1);
    else this.#pointAt();
  }

  #show(from) {
    this.#from = Math.min(Math.max(from, 0), length - this.#span);
    const whole = this.#span >= length;
    const scroll = this.querySelector(".scroll");
    scroll.hidden = whole;
    if (!whole) scroll.querySelector("input").value = this.#from / (length - this.#span) * 1000;
    this.draw();
  }

  get #left() { return this.clientWidth < HIDDEN_LABELS ? 0 : LABEL; }
  get #width() { return Math.max(this.clientWidth - this.#left, 1); }
  #x(at) { return this.#left + (at - this.#from) / this.#span * this.#width; }
  #time(event) {
    const x = event.clientX - this.#canvas.getBoundingClientRect().left - this.#left;
    return this.#from + x / this.#width * this.#span;
  }

  get #rows() {
    const labelled = this.#left === 0 ? 14 : 0;
    const waves = this.#waves.map(([side, peaks]) => ({ side, peaks, height: WAVE + labelled }));
    const lanes = data.lanes.map((lane) => ({ lane, height: LANE + labelled }));
    let top = RULER;
    return [...waves, ...lanes].map((row) => {
      const placed = { ...row, top: top + labelled, label: top };
      top += row.height + 4;
      return placed;
    });
  }

  // All but the cursor: an hour of it takes longer than a frame, so that it is drawn once a view.
  draw() {
    // Where it is not shown, such as in a window without width, there is nothing to draw on.
    if (!this.clientWidth) return;
    const rows = this.#rows;
    const last = rows[rows.length - 1];
    const height = last.label + last.height + 8;
    const scale = window.devicePixelRatio || 1;
    for (const canvas of [this.#canvas, this.#picture]) {
      canvas.width = this.clientWidth * scale;
      canvas.height = height * scale;
    }
    this.#canvas.style.height = `${height}px`;
    const pen = this.#picture.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(this);
    const known = new Map();
    const colour = (name) => {
      if (!known.has(name)) known.set(name, style.getPropertyValue(`--${name}`).trim());
      return known.get(name);
    };
    pen.font = "12px system-ui, sans-serif";
    this.#ruler(pen, height, colour);
    for (const row of rows) {
      pen.fillStyle = colour("muted");
      pen.textBaseline = this.#left ? "middle" : "top";
      const name = row.side || row.lane.name;
      const middle = row.top + (row.side ? WAVE : LANE) / 2;
      pen.fillText(name, 8, this.#left ? middle : row.label);
      if (row.side) this.#wave(pen, row, colour(row.side));
      else this.#lane(pen, row, colour);
    }
    this.#pointAt();
  }

  #pointAt() {
    const pen = this.#canvas.getContext("2d");
    const scale = window.devicePixelRatio || 1;
    pen.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    pen.drawImage(this.#picture, 0, 0);
    const x = this.#x(player.at);
    if (x < this.#left) return;
    pen.fillStyle = getComputedStyle(this).getPropertyValue("--cursor").trim();
    pen.fillRect((x - 1) * scale, 0, 2 * scale, this.#canvas.height);
  }

  #ruler(pen, height, colour) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800];
    const fitting = this.#width / 70;
    const step = steps.find((each) => this.#span / each <= fitting) || 3600;
    pen.textBaseline = "middle";
    for (let n = Math.ceil(this.#from / step); n * step <= this.#from + this.#span; n += 1) {
      const x = this.#x(n * step);
      pen.fillStyle = colour("line");
      pen.fillRect(x, RULER - 4, 1, height);
      pen.fillStyle = colour("muted");
      const text = step < 1 ? clock(n * step) : clock(n * step).slice(0, -2);
      const wide = pen.measureText(text).width;
      pen.fillText(text, Math.min(x + 3, this.clientWidth - wide - 2), 9);
    }
  }

  #wave(pen, row, colour) {
    const bar = data.peak_ms / 1000;
    const middle = row.top + WAVE / 2;
    pen.fillStyle = colour;
    for (let x = 0; x < this.#width; x += 1) {
      const from = Math.floor((this.#from + x / this.#width * this.#span) / bar);
      const to = Math.max(from + 1, Math.floor((this.#from + (x + 1) / this.#width * this.#span) / bar));
      let peak = 0;
      for (let at = from; at < to && at < row.peaks.length; at += 1) peak = Math.max(peak, row.peaks[at]);
      const tall = Math.max(peak / 255 * WAVE, 1);
      pen.fillRect(this.#left + x, middle - tall / 2, 1, tall);
    }
  }

  #lane(pen, row, colour) {
    pen.save();
    pen.beginPath();
    pen.rect(this.#left, row.top, this.#width, LANE);
    pen.clip();
    for (const [start, end, , ink] of row.lane.items) {
      pen.fillStyle = colour(ink || row.lane.ink);
      const x = this.#x(start);
      if (end === null) this.#diamond(pen, x, row.top + LANE / 2);
      else pen.fillRect(x, row.top + 4, Math.max(this.#x(end) - x, 2), LANE - 8);
    }
    pen.restore();
  }

  #diamond(pen, x, y) {
    const half = POINT / 2;
    pen.beginPath();
    pen.moveTo(x, y - half - 1);
    pen.lineTo(x + half, y);
    pen.lineTo(x, y + half + 1);
    pen.lineTo(x - half, y);
    pen.fill();
  }

  #tell(event) {
    const at = this.#time(event);
    const y = event.clientY - this.#canvas.getBoundingClientRect().top;
    const near = POINT / this.#width * this.#span;
    const row = this.#rows.find((each) => each.lane && y >= each.label && y <= each.top + LANE);
    const item = row && row.lane.items.find(([start, end]) => at >= start - near && at <= (end === null ? start : end) + near);
    this.#read(at < 0 ? "" : `${clock(at)}${item && item[2] ? ` · ${item[2]}` : ""}`);
  }

  #read(text) { this.querySelector(".readout").textContent = text || "\u00a0"; }
}
customElements.define("call-timeline", CallTimeline);

const play = document.getElementById("play");
const position = document.getElementById("position");
const now = document.getElementById("now");
const turns = [...document.querySelectorAll(".transcript li")].map((line) =>
  ({ line, from: Number(line.dataset.from), to: Number(line.dataset.to) }));

function update() {
  const at = player.at;
  now.textContent = clock(at);
  position.value = at;
  position.setAttribute("aria-valuetext", `${clock(at)} of ${clock(length)}`);
  play.classList.toggle("playing", player.playing);
  play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
  for (const turn of turns) turn.line.classList.toggle("playing", at > 0 && at >= turn.from - 0.05 && at <= turn.to);
}

let beating = false;
function beat() {
  beating = player.playing;
  if (!beating) return;
  update();
  document.querySelector("call-timeline")?.follow();
  requestAnimationFrame(beat);
}

player.addEventListener("moved", () => {
  update();
  if (!beating) beat();
});
play.addEventListener("click", () => player.toggle());
position.addEventListener("input", () => player.seek(Number(position.value)));
document.querySelectorAll(".seek").forEach((button) =>
  button.addEventListener("click", () => player.seek(Number(button.dataset.at))));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, button, a, .scrolling")) return;
  const timeline = document.querySelector("call-timeline");
  const keys = {
    " ": () => player.toggle(),
    ArrowLeft: () => player.seek(player.at - 5),
    ArrowRight: () => player.seek(player.at + 5),
    "+": () => timeline?.zoom("in"),
    "-": () => timeline?.zoom("out"),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
update();
