// The page: its buttons, a call, and what is shown of it.

import "./components.js";
import { CallLine } from "./line.js";
import "./microphone-choice.js";
import { Pictures } from "./picture.js";
import { Sound } from "./sound.js";

const $ = (id) => document.getElementById(id);
const IN_CALL = ["mute", "camera", "screen", "hang-up", "words", "send"];
const TOKEN_KEY = "crossfade-access";

let sound = null;
let line = null;
let serving = "";
// The node that was chosen and does not serve yet; a server that takes the call over is asked again.
let wanted = "";
let askAgain = false;
let sees = true;
const pictures = new Pictures($("preview"));

async function start() {
  $("start").disabled = true;
  problem("");
  try {
    const access = await admission();
    sound = new Sound();
    await sound.open();
    begin(access);
  } catch (error) {
    sound?.close();
    $("start").disabled = false;
    status("idle", "Not in a call");
    problem(explain(error));
  }
}

// What the server says in words of why it takes no call.
class Refused extends Error {}

// What lets this page begin a call: nothing where the server asks for nothing.
async function admission() {
  const token = $("access-token").value.trim() || sessionStorage.getItem(TOKEN_KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch("session", { method: "POST", headers });
  if (answer.status === 401) {
    sessionStorage.removeItem(TOKEN_KEY);
    $("access").hidden = false;
    $("access-token").select();
    throw new Refused(token ? "the server does not know this token" : "this server asks for its token");
  }
  if (!answer.ok) throw new Refused((await answer.text()).trim() || "the server takes no calls now");
  if (token) sessionStorage.setItem(TOKEN_KEY, token);
  $("access").hidden = true;
  return (await answer.json()).access;
}

function begin(access) {
  for (const id of ["transcript", "tools", "figures", "node"]) $(id).clear();
  $("session").textContent = serving = wanted = "";
  $("welcome").hidden = true;
  status("connecting", "Connecting");
  $("hang-up").disabled = false;
  const url = new URL("ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  line = new CallLine(url, { rateHz: sound.rateHz, access });
  sound.onMicrophone = (pcm, peak) => {
    line.speak(pcm);
    $("microphone-level").level = peak;
  };
  sound.onPlayed = (stream, samples, news, peak) => {
    if (news) line.report(stream, Math.max(0, samples - sound.buffered));
    $("agent-level").level = peak;
  };
  sound.onLost = (settings) => {
    $("transcript").note("The microphone is gone.");
    $("mute").disabled = true;
    $("microphone").lost(settings);
  };
  line.addEventListener("attached", ({ detail }) => {
    status("live", "In a call");
    problem("");
    enable(true);
    askAgain = detail.back && wanted !== "";
    if (detail.back) note(back(detail.lost_s));
    else if (document.activeElement === document.body) $("mute").focus();
  });
  line.addEventListener("lost", () => {
    status("lost", "The line is down; coming back");
    note("The line died. The call goes on as soon as it is back; the last five seconds that you say are kept for it.");
  });
  line.addEventListener("waits", ({ detail }) => problem(sentence(detail)));
  line.addEventListener("clear", ({ detail }) => sound.clear(detail));
  line.addEventListener("sound", ({ detail }) => sound.play(detail));
  line.addEventListener("message", ({ detail }) => show(detail));
  line.addEventListener("over", ({ detail }) => end(detail));
}

function show(message) {
  switch (message.type) {
    case "transcript":
      if (message.role === "user") $("transcript").user(message.item_id, message.text, message.final);
      else $("transcript").agent(message.response_id, message.text);
      break;
    case "heard":
      $("transcript").heard(message.response_id, message.text, message.interrupted);
      break;
    case "tool":
      $("tools").show(message);
      break;
    case "latency":
      $("figures").latency(message.voice_to_voice_ms);
      $("transcript").figure("latency", `after ${Math.round(message.voice_to_voice_ms)} ms`);
      break;
    case "cost":
      $("figures").cost(message, $("transcript").answers ? "unpriced" : "–");
      if (message.turn) $("transcript").figure("cost", message.turn);
      break;
    case "state":
      if (message.user_speaking) pictures.take();
      break;
    case "node":
      chosen(message);
      if (serving && serving !== message.name) note(`${message.name} serves now.`);
      serving = message.name;
      sees = message.sees !== false;
      if (pictures.source && !sees) note(`${serving} sees no pictures: the ${pictures.source} is off.`);
      if (!sees) pictures.end();
      eyes();
      break;
    case "session":
      $("session").textContent = wanted ? comes(wanted) : whoServes(message.text);
      break;
    case "problem":
      note(message.message);
      break;
  }
}

function back(lost_s) {
  if (lost_s < 0.1) return "The line is back.";
  return `The line is back. ${lost_s.toFixed(1)} s of your microphone were lost; if you spoke then, say it again.`;
}

// What the server tells of who serves and who comes holds, unless it never heard of the choice.
function chosen(message) {
  const coming = message.coming ?? "";
  if (askAgain && !coming && wanted !== message.name && message.choices.includes(wanted)) {
    line.tell({ type: "node", name: wanted });
  } else {
    wanted = coming;
  }
  askAgain = false;
  $("node").show(message, wanted);
}

const comes = (name) => `${name} comes at the next pause.`;

// Who serves is to be seen already; why, and another provider behind the node, are not.
function whoServes(text) {
  if (text === serving) return "";
  return text.startsWith(`${serving} (`) ? text.slice(serving.length + 2, -1) : text;
}

// In the transcript, and told by screen readers.
function note(text) {
  $("transcript").note(text);
  $("news").textContent = text;
}

function end(reason) {
  sound.close();
  $("microphone").close();
  pictures.end();
  enable(false);
  for (const id of ["microphone-level", "agent-level"]) $(id).clear();
  $("welcome").hidden = false;
  $("transcript").scrollTop = $("transcript").scrollHeight;
  $("start").disabled = false;
  $("start").textContent = "Start another call";
  $("mute").setAttribute("aria-pressed", "false");
  $("session").textContent = "";
  status("idle", reason && !line.everAttached ? "Not in a call" : "The call is over");
  problem(reason ? sentence(reason) : "");
  $("start").focus();
}

function enable(live) {
  for (const id of IN_CALL) $(id).disabled = !live;
  if (!$("microphone").hidden) $("mute").disabled = true;
  eyes();
  if (live) $("more").hidden = false;
  else details(false);
  $("screen").hidden = !navigator.mediaDevices?.getDisplayMedia;
  if (!live) $("node").disabled = true;
}

// Pictures are for those who see.
function eyes() {
  for (const id of ["camera", "screen"]) {
    $(id).disabled = $("hang-up").disabled || !sees;
    $(id).title = sees ? "" : `${serving} sees no pictures`;
  }
}

// On a small screen, in the place of the transcript.
function details(shown) {
  // What is hidden holds no focus.
  if (!shown && $("details").contains(document.activeElement)) $("more").focus();
  $("more").setAttribute("aria-expanded", String(shown));
  $("details").toggleAttribute("data-shown", shown);
  document.querySelector(".talk").inert = shown;
}

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function explain(error) {
  // In a call it goes on, whatever became of the microphone.
  const again = $("welcome").hidden ? "try again" : "start again";
  if (error.name === "NotAllowedError") return `The microphone is not allowed. Allow it for this page, and ${again}.`;
  if (error.name === "NotFoundError") return `No microphone was found. Plug one in, and ${again}.`;
  if (error instanceof TypeError) return "The server cannot be reached.";
  if (error instanceof Refused) return sentence(error.message);
  return `It did not work: ${error.message}.`;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

async function look(source) {
  if (pictures.source === source) return pictures.end();
  try {
    await pictures.begin(source);
    $(source).setAttribute("aria-pressed", "true");
  } catch (error) {
    if (error.name !== "NotAllowedError") note(`No picture: ${error.message}.`);
  }
}

pictures.onPicture = (source, data) =>
  line?.tell({ type: "image", source, mime: "image/jpeg", data });
pictures.onEnd = (source) => $(source).setAttribute("aria-pressed", "false");
pictures.onLost = (source) => note(`The ${source} is not shown any more.`);

$("start").addEventListener("click", start);
$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
$("hang-up").addEventListener("click", () => line.hangUp());
$("mute").addEventListener("click", ({ currentTarget: button }) => {
  const muted = button.getAttribute("aria-pressed") !== "true";
  sound.muted = muted;
  button.setAttribute("aria-pressed", String(muted));
});
$("microphone").addEventListener("choose", async ({ detail: deviceId }) => {
  try {
    const name = await sound.hear(deviceId);
    const focused = $("microphone").contains(document.activeElement);
    $("microphone").close();
    $("mute").disabled = !line.attached;
    if (focused) $("mute").focus();
    note(`The agent hears you again, by ${name}.`);
  } catch (error) {
    $("microphone").say(explain(error));
  }
});
$("camera").addEventListener("click", () => look("camera"));
$("screen").addEventListener("click", () => look("screen"));
$("node").addEventListener("choose", ({ detail: name }) => {
  if (line.tell({ type: "node", name })) {
    wanted = name === serving ? "" : name;
    $("session").textContent = wanted && comes(wanted);
  } else {
    wanted = "";
    $("node").settle();
    note("The line is down. Choose again when it is back.");
  }
});
$("more").addEventListener("click", () => details($("more").getAttribute("aria-expanded") !== "true"));
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && $("details").hasAttribute("data-shown")) details(false);
});
$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("words").value.trim();
  if (!text) return;
  if (!line.attached) return note("The line is down. Send it again when it is back.");
  pictures.take();
  line.tell({ type: "text", text });
  $("transcript").user(`written ${performance.now()}`, text, true);
  $("words").value = "";
});
