"""A real browser for tests, with a human voice at its microphone and a network that can be cut."""

import asyncio
import contextlib
import os
import wave
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from tests.project import ROOT

CHROMIUM = os.environ.get("CROSSFADE_CHROMIUM")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="CROSSFADE_CHROMIUM does not say where it is"
)

SMALL = """() => [...document.querySelectorAll("button, a[href], input, select, summary")]
    .filter((each) => each.checkVisibility() && !each.matches(".skip, .unseen"))
    .filter((each) => Math.min(each.offsetWidth, each.offsetHeight) < 43.5)
    .map((each) => `${each.offsetWidth} × ${each.offsetHeight}: ${each.textContent || each.id}`)"""
"""What is shown on a page to be touched, and is too small for a finger."""


class Network:
    """Between the browser and the server, so that it can be cut, or gone without a word."""

    def __init__(self) -> None:
        self.up = True
        self.server = ""
        """Where new lines lead to."""
        self.flows = asyncio.Event()
        self.flows.set()
        self._lines: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        self.up = False
        for line in tuple(self._lines):
            line.transport.abort()

    @contextlib.asynccontextmanager
    async def to(self, url: str) -> AsyncIterator[str]:
        """Gives the address of the page behind it."""
        self.server = url

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not self.up:
                writer.transport.abort()
                return
            await self.flows.wait()
            server = urlsplit(self.server)
            far_reader, far_writer = await asyncio.open_connection(server.hostname, server.port)
            self._lines |= {writer, far_writer}
            with contextlib.suppress(OSError):
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
            self._lines -= {writer, far_writer}

        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        finally:
            self.cut()
            listener.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self.flows.wait()
                writer.write(data)
        finally:
            writer.close()


def microphone(path: Path, said: Mapping[float, str], *, length_s: float = 60) -> Path:
    """A microphone's file with human utterances of examples/audio; it is heard again and again.

    Args:
        path: Where it goes.
        said: Their names, by when they begin in s.
        length_s: Of it all.
    """
    pcm = b""
    for at_s, name in said.items():
        sound = read_sound(ROOT / "examples" / "audio" / f"{name}.wav")
        pcm = pcm.ljust(int(at_s * 48000) * 2, b"\0") + resample(sound.pcm, sound.rate_hz, 48000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(pcm.ljust(int(length_s * 48000) * 2, b"\0"))
    return path


@contextlib.asynccontextmanager
async def browser(voice: Path, *flags: str, allows: bool = True) -> AsyncIterator[Any]:
    """A browser with this microphone.

    Args:
        voice: What is heard at its microphones.
        flags: More for its command line.
        allows: Whether it allows all that pages ask for; else its contexts' permissions hold.
    """
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                *(["--use-fake-ui-for-media-stream"] if allows else []),
                f"--use-file-for-fake-audio-capture={voice}",
                *flags,
            ],
        )
        try:
            yield opened
        finally:
            await opened.close()


__all__ = ["CHROMIUM", "SMALL", "Network", "browser", "microphone", "needs_browser"]
