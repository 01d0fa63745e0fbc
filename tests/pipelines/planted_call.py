"""A call in which everything goes wrong that the report must find, and when."""

import asyncio
from pathlib import Path

from crossfade.emulators.backends import Call, ScriptedBackend, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, Reset
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.observability.call import CallRecord
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.script import AfterSilence, IntoAnswer, Script, WhenAnswered
from crossfade.transports.scripted_caller import ScriptedCaller, ScriptedInput
from tests.pipelines.calls import MODEL

TOOL_S = 4.0
THINK_MS = 1900
SWITCH_S = 8.0
"""Until the headset changes its rate, since the caller last spoke."""
SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="hello there", say=("Hello! What can I do for you?",)),
        Turn(
            on=Trigger.SPEECH,
            hear="what is the weather in Tokyo",
            call=(Call(name="get_weather", arguments='{"city": "Tokyo"}'),),
        ),
        Turn(
            on=Trigger.TOOL_RESULTS,
            say=(
                "I have looked it up for you. In Tokyo there is light rain at fifteen degrees, "
                "and it will stay like that until the evening.",
            ),
        ),
        Turn(
            on=Trigger.SPEECH,
            hear="thank you, that is enough",
            think_ms=THINK_MS,
            say=("You are welcome. Is there anything else?",),
        ),
        Turn(
            on=Trigger.SPEECH,
            hear="goodbye",
            say=("Goodbye! It was very nice to talk to you today, and good luck with the rain.",),
        ),
    ),
    otherwise="Goodbye!",
)
_LINES = (
    ("greeting", AfterSilence(after_s=0.5)),
    ("weather_tokyo", WhenAnswered()),
    ("enough", IntoAnswer(after_s=1.2)),
    ("goodbye", WhenAnswered()),
)


@tool(acknowledge="One moment, I will look that up.", timeout_ms=20_000)
async def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    await asyncio.sleep(TOOL_S)
    return f"light rain in {city}"


class _SwitchedInput(ScriptedInput):
    """A microphone that goes over to 24 kHz in the end, and still says 16."""

    def __init__(self, script: Script, *, rate_hz: int) -> None:
        super().__init__(script, rate_hz=rate_hz)
        self._silent_since_s = float("inf")

    def hear(self, pcm: bytes) -> None:
        now_s = asyncio.get_running_loop().time()
        if any(pcm) or self._silent_since_s > now_s:
            self._silent_since_s = now_s
        more = pcm[: len(pcm) // 2] if now_s - self._silent_since_s > SWITCH_S else b""
        super().hear(pcm + more)


class _SwitchedCaller(ScriptedCaller):
    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self._input = _SwitchedInput(script, rate_hz=16000)


async def planted_call(folder: Path) -> None:
    """Make the call; its folder then holds the log, the recording and the rest."""
    script = Script([demo_line(name, cue) for name, cue in _LINES], pause_s=10)
    caller = _SwitchedCaller(script)
    faults: list[Fault] = [Reset(session=2, at=State.SPEAKING, after_ms=150)]
    tools: list[Tool] = [get_weather]
    emulator = OpenAIEmulator(ScriptedBackend(SCENARIO), timing=Timing(speed=2), faults=faults)
    async with emulator as server:
        record = CallRecord.open(folder, details={"model": MODEL})
        async with native_call(
            MODEL,
            transport=caller,
            record=record,
            config=SessionConfig(),
            tools=tools,
            base_url=server.url,
            api_key="emulated",
            continuity=Continuity(rotate_after_s=12),
        ) as call:
            await asyncio.wait_for(call.run(until=caller.hung_up()), 200)
