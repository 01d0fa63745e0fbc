"""Whole calls for tests: the demo's caller and a scripted emulator, in one loop."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.received import Received
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.live_events import LiveEvent
from crossfade.pipelines.assembly import EndOfTurnRule
from crossfade.pipelines.native_call import ALWAYS_ON, native_call
from crossfade.pipelines.sample_tools import get_weather
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.script import Script
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.pipelines.slow_line import slow_line

MODEL = "openai:gpt-realtime-2.1"
GEMINI = "gemini:gemini-3.8-live"


@dataclass
class Made:
    """A call that is over, and what it left."""

    folder: Path
    summary: CallSummary
    received: Received
    """What the provider was sent, in order."""
    events: list[LiveEvent] = field(default_factory=list)

    @property
    def transcript(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "transcript.json").read_text())
        return content

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def recording(self) -> Path:
        return self.folder / "recording.wav"


async def make_call(
    folder: Path,
    script: Script,
    *,
    emulator: OpenAIEmulator | None = None,
    config: SessionConfig | None = None,
    tools: Sequence[Tool] = (get_weather,),
    one_way_s: float = 0,
    end_of_turn: EndOfTurnRule = "silence",
    continuity: Continuity | None = ALWAYS_ON,
    fallback: GeminiEmulator | None = None,
) -> Made:
    """Run one call to its end, with a provider so far away, and another one behind it."""
    events: list[LiveEvent] = []
    caller = ScriptedCaller(script)
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(emulator or OpenAIEmulator())
        url = server.url
        if one_way_s:
            url = await stack.enter_async_context(slow_line(url, one_way_s))
        route = []
        if fallback is not None:
            second = await stack.enter_async_context(fallback)
            route.append(Endpoint(spec=GEMINI, base_url=second.url, api_key="emulated"))
        record = CallRecord.open(folder)
        record.subscribe(events.append)
        async with native_call(
            MODEL,
            transport=caller,
            record=record,
            config=config or SessionConfig(),
            tools=tools,
            base_url=url,
            api_key="emulated",
            end_of_turn=end_of_turn,
            route=route,
            continuity=continuity,
        ) as call:
            summary = await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
        received = server.sessions[-1].received
    return Made(folder, summary, received, events)
