"""Servers of calls for tests, in one loop with the emulator and the clients."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.serve import run_server
from crossfade.pipelines.serve_headroom import Headroom
from crossfade.pipelines.serve_nodes import ServedNode
from crossfade.pipelines.serve_settings import ServeSettings
from crossfade.processors.tools import Tool
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from tests.project import ROOT

Service = OpenAIEmulator | GeminiEmulator
STORY = "Once upon a time there was a keeper of a lighthouse far out at sea."
SCENARIO = f"""
otherwise: I have nothing more to say.
turns:
  - on: speech
    hear: tell me a story
    say: {STORY}
  - on: speech
    hear: thank you
    say: You are welcome.
"""


def question() -> bytes:
    """A human question of 1.8 s, at 16 kHz."""
    sound = read_sound(ROOT / "examples" / "audio" / "weather_tokyo.wav")
    return resample(sound.pcm, sound.rate_hz, 16000)


def scripted(folder: Path, scenario: str = SCENARIO) -> ScriptedBackend:
    path = folder / "scenario.yaml"
    path.write_text(scenario)
    return ScriptedBackend(path)


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> None:
    """Wait for what comes soon, such as what a server does after it has said goodbye."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@dataclass
class Serving:
    """A server that runs."""

    url: str
    told: list[str]
    _stop: "asyncio.Future[None]"
    _task: "asyncio.Task[None]"

    async def terminate(self) -> None:
        """As SIGTERM does; returns when the server has ended."""
        self.terminate_soon()
        await self._task

    def terminate_soon(self) -> None:
        if not self._stop.done():
            self._stop.set_result(None)


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    emulator: Service,
    *,
    store: str | None = None,
    route: Sequence[RouteEndpoint] = (),
    others: Sequence[ServedNode] = (),
    headroom: Headroom | None = None,
    api_key: str = "emulated",
    tools: Sequence[Tool] | None = None,
    **options: Any,
) -> AsyncIterator[Serving]:
    """Run `crossfade serve` in this loop."""
    gemini = isinstance(emulator, GeminiEmulator)
    provider = Endpoint(
        spec="gemini:gemini-3.8-live" if gemini else "openai:gpt-realtime-2.1",
        base_url=emulator.url,
        api_key=api_key,
        description="Talking to the test's emulator.",
    )
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()
    listening: asyncio.Future[str] = loop.create_future()
    told: list[str] = []

    def announce(line: str) -> None:
        told.append(line)
        if line.startswith("listening on "):
            listening.set_result(line.split()[2])

    settings = ServeSettings(port=0, store=store, runs=folder / "runs", **options)
    task = asyncio.create_task(
        run_server(
            settings,
            announce=announce,
            stop=lambda: stop,
            provider=provider,
            route=route,
            others=others,
            headroom=headroom,
            tools=tools,
        )
    )
    both: set[asyncio.Future[Any]] = {task, listening}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if not listening.done():
        listening.cancel()
        await task
    server = Serving(listening.result(), told, stop, task)
    try:
        yield server
    finally:
        await server.terminate()


@dataclass
class Caller:
    """What a client heard and was told."""

    sounds: list[tuple[float, bytes]] = field(default_factory=list)
    messages: list[Mapping[str, Any]] = field(default_factory=list)

    def hear(self, at_s: float, pcm: bytes) -> None:
        self.sounds.append((at_s, pcm))

    def note(self, message: Mapping[str, Any]) -> None:
        self.messages.append(message)

    def of(self, type: str) -> list[Mapping[str, Any]]:
        return [message for message in self.messages if message.get("type") == type]

    @property
    def words(self) -> str:
        """All that the agent said, as it was generated."""
        told = [m["text"] for m in self.of("transcript") if m["role"] == "agent"]
        return "".join(told)

    async def hears_sound(self, after_s: float = 0.0, timeout_s: float = 20.0) -> float:
        """Wait for the agent's sound after a moment; gives when it began."""
        async with asyncio.timeout(timeout_s):
            while True:
                later = [at_s for at_s, _ in self.sounds if at_s > after_s]
                if later:
                    return later[0]
                await asyncio.sleep(0.02)
