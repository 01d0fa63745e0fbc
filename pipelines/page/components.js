// What the page shows of a call.

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
    this.shown = 0;
    this.level = 0;
  }

  // Of full scale, from 0 to 1.
  set level(peak) {
    this.shown = Math.max(peak, (this.shown ?? 0) * 0.85);
    const db = this.shown > 0.001 ? 20 * Math.log10(this.shown) : -60;
    this.bar.style.transform = `scaleX(${Math.max(0, 1 + db / 60).toFixed(3)})`;
    this.setAttribute("aria-valuenow", db.toFixed(0));
    this.toggleAttribute("clipped", this.shown > 0.98);
  }
}

// Said and heard, in the order in which it began.
class CallTranscript extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "log");
    this.setAttribute("aria-label", "What is said");
    this.turns = new Map();
  }

  clear() {
    this.turns.clear();
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
    turn.words.replaceChildren(heard, rest);
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
    const near = this.scrollHeight - this.scrollTop - this.clientHeight < 160;
    if (near) this.scrollTop = this.scrollHeight;
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
    this.#set("last", `${Math.round(ms)} ms`);
    this.#set("median", `${Math.round(sorted[(sorted.length - 1) >> 1])} ms`);
  }

  cost({ turn, call }) {
    this.#set("turn", turn ?? "unpriced");
    this.#set("call", call ?? "unpriced");
  }

  #set(name, text) {
    this.querySelector(`[data-of=${name}]`).textContent = text;
  }
}

customElements.define("level-meter", LevelMeter);
customElements.define("call-transcript", CallTranscript);
customElements.define("tool-calls", ToolCalls);
customElements.define("turn-figures", TurnFigures);
