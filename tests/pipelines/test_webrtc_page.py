"""pipecat's page in a real browser, with a human voice at its microphone."""

import asyncio
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from aioice.ice import StunProtocol

from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE
from tests.pipelines.browsers import Network, browser, microphone, needs_browser
from tests.pipelines.heard_words import OTHER_WORDS, heard_words, share_heard
from tests.pipelines.serving import scripted, serving
from tests.transports.webrtc_browser import on_loopback

SAID = {8.0: "weather_tokyo", 19.0: "enough"}
"""A question when the page is connected, and an interruption in the middle of its answer."""
STORY = (
    "Once upon a time there was a keeper of a lighthouse far out at sea, who lit the lamp each "
    "evening and put it out each morning. On Sundays he wrote a letter to his sister in the city, "
    "and told her of the ships that he had seen, and of the weather."
)
SECOND_ANSWER = (
    "All right, then something else. There was a keeper of a lighthouse far out at sea. Nobody "
    "came to see him but the birds, and in the winter not even they came, because of the cold wind."
)
ENOUGH_WORDS = 0.5
SCENARIO = f"""
turns:
  - on: speech
    hear: what's the weather in Tokyo
    call: [{{name: get_weather, arguments: {{city: Tokyo}}}}]
  - on: tool_results
    say: It is {{temperature_c}} degrees in Tokyo. {STORY}
  - on: speech
    hear: that's enough, thank you
    say: {SECOND_ANSWER}
  - on: text
    say: You wrote to me.
"""
ON_LOOPBACK = "--allow-loopback-in-peer-connection"
KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
window.violations = [];
document.addEventListener("securitypolicyviolation", e => window.violations.push(e.blockedURI));
"""
HEARD = """
async () => {
  const all = [];
  for (const connection of window.connections) {
    const stats = [...(await connection.getStats()).values()];
    const sound = stats.find(s => s.type === "inbound-rtp" && s.kind === "audio");
    all.push(sound?.totalAudioEnergy ?? 0);
  }
  return all;
}
"""


async def comes_true(page: Any, script: str, *, timeout_s: float = 20) -> None:
    """Wait, without what the page's policy forbids."""
    async with asyncio.timeout(timeout_s):
        while not await page.evaluate(script):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.2)


async def hears(page: Any, energy: float, *, connection: int = 0) -> None:
    """Wait until so much of the agent's sound came by a connection."""
    async with asyncio.timeout(20):
        while True:
            found = await page.evaluate(HEARD)
            if found and found[connection] > energy:
                break
            await asyncio.sleep(0.1)


class Packets:
    """The ways of sound on this machine's loopback, which can be made to lead nowhere."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._all: set[StunProtocol] = set()
        self._dead: set[StunProtocol] = set()
        for name in ("datagram_received", "send_data", "send_stun"):
            monkeypatch.setattr(StunProtocol, name, self._guarded(getattr(StunProtocol, name)))

    def _guarded(self, original: Any) -> Any:
        packets = self

        def leads(protocol: StunProtocol, address: Any) -> bool:
            packets._all.add(protocol)
            return protocol not in packets._dead and address[0].startswith("127.")

        def guarded(self: StunProtocol, what: Any, address: Any) -> None:
            if leads(self, address):
                original(self, what, address)

        async def guarded_later(self: StunProtocol, what: Any, address: Any) -> None:
            if leads(self, address):
                await original(self, what, address)

        return guarded_later if iscoroutinefunction(original) else guarded

    def cut(self) -> None:
        self._dead |= self._all


@pytest.fixture(autouse=True)
def packets(monkeypatch: pytest.MonkeyPatch) -> Packets:
    on_loopback(monkeypatch)
    return Packets(monkeypatch)


@pytest.mark.realtime
@pytest.mark.timeout(150)
@needs_browser
def test_a_whole_call_by_webrtc_in_a_browser(tmp_path: Path, packets: Packets) -> None:
    """With a tool, an interruption, and a network that dies in mid-answer."""

    async def scenario() -> None:
        from playwright.async_api import expect

        path = tmp_path / "scenario.yaml"
        path.write_text(SCENARIO)
        network = Network()
        async with (
            OpenAIEmulator(ScriptedBackend(path, voice="espeak")) as emulator,
            serving(tmp_path, emulator) as server,
            network.to(server.url) as address,
            browser(microphone(tmp_path / "voice.wav", SAID), ON_LOOPBACK) as chromium,
        ):
            page = await chromium.new_page(viewport={"width": 1280, "height": 900})
            asked: list[str] = []
            told: list[str] = []
            page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.add_init_script(KEEP_CONNECTIONS)
            await page.goto(address + "client/")
            await expect(page.locator("body")).to_contain_text("initialized", timeout=15000)
            await page.get_by_role("button", name="Connect").click()
            body = page.locator("body")
            await expect(page.get_by_role("button", name="Disconnect")).to_be_visible(timeout=15000)
            await expect(body).to_contain_text("what's the weather in Tokyo", timeout=30000)
            await expect(body).to_contain_text("get_weather", timeout=15000)
            await expect(body).to_contain_text("degrees in Tokyo", timeout=15000)
            await hears(page, 0.0)

            # The caller interrupts, and hears another answer.
            await expect(body).to_contain_text("then something else", timeout=40000)

            # The network dies in the middle of it; another comes.
            offers = len([each for each in asked if each.startswith("POST") and "offer" in each])
            packets.cut()
            network.cut()
            await asyncio.sleep(2)
            network.up = True
            await comes_true(page, "window.connections.length > 1", timeout_s=60)
            await hears(page, 0.0, connection=-1)
            made = [each for each in asked if each.startswith("POST") and "offer" in each]
            assert len(made) > offers

            # Written, too, when all of it was said; and the end.
            await asyncio.sleep(10)
            await page.get_by_placeholder("Type message").fill("hello")
            await page.keyboard.press("Enter")
            await expect(body).to_contain_text("You wrote to me.", timeout=30000)
            await page.screenshot(path=tmp_path / "page.png")
            await asyncio.sleep(1.5)
            await page.get_by_role("button", name="Disconnect").click()
            await expect(page.get_by_role("button", name="Connect", exact=True)).to_be_visible()
            assert told == []
            assert await page.evaluate("window.violations") == []
            elsewhere = [each for each in asked if f" {address}" not in each]
            assert [
                each for each in elsewhere if " data:" not in each and " blob:" not in each
            ] == []
        (folder,) = (tmp_path / "runs").iterdir()
        kept = (folder / "transcript.json").read_text()
        assert "weather in Tokyo" in kept
        assert "You wrote to me." in kept
        assert '"interrupted": true' in kept
        heard = await heard_words(folder / "recording.wav", [SECOND_ANSWER, STORY])
        assert share_heard(heard, SECOND_ANSWER) > ENOUGH_WORDS
        assert max(share_heard(heard, other) for other in OTHER_WORDS) < ENOUGH_WORDS

    asyncio.run(scenario())


@pytest.mark.realtime
@needs_browser
def test_a_browser_asks_for_the_token_before_pipecats_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "0123456789abcdef"
    monkeypatch.setenv(TOKEN_VARIABLE, token)

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            browser(microphone(tmp_path / "voice.wav", SAID), ON_LOOPBACK) as chromium,
        ):
            address = "http" + server.url.removeprefix("ws").removesuffix("ws") + "client/"
            stranger = await chromium.new_context()
            assert (await stranger.request.get(address)).status == 401
            context = await chromium.new_context(
                http_credentials={"username": "anybody", "password": token}
            )
            page = await context.new_page()
            await page.goto(address)
            await expect(page.locator("body")).to_contain_text("initialized", timeout=15000)
            await page.get_by_role("button", name="Connect").click()
            await expect(page.get_by_role("button", name="Disconnect")).to_be_visible(timeout=15000)
            await context.close()

    asyncio.run(scenario())
