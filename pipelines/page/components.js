// What the page shows of a call.

const SILENT_DB = -60;
const SPOKEN_DB = -40;
const CLIPPED_DB = -0.2;
const FALL_DB_PER_S = 60;

class LevelMeter extends HTMLElement {
  connectedCallback() {
    const name = this.getAttribute("label");
    this.innerHTML = `<span class="name"></span><span class="track"><span class="bar"></span></span>`;
    this.querySelector(".name").textContent = name;
    this.bar = this.querySelector(".bar");
    this.setAttribute("role", "meter");
    this.setAttribute("aria-label", `Level: ${name}`);
    this.setAttribute("aria-valuemin", "-60");
    this.setAttribute("aria-valuemax", "0");
    this.level = 0;
  }

  clear() {
    this.db = SILENT_DB;
    this.level = 0;
  }

  // Of full scale, from 0 to 1. It rises at once and falls slowly, however often it is told.
  set level(peak) {
    const now = performance.now();
    const fallen = (this.db ?? SILENT_DB) - ((now - (this.at ?? now)) / 1000) * FALL_DB_PER_S;
    const db = peak > 0 ? 20 * Math.log10(peak) : SILENT_DB;
    this.db = Math.max(db, fallen, SILENT_DB);
    this.at = now;
    this.bar.style.transform = `scaleX(${(1 - this.db / SILENT_DB).toFixed(3)})`;
    this.setAttribute("aria-valuenow", this.db.toFixed(0));
    this.setAttribute("aria-valuetext", this.db > SPOKEN_DB ? "heard" : "silent");
    this.toggleAttribute("clipped", this.db > CLIPPED_DB);
  }
}

// Said and heard, in the order in which it began. A screen reader is not made to say it, for who
// talks hears it; it can be read, and notes are told elsewhere.
class CallTranscript extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "log");
    this.setAttribute("aria-live", "off");
    this.setAttribute("aria-label", "What is said");
    // So that it scrolls by the keyboard.
    this.tabIndex = 0;
    this.turns = new Map();
    // Until the reader scrolls back.
    this.follows = true;
    this.addEventListener("scroll", () => {
      this.follows = this.scrollHeight - this.scrollTop - this.clientHeight < 160;
    });
    // What is below it may grow.
    new ResizeObserver(() => this.#follow()).observe(this);
  }

  clear() {
    this.turns.clear();
    this.follows = true;
    this.replaceChildren();
  }

  user(id, text, final) {
    const turn = this.#turn(`user ${id}`, "user", "You");
    turn.words.textContent = text;
    turn.element.toggleAttribute("partial", !final);
    if (final && !text) turn.element.remove();
    this.#follow();
  }

  agent(id, text) {
    const turn = this.#turn(`agent ${id}`, "agent", "Agent");
    turn.text += text;
    turn.words.textContent = turn.text;
    this.#follow();
  }

  // The caller heard so much of an answer; what comes after it was never heard.
  heard(id, heard, interrupted) {
    const turn = this.turns.get(`agent ${id}`);
    if (!turn) return;
    turn.element.toggleAttribute("interrupted", interrupted);
    if (!interrupted) return;
    const rest = document.createElement("s");
    rest.textContent = turn.text.startsWith(heard) ? turn.text.slice(heard.length) : "";
    rest.title = "Not heard";
    rest.setAttribute("aria-label", `Not heard: ${rest.textContent}`);
    turn.words.replaceChildren(heard, rest);
  }

  get answers() {
    return this.querySelectorAll("article.agent").length;
  }

  // How long the caller waited for the answer that sounds, and what it cost.
  figure(name, text) {
    const answers = this.querySelectorAll("article.agent");
    const last = answers[answers.length - 1];
    if (!last) return;
    let figures = last.querySelector("small");
    if (!figures) last.append((figures = document.createElement("small")));
    figures.dataset[name] = text;
    const { latency, cost } = figures.dataset;
    figures.textContent = [latency, cost].filter(Boolean).join(" · ");
    this.#follow();
  }

  note(text) {
    const element = document.createElement("p");
    element.className = "note";
    element.textContent = text;
    this.append(element);
    this.#follow();
  }

  #turn(key, who, name) {
    const known = this.turns.get(key);
    if (known) return known;
    const element = document.createElement("article");
    element.className = who;
    element.innerHTML = `<h3></h3><p></p>`;
    element.querySelector("h3").textContent = name;
    this.append(element);
    const turn = { element, words: element.querySelector("p"), text: "" };
    this.turns.set(key, turn);
    return turn;
  }

  #follow() {
    if (this.follows) this.scrollTop = this.scrollHeight;
  }
}

// Who may be talked to; a click changes that, and one on who serves gives up a change that is still
// to come. Tells `choose` with the name.
class NodeChoice extends HTMLElement {
  connectedCallback() {
    this.clear();
  }

  clear() {
    this.innerHTML = `<p class="quiet">Nobody yet</p>`;
  }

  // One that was chosen and does not serve yet is shown as coming.
  show({ name, choices }, coming) {
    const known = choices.includes(name) ? choices : [name, ...choices];
    const focused = this.contains(document.activeElement) ? document.activeElement.dataset.name : "";
    this.replaceChildren(...known.map((each) => this.#button(each, each === name)));
    if (coming) this.querySelector(`[data-name="${CSS.escape(coming)}"]`)?.setAttribute("aria-busy", "true");
    if (known.length === 1) this.firstChild.disabled = true;
    if (focused) this.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  }

  set disabled(disabled) {
    for (const button of this.querySelectorAll("button")) button.disabled = disabled;
    this.settle();
  }

  // Nobody is to come any more.
  settle() {
    for (const button of this.querySelectorAll("button")) button.removeAttribute("aria-busy");
  }

  #button(name, serves) {
    const button = document.createElement("button");
    const [provider, ...model] = name.split(":");
    button.type = "button";
    button.dataset.name = name;
    button.setAttribute("aria-pressed", String(serves));
    button.innerHTML = `<b></b> <span></span>`;
    button.querySelector("b").textContent = provider;
    button.querySelector("span").textContent = model.join(":");
    button.addEventListener("click", () => {
      if (serves && !this.querySelector("[aria-busy]")) return;
      this.settle();
      if (!serves) button.setAttribute("aria-busy", "true");
      this.dispatchEvent(new CustomEvent("choose", { detail: name }));
    });
    return button;
  }
}

class ToolCalls extends HTMLElement {
  connectedCallback() {
    this.calls = new Map();
    this.clear();
  }

  clear() {
    this.calls.clear();
    this.innerHTML = `<p class="quiet">None yet</p>`;
  }

  show({ call_id, name, state, arguments: values, result, took_ms }) {
    let item = this.calls.get(call_id);
    if (!item) {
      if (!this.calls.size) this.replaceChildren();
      item = document.createElement("details");
      item.innerHTML = `<summary><code></code> <span></span></summary><pre></pre>`;
      item.values = values;
      this.prepend(item);
      this.calls.set(call_id, item);
    }
    item.dataset.state = state;
    item.querySelector("code").textContent = name;
    const took = took_ms === undefined ? "" : ` after ${(took_ms / 1000).toFixed(1)} s`;
    item.querySelector("span").textContent = `${state}${took}`;
    const told = { arguments: item.values ?? {} };
    if (result !== undefined) told.result = result;
    item.querySelector("pre").textContent = JSON.stringify(told, null, 2);
  }
}

class TurnFigures extends HTMLElement {
  connectedCallback() {
    this.clear();
  }

  clear() {
    this.latencies = [];
    this.innerHTML = `
      <dl>
        <div><dt>Last answer after</dt><dd data-of="last">–</dd></div>
        <div><dt>Median</dt><dd data-of="median">–</dd></div>
        <div><dt>Cost of the turn</dt><dd data-of="turn">–</dd></div>
        <div><dt>Cost of the call</dt><dd data-of="call">–</dd></div>
      </dl>`;
  }

  latency(ms) {
    this.latencies.push(ms);
    const sorted = [...this.latencies].sort((a, b) => a - b);
    const half = sorted.length / 2;
    const median = (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
    this.#set("last", `${Math.round(ms)} ms`);
    this.#set("median", `${Math.round(median)} ms`);
  }

  cost({ turn, call }, unknown) {
    this.#set("turn", turn ?? unknown);
    this.#set("call", call ?? unknown);
  }

  #set(name, text) {
    this.querySelector(`[data-of=${name}]`).textContent = text;
  }
}

customElements.define("level-meter", LevelMeter);
customElements.define("call-transcript", CallTranscript);
customElements.define("node-choice", NodeChoice);
customElements.define("tool-calls", ToolCalls);
customElements.define("turn-figures", TurnFigures);
