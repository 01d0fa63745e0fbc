"""An agent with a tool and a processor of your own, in a call with the demo's caller.

    python examples/own_processor.py

Runs against the built-in emulator; give native_call no base_url and no api_key, and it talks to
OpenAI with the key of your environment. Any pipecat transport can take the caller's place.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from crossfade.audio.energy import rms_dbfs
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.frames.audio import AudioRawFrame
from crossfade.observability.call import CallRecord
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.native_call import native_call
from crossfade.processors.base import Processor
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller


class Loudness(Processor):
    """Remembers how loud the caller was at most, and passes everything on."""

    peak_dbfs = -120.0

    def handle_audio(self, frame: AudioRawFrame) -> None:
        self.peak_dbfs = max(self.peak_dbfs, rms_dbfs(frame.audio))
        self.push_audio(frame)


@tool(acknowledge="Let me look out of the window.", timeout_ms=3000)
async def get_weather(city: str) -> dict[str, Any]:
    """Tell the weather in a city."""
    await asyncio.sleep(1.5)
    return {"city": city, "condition": "sunny", "temperature_c": 21}


async def main(folder: Path) -> str:
    """Make the call; returns what came of it."""
    caller, loudness = ScriptedCaller(demo_script()), Loudness()
    async with (
        OpenAIEmulator() as emulator,
        native_call(
            "openai:gpt-realtime-2.1",
            transport=caller,
            record=CallRecord.open(folder),
            config=SessionConfig(instructions="You are brief.", voice="warm"),
            tools=[get_weather],
            base_url=emulator.url,
            api_key="emulated",
            custom=[loudness],
        ) as call,
    ):
        summary = await call.run(until=caller.hung_up())
    turns, seconds = summary.user_turns, summary.duration_s
    return f"{turns} turns in {seconds:.0f} s, the caller at {loudness.peak_dbfs:.0f} dBFS at most"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(asyncio.run(main(Path(place))))  # noqa: T201
