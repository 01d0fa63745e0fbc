// What is to be done about a microphone that was lost in a call: told in words, and another to choose.

const UNPLUGGED = "The microphone is gone, so the agent hears nothing. The call goes on: plug it in again, choose another one, or write.";
const FORBIDDEN = "The microphone is not allowed any more, so the agent hears nothing. The call goes on: allow it for this page again, or write.";
const NONE = "There is no microphone now. Plug one in, or write.";

// Tells `choose` with the device's id; without one, whichever the browser gives.
class MicrophoneChoice extends HTMLElement {
  connectedCallback() {
    this.hidden = true;
    this.innerHTML = `
      <p role="alert"></p>
      <form>
        <label for="microphones" class="unseen">Microphone</label>
        <select id="microphones"></select>
        <button type="submit" class="primary">Use it</button>
      </form>`;
    this.devices = this.querySelector("select");
    this.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#choose(this.devices.value);
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#look());
  }

  // The microphone with these settings was lost.
  async lost(settings) {
    this.was = settings;
    this.gone = this.hidden = false;
    await this.#ask();
  }

  // It is heard again, or the call is over.
  close() {
    this.hidden = true;
    this.say("");
    if (this.permission) this.permission.onchange = null;
    this.permission = null;
  }

  // Said again only when it changed: it is read aloud.
  say(text) {
    const told = this.querySelector("p");
    if (told.textContent !== text) told.textContent = text;
  }

  // Where the browser tells of it: whether the microphone is allowed, and when it is again.
  async #ask() {
    try {
      this.permission = await navigator.permissions.query({ name: "microphone" });
      this.permission.onchange = () => this.#look();
    } catch {
      this.permission = null;
    }
    await this.#look();
  }

  async #look() {
    if (this.hidden) return;
    const found = (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === "audioinput");
    if (this.hidden) return;
    const allowed = (this.permission?.state ?? "granted") === "granted";
    const named = found.filter((each) => each.deviceId && each.label);
    this.say(!allowed ? FORBIDDEN : found.length ? UNPLUGGED : NONE);
    this.devices.replaceChildren(...named.map(({ label, deviceId }) => new Option(label, deviceId)));
    this.devices.hidden = !allowed || !named.length;
    this.querySelector("button").textContent = this.devices.hidden ? "Ask again" : "Use it";
    // What was in use is taken again by itself; another only if it is chosen.
    const same = named.find((each) => each.groupId === this.was.groupId);
    const comesBack = allowed && same && this.gone;
    this.gone = !same;
    if (comesBack) this.#choose(same.deviceId);
  }

  #choose(deviceId) {
    this.dispatchEvent(new CustomEvent("choose", { detail: deviceId }));
  }
}

customElements.define("microphone-choice", MicrophoneChoice);
