"""Calls that leave a capture."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture_file import CapturedCall, read_capture
from crossfade.pipelines.demo import demo_line, demo_script
from crossfade.pipelines.native_call import ALWAYS_ON, native_call
from crossfade.pipelines.sample_tools import get_weather
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.script import AfterSilence, Script, WhenAnswered
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.pipelines.calls import GEMINI, MODEL


def question() -> Script:
    """A caller who greets, asks for the weather and waits for the answer."""
    lines = [
        demo_line("greeting", AfterSilence(after_s=0.3)),
        demo_line("weather_tokyo", WhenAnswered(pause_s=0.3)),
    ]
    return Script(lines, pause_s=0.5)


_SPECS: dict[type, str] = {GeminiEmulator: GEMINI, MoshiEmulator: "moshi:moshiko"}
PROMPT = "You tell the weather."


async def captured_call(
    folder: Path,
    *,
    emulator: OpenAIEmulator | GeminiEmulator | MoshiEmulator | None = None,
    fallback: GeminiEmulator | None = None,
    script: Script | None = None,
    config: SessionConfig | None = None,
    tools: Sequence[Tool] = (get_weather,),
    continuity: Continuity | None = ALWAYS_ON,
    api_key: str = "emulated",
) -> CapturedCall:
    """Make the demo's call, and read its capture. A call that its provider ends has one, too."""
    caller = ScriptedCaller(script or demo_script())
    async with contextlib.AsyncExitStack() as stack:
        server = emulator or OpenAIEmulator()
        await stack.enter_async_context(server)
        route = []
        if fallback is not None:
            second = await stack.enter_async_context(fallback)
            route.append(Endpoint(spec=GEMINI, base_url=second.url, api_key=api_key))
        record = CallRecord.open(folder, capture=True)
        with contextlib.suppress(CrossfadeError):
            async with native_call(
                _SPECS.get(type(server), MODEL),
                transport=caller,
                record=record,
                config=config or SessionConfig(instructions=PROMPT),
                tools=tools,
                base_url=server.url,
                api_key=api_key,
                route=route,
                continuity=continuity,
            ) as call:
                await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
        record.close({})
    return read_capture(folder)
