"""From a caller's first sound to the agent's silence, where the turns are found on this machine."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from crossfade.audio.pcm import to_pcm
from crossfade.audio.sound_file import Sound
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.observability.call import RECORDING, CallRecord
from crossfade.observability.turns import from_recording
from crossfade.observability.virtual_time import run_virtual
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.sample_tools import get_weather
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.transports.script import AfterSilence, IntoAnswer, Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller

from .vad_material import RATE_HZ, Prompt, prompts

_INTO_S = 0.8


def spoken(count: int) -> list[Sound]:
    """So many human prompts without the silence around them, or the demo's line without them."""
    try:
        return [_tight(prompt) for prompt in prompts(count)]
    except SettingsError:
        return [demo_line("enough", AfterSilence(after_s=0)).sound]


def _tight(prompt: Prompt) -> Sound:
    start, end = (int(ms * RATE_HZ / 1000) for ms in (prompt.start_ms, prompt.end_ms))
    return Sound(pcm=to_pcm(prompt.sound[start:end]), rate_hz=RATE_HZ)


def measure(sounds: Sequence[Sound]) -> list[float | None]:
    """Speak each into an answer of its own; ms to silence, None where there was none.

    The calls run in virtual time: what is measured is what the detector waits for, and the pace of
    sound, and not the work of this machine.
    """
    return [run_virtual(_call(sound), timeout_s=300) for sound in sounds]


async def _call(sound: Sound) -> float | None:
    script = Script(
        [
            demo_line("weather_tokyo", AfterSilence(after_s=0.3)),
            Line(name="prompt", sound=sound, cue=IntoAnswer(after_s=_INTO_S)),
        ]
    )
    caller = ScriptedCaller(script)
    with tempfile.TemporaryDirectory() as folder:
        async with OpenAIEmulator() as emulator:
            record = CallRecord.open(Path(folder))
            async with native_call(
                "openai:gpt-realtime-2.1",
                transport=caller,
                record=record,
                config=SessionConfig(turn_detection=TurnDetection.CALLER),
                tools=[get_weather],
                base_url=emulator.url,
                api_key="emulated",
            ) as call:
                await call.run(until=caller.hung_up())
        found = from_recording(Path(folder) / RECORDING).barge_ins
    return round(found[0].to_silence_ms, 1) if found else None
