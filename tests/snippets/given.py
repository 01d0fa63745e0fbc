"""What snippets take for granted, by the names that their marks give it."""

import asyncio
import contextlib
import importlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import crossfade.pipelines.serve as serving
from crossfade.conversation.tools import ToolDeclaration
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.observability.call import CallRecord
from crossfade.pipelines.assembly import new_conversation
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.sample_tools import get_weather
from crossfade.providers import Endpoint, SessionConfig, connect
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.snippets.place import demo_call

Names = Mapping[str, Any]
Given = Callable[[pytest.MonkeyPatch], AbstractAsyncContextManager[Names]]

FORECAST = """
turns:
  - on: any
    call: [{name: forecast, arguments: {city: Rome}}]
  - on: tool_results
    say: It will {weather}.
otherwise: Well.
"""


@contextlib.asynccontextmanager
async def emulators(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """Who connects to a provider by its name alone is connected to the emulator."""
    connecting = importlib.import_module("crossfade.providers.connect")
    dial = connecting._leg
    backend = ScriptedBackend(parse_scenario(FORECAST))
    async with (
        OpenAIEmulator() as openai,
        OpenAIEmulator(backend) as forecasting,
        GeminiEmulator() as gemini,
    ):
        urls = {"openai": openai.url, "gemini": gemini.url}

        def emulated(endpoint: Endpoint) -> Any:
            provider = endpoint.spec.partition(":")[0]
            if endpoint.base_url is None:
                endpoint = replace(endpoint, base_url=urls[provider], api_key="emulated")
            return dial(endpoint)

        def forecast(city: str) -> dict[str, str]:
            return {"city": city, "weather": "rain"}

        def with_forecasts() -> None:
            urls["openai"] = forecasting.url

        patch.setattr(connecting, "_leg", emulated)
        yield {"forecast": forecast, "with_forecasts": with_forecasts}


@contextlib.asynccontextmanager
async def a_speaker(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    class Speaker:
        """Plays sound, as far as the snippet is concerned."""

        def write(self, pcm: bytes) -> None:
            assert pcm

    yield {"speaker": Speaker()}


@contextlib.asynccontextmanager
async def a_call(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """The parts of a call with the demo's caller."""
    folder = Path("runs/of-a-snippet")
    caller = ScriptedCaller(demo_script())
    conversation = new_conversation()
    yield {
        "asyncio": asyncio,
        "transport": caller,
        "hung_up": caller.hung_up,
        "folder": folder,
        "record": CallRecord.open(folder.with_name("recorded")),
        "conversation": conversation,
        "tools": [get_weather],
        "call_id": "call_1",
        "number": "+15550101",
        "ROLE": "You are brief.",
    }


@contextlib.asynccontextmanager
async def a_session(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """A session of the emulator's, and what its keeper writes down of it."""
    config = SessionConfig(instructions="Be brief.", tools=[_DICE])
    async with OpenAIEmulator() as emulator:
        spec = "openai:gpt-realtime-2.1"
        async with connect(spec, config, base_url=emulator.url, api_key="emulated") as session:
            yield {
                "session": session,
                "config": config,
                "spec": spec,
                "time": time,
                "call_id": "call_1",
                "conversation": new_conversation(),
                "position": lambda: "",
            }


_DICE = ToolDeclaration(name="dice", description="Roll a die.")


@contextlib.asynccontextmanager
async def a_capture(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    folder = await asyncio.to_thread(demo_call, Path("captured"))
    yield {
        "Path": Path,
        "CAPTURE": folder / "capture.jsonl",
        "PROMPT": "Be very brief.",
        "TOOLS": [get_weather],
    }


@contextlib.asynccontextmanager
async def an_agent(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """The reader's own agent: here, one that opens a session and asks for an answer."""

    def call_my_agent(base_url: str) -> None:
        async def call() -> None:
            spec = "openai:gpt-realtime-2.1"
            async with connect(spec, base_url=base_url, api_key="emulated") as session:
                await session.send_text("Hello.", respond=True)
                async for event in session:
                    if type(event).__name__ == "ResponseDone":
                        break

        asyncio.run(call())

    yield {"call_my_agent": call_my_agent}


@contextlib.asynccontextmanager
async def keys(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    patch.setenv("AZURE_OPENAI_API_KEY", "of-a-snippet")
    yield {}


@contextlib.asynccontextmanager
async def stopped_soon(patch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """A server that is told to stop when it serves."""

    def stop() -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[None] = loop.create_future()
        loop.call_later(0.2, stopped.set_result, None)
        return stopped

    patch.setattr(serving, "stop_signal", stop)
    patch.setenv("OPENAI_API_KEY", "")
    yield {}


GIVEN: Mapping[str, Given] = {
    given.__name__: given
    for given in (
        emulators,
        a_speaker,
        a_call,
        a_session,
        a_capture,
        an_agent,
        keys,
        stopped_soon,
    )
}
OUTSIDE = frozenset({a_capture.__name__, an_agent.__name__, stopped_soon.__name__})
"""Of snippets that run a loop of their own."""

__all__ = ["GIVEN", "OUTSIDE"]
