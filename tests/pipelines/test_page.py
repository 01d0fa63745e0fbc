"""The page in a real browser, with a human voice at its microphone."""

import asyncio
import contextlib
import os
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE
from tests.pipelines.serving import scripted, serving
from tests.project import ROOT

CHROMIUM = os.environ.get("CROSSFADE_CHROMIUM")
ENOUGH_AT_S = 7.5
"""In the middle of the first answer."""
STORY = (
    "Once upon a time there was a keeper of a lighthouse far out at sea, who lit the lamp each "
    "evening and put it out each morning."
)
SCENARIO = f"""
turns:
  - on: speech
    hear: what's the weather in Tokyo
    call: [{{name: get_weather, arguments: {{city: Tokyo}}}}]
  - on: tool_results
    say: It is {{temperature_c}} degrees in Tokyo. {STORY}
  - on: speech
    hear: that's enough, thank you
    say: All right, then something else. There was a keeper of a lighthouse far out at sea.
  - on: text
    say: You wrote to me.
"""


class Network:
    """Between the browser and the server, so that it can be cut."""

    def __init__(self) -> None:
        self.up = True
        self._lines: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        self.up = False
        for line in tuple(self._lines):
            line.transport.abort()

    @contextlib.asynccontextmanager
    async def to(self, url: str) -> AsyncIterator[str]:
        """Gives the address of the page behind it."""
        server = urlsplit(url)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not self.up:
                writer.transport.abort()
                return
            far_reader, far_writer = await asyncio.open_connection(server.hostname, server.port)
            self._lines |= {writer, far_writer}
            with contextlib.suppress(OSError):
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            self._lines -= {writer, far_writer}

        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        finally:
            self.cut()
            listener.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    finally:
        writer.close()


def microphone(path: Path) -> Path:
    """A question at once, and an interruption when it is being answered."""

    def said(name: str) -> bytes:
        sound = read_sound(ROOT / "examples" / "audio" / f"{name}.wav")
        return resample(sound.pcm, sound.rate_hz, 48000)

    pcm = bytes(48000) + said("weather_tokyo")
    pcm = pcm.ljust(int(ENOUGH_AT_S * 96000), b"\0") + said("enough") + bytes(60 * 96000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(pcm)
    return path


@contextlib.asynccontextmanager
async def browser(voice: Path) -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={voice}",
            ],
        )
        try:
            yield opened
        finally:
            await opened.close()


def agent_level(recording: Path) -> float:
    """Of the agent's channel, from 0 to 1."""
    with wave.open(str(recording)) as file:
        assert file.getnchannels() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return float(np.abs(samples[:, 1]).max()) / 32768


@pytest.mark.realtime
@pytest.mark.skipif(CHROMIUM is None, reason="CROSSFADE_CHROMIUM does not say where it is")
def test_a_whole_call_in_a_browser(tmp_path: Path) -> None:
    """With a tool, an interruption, and a network that dies in mid-answer."""

    async def scenario() -> None:
        from playwright.async_api import expect

        network = Network()
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            network.to(server.url) as address,
            browser(microphone(tmp_path / "voice.wav")) as chromium,
        ):
            page = await chromium.new_page()
            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.goto(address)
            await page.get_by_role("button", name="Start the call").click()
            status, transcript = page.locator("#status"), page.locator("#transcript")
            await expect(status).to_have_text("In a call")
            await expect(transcript.locator("article.user").first).to_contain_text(
                "weather in Tokyo", timeout=15000
            )
            tool = page.locator("tool-calls details")
            await expect(tool).to_have_attribute("data-state", "answered", timeout=8000)
            await tool.locator("summary").click()
            await expect(tool.locator("pre")).to_contain_text("temperature_c")
            await expect(transcript).to_contain_text("degrees in Tokyo", timeout=8000)

            # The caller interrupts, and hears another answer.
            await expect(transcript.locator("article.agent[interrupted]")).to_have_count(
                1, timeout=15000
            )
            await expect(transcript.locator("article.agent s").first).to_contain_text("lighthouse")
            await expect(transcript).to_contain_text("something else", timeout=8000)
            await expect(page.locator("[data-of=last]")).to_contain_text("ms")
            await expect(page.locator("[data-of=call]")).to_contain_text("$")

            # The network dies in the middle of it, and comes back.
            await asyncio.sleep(1)
            network.cut()
            await expect(status).to_have_text("The line is down; coming back")
            await asyncio.sleep(1.5)
            network.up = True
            await expect(status).to_have_text("In a call")
            await expect(transcript).to_contain_text("The line is back.")
            level = page.locator("#agent-level")
            await expect(level).to_have_attribute("aria-valuenow", "-60", timeout=30000)

            await expect(transcript.locator("article.agent[interrupted]")).to_have_count(1)

            # Written, too; and the end.
            await page.get_by_label("Write to the agent").fill("hello")
            await page.keyboard.press("Enter")
            await expect(transcript).to_contain_text("You wrote to me.")
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            assert told == []
        (folder,) = (tmp_path / "runs").iterdir()
        kept = (folder / "transcript.json").read_text()
        assert "weather in Tokyo" in kept
        assert "You wrote to me." in kept
        assert agent_level(folder / "recording.wav") > 0.05

    asyncio.run(scenario())


@pytest.mark.realtime
@pytest.mark.skipif(CHROMIUM is None, reason="CROSSFADE_CHROMIUM does not say where it is")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_browser_shows_the_servers_token_by_the_keyboard_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, width: int
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "0123456789abcdef")

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            browser(microphone(tmp_path / "voice.wav")) as chromium,
        ):
            context = await chromium.new_context(
                viewport={"width": width, "height": 844}, color_scheme=scheme
            )
            page = await context.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            address = "http" + server.url.removeprefix("ws").removesuffix("ws")
            await page.goto(address)
            await page.keyboard.press("Tab")
            await page.keyboard.press("Enter")
            problem, form = page.locator("#problem"), page.get_by_label("Access token")
            await expect(problem).to_contain_text("asks for its token")
            await expect(form).to_be_focused()
            await page.keyboard.type("a wrong token of it")
            await page.keyboard.press("Enter")
            await expect(problem).to_contain_text("does not know this token")
            await form.fill("0123456789abcdef")
            await page.keyboard.press("Enter")
            await expect(page.locator("#status")).to_have_text("In a call")
            # Nothing sticks out, the colours are the system's, and nothing is asked of others.
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(246, 247, 249)") == (scheme == "light")
            assert not [url for url in asked if not url.startswith((address, "data:"))]
            assert not [url for url in asked if "0123456789abcdef" in url]
            unnamed = "[...document.querySelectorAll('button, input, select')].filter("
            unnamed += "e => !e.textContent.trim() && !e.labels?.length).length"
            assert await page.evaluate(unnamed) == 0
            await page.get_by_role("button", name="Hang up").press("Enter")
            await expect(page.locator("#status")).to_have_text("The call is over")
            await context.close()

    asyncio.run(scenario())
