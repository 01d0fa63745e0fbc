// The calls of a server for those who run it: asked for each second while the page is looked at.

const $ = (id) => document.getElementById(id);
const EVERY_MS = 1000;
const ENDED_EVERY_MS = 10_000;

const seconds = (s) => {
  const whole = Math.max(0, Math.round(s));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
};
const ms = (value) => (value === null ? "–" : `${Math.round(value)} ms`);
const dollars = (usd) => (usd ? `$${usd.toFixed(usd < 1 ? 4 : 2)}` : "–");
const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
const percent = (share) => `${Math.round(share * 100)} %`;
const moment = (iso) =>
  new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });

function element(name, content, fields = {}) {
  const made = Object.assign(document.createElement(name), fields);
  made.append(...[content].flat());
  return made;
}

function cell(name, content, className = "") {
  const made = element("td", content, { className });
  made.dataset.name = name;
  return made;
}

function table(caption, columns, rows, nothing) {
  if (!rows.length) return element("p", nothing, { className: "quiet" });
  const heads = columns.map(([name, className = ""]) => element("th", name, { className, scope: "col" }));
  return element("table", [
    element("caption", caption, { className: "unseen" }),
    element("thead", element("tr", heads)),
    element("tbody", rows),
  ]);
}

class ServerFigures extends HTMLElement {
  show(workers) {
    const calls = workers.reduce((sum, worker) => sum + worker.calls.length, 0);
    const day = workers[0].day;
    this.replaceChildren(
      this.#figure("Calls", `${calls}`),
      this.#figure("Today", [dollars(day.usd), element("small", ` in ${counted(day.calls, "call")}`)]),
      ...workers.map((worker) => this.#worker(worker, workers.length > 1)),
    );
  }

  #worker(worker, several) {
    const told = worker.draining ? "ending" : (worker.refusal ?? "");
    const cpu = worker.cpu === null ? "–" : percent(worker.cpu);
    const late = worker.late ? `${percent(worker.late)} of beats late` : "";
    const calls = several ? counted(worker.calls.length, "call") : "";
    const name = several ? `Worker ${worker.worker}` : "Load";
    const share = worker.cpu === null ? "" : "of one core";
    const small = [share, calls, late].filter(Boolean).join(", ");
    const made = this.#figure(name, [cpu, element("small", ` ${small}`), element("small", ` ${told}`)]);
    if (told) made.dataset.full = "";
    return made;
  }

  #figure(name, content) {
    return element("dl", [element("dt", name), element("dd", content)], { className: "figure" });
  }
}

class RunningCalls extends HTMLElement {
  connectedCallback() {
    this.rows = new Map();
  }

  show(workers, now) {
    const several = workers.length > 1;
    const calls = workers.flatMap(({ worker, calls }) => calls.map((call) => ({ ...call, worker })));
    calls.sort((a, b) => b.since - a.since);
    const names = calls.map((call) => call.call).join();
    // Rows stay while the same calls run, so that levels move and nothing jumps.
    if (names !== this.names) {
      this.names = names;
      this.rows = new Map(calls.map((call) => [call.call, this.#row(several)]));
      const columns = [["Call"], ["Since", "number"], ["Sound"], ["Last answer", "number"]];
      columns.push(["Median", "number"], ["Cost", "number"], ["State"]);
      const rows = [...this.rows.values()].map(({ row }) => row);
      this.replaceChildren(table("Calls that run", columns, rows, "Nobody is in a call."));
    }
    for (const call of calls) this.#fill(this.rows.get(call.call), call, now, several);
  }

  #row() {
    const bars = { caller: this.#bar("caller"), agent: this.#bar("agent") };
    const cells = {
      call: cell("Call", "", "wide"),
      since: cell("Since", "", "number"),
      sound: cell("Sound", element("span", Object.values(bars).flatMap(({ name, track }) => [name, track]), { className: "levels" }), "wide"),
      latency: cell("Answer", "", "number"),
      median: cell("Median", "", "number"),
      cost: cell("Cost", "", "number"),
      state: cell("State", "", "wide state"),
    };
    return { row: element("tr", Object.values(cells)), cells, bars };
  }

  #bar(who) {
    const bar = element("span", "", { className: "bar" });
    const track = element("span", bar, { className: `track ${who}` });
    const name = element("small", who, { ariaHidden: "true" });
    track.setAttribute("role", "meter");
    track.setAttribute("aria-label", who === "caller" ? "Caller" : "Agent");
    track.setAttribute("aria-valuemin", "-60");
    track.setAttribute("aria-valuemax", "0");
    return { bar, track, name };
  }

  #fill({ cells, bars }, call, now, several) {
    const where = several ? `${call.node} at worker ${call.worker}` : call.node;
    cells.call.replaceChildren(
      element("span", [element("code", call.call), element("small", where)]),
    );
    cells.since.textContent = seconds(now - call.since);
    this.#level(bars.caller, call.caller_dbfs);
    this.#level(bars.agent, call.agent_dbfs);
    cells.latency.textContent = ms(call.latency_ms);
    cells.median.textContent = ms(call.median_ms);
    cells.cost.textContent = dollars(call.usd);
    cells.state.replaceChildren(...this.#state(call));
  }

  #state(call) {
    const speaks = call.speaks.caller ? "the caller speaks" : call.speaks.agent ? "the agent speaks" : "quiet";
    const state = call.attached
      ? element("span", speaks)
      : element("span", "the client is away", { className: "away" });
    if (!call.problems) return [state];
    const count = call.problems === 1 ? "" : ` (${call.problems} in all)`;
    return [element("span", [state, element("small", `${call.problem}${count}`, { className: "problem" })])];
  }

  #level({ bar, track }, dbfs) {
    bar.style.transform = `scaleX(${Math.min(1, Math.max(0, 1 + dbfs / 60)).toFixed(3)})`;
    track.setAttribute("aria-valuenow", Math.max(-60, dbfs).toFixed(0));
    track.title = `${Math.round(dbfs)} dBFS`;
  }
}

class EndedCalls extends HTMLElement {
  show(ended) {
    const told = JSON.stringify(ended);
    if (told === this.told) return;
    this.told = told;
    const columns = [["Began"], ["Model"], ["Lasted", "number"], ["Turns", "number"]];
    columns.push(["Median", "number"], ["Cost", "number"], ["Report"]);
    const rows = ended.map((call) =>
      element("tr", [
        cell("Began", element("span", [moment(call.started_at), element("small", element("code", call.call))]), "wide"),
        cell("Model", call.model, "wide"),
        cell("Lasted", seconds(call.duration_s), "number"),
        cell("Turns", `${call.turns}`, "number"),
        cell("Median", ms(call.median_ms), "number"),
        cell("Cost", call.usd === null ? "–" : `${call.complete ? "" : "≥ "}${dollars(call.usd)}`, "number"),
        cell("Report", this.#report(call), "wide"),
      ]),
    );
    this.replaceChildren(table("Calls that have ended", columns, rows, "None yet."));
  }

  #report({ name, errors }) {
    const link = element("a", "Open", { href: `dashboard/reports/${name}`, target: "_blank", rel: "noopener" });
    link.setAttribute("aria-label", `Open the report of ${name}`);
    if (!errors) return link;
    return element("span", [link, element("small", counted(errors, "error"), { className: "problem" })]);
  }
}

customElements.define("server-figures", ServerFigures);
customElements.define("running-calls", RunningCalls);
customElements.define("ended-calls", EndedCalls);

let timer = 0;
let endedAt = -ENDED_EVERY_MS;
let before = 0;

async function ask(path) {
  const answer = await fetch(path);
  if (answer.status === 401) throw new Locked();
  if (!answer.ok) throw new Error((await answer.text()).trim() || `HTTP ${answer.status}`);
  return answer.json();
}

class Locked extends Error {}

async function look() {
  clearTimeout(timer);
  try {
    const { workers, now } = await ask("dashboard/calls");
    const count = workers.reduce((sum, worker) => sum + worker.calls.length, 0);
    open(true);
    $("figures").show(workers);
    $("running").show(workers, now);
    const refusal = workers.every((worker) => worker.refusal || worker.draining);
    const ending = workers.every((worker) => worker.draining);
    status(refusal ? "full" : "live", ending ? "The server ends" : refusal ? "No new calls are taken" : "Calls are taken");
    if (performance.now() - endedAt > ENDED_EVERY_MS || count < before) {
      $("ended").show((await ask("dashboard/ended")).ended);
      endedAt = performance.now();
    }
    before = count;
  } catch (error) {
    if (error instanceof Locked) return open(false);
    status("lost", error instanceof TypeError ? "The server does not answer" : error.message);
  }
  if (!document.hidden) timer = setTimeout(look, EVERY_MS);
}

function open(may) {
  $("shown").hidden = !may;
  $("access").hidden = may;
  if (may) return;
  status("idle", "The token is needed");
  $("access-token").focus();
}

async function enter(event) {
  event.preventDefault();
  const headers = { Authorization: `Bearer ${$("access-token").value.trim()}` };
  const answer = await fetch("dashboard/enter", { method: "POST", headers });
  $("problem").hidden = answer.ok;
  if (answer.ok) {
    $("access-token").value = "";
    return look();
  }
  $("problem").textContent =
    answer.status === 401 ? "The server does not know this token." : await answer.text();
}

function status(state, text) {
  // Said again only when it changed: it is read aloud.
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").dataset.state = state;
}

$("access").addEventListener("submit", enter);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
look();
