"""A call in which a caller reads lines to an agent; the examples are shown with it.

The agent's model is OpenAI's if OPENAI_API_KEY is set, else the built-in emulator, which answers by
a scenario. The caller and the emulator speak by espeak where the extra `offline` is installed. Else
the emulator hums, and the caller says one recorded sentence all the time: the emulator hears what
its scenario has it hear.
"""

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from crossfade.audio.sound_file import Sound, read_sound
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.live_events import Listener
from crossfade.offline.synthesiser import Synthesiser, synthesiser_available
from crossfade.pipelines.assembly import Call
from crossfade.pipelines.command_line import prepare
from crossfade.pipelines.endpoint import KEY_VARIABLE, Endpoint
from crossfade.pipelines.scripted_call import Outcome, hold_call
from crossfade.pipelines.show_call import show_call
from crossfade.transports.script import AfterSilence, Cue, Line, Script, WhenAnswered
from crossfade.transports.scripted_caller import ScriptedCaller

MODEL = "gpt-realtime-2.1"
VoiceName = Literal["espeak", "tone"]
MakeCall = Callable[[ScriptedCaller, CallRecord, Endpoint], AbstractAsyncContextManager[Call]]
"""Puts the call together around the caller, the record and the model."""


def voice_here() -> VoiceName:
    """The voice that can be had on this machine."""
    return "espeak" if synthesiser_available() is None else "tone"


@contextlib.asynccontextmanager
async def model(scenario: str, *, voice: VoiceName) -> AsyncIterator[Endpoint]:
    """OpenAI's model where there is a key, else the emulator with this scenario (YAML)."""
    spec = f"openai:{MODEL}"
    if key := os.environ.get(KEY_VARIABLE):
        told = f"Talking to OpenAI, model {MODEL}."
        yield Endpoint(spec=spec, base_url=None, api_key=key, description=told)
        return
    async with OpenAIEmulator(ScriptedBackend(parse_scenario(scenario), voice=voice)) as emulator:
        yield Endpoint(
            spec=spec,
            base_url=emulator.url,
            api_key="emulated",
            description=f"No {KEY_VARIABLE} is set: talking to the built-in emulator of OpenAI "
            "Realtime, with scripted answers.",
            emulated=True,
        )


async def read_out(lines: Sequence[str], *, voice: VoiceName, language: str = "en-us") -> Script:
    """A caller who says these lines, each when the one before is answered.

    Raises:
        SettingsError: A real model is to hear them, and nothing here can speak.
    """
    if voice == "espeak":
        async with Synthesiser(voice=language) as synthesiser:
            spoken = [await synthesiser.render(line) for line in lines]
        sounds = [Sound(pcm=each.pcm, rate_hz=synthesiser.rate_hz) for each in spoken]
    elif os.environ.get(KEY_VARIABLE):
        raise SettingsError(
            "the caller of this example has no voice that a model understands; install the extra "
            f"offline, or unset {KEY_VARIABLE} to talk to the emulator"
        )
    else:
        with as_file(files("crossfade.examples") / "audio" / "weather_tokyo.wav") as path:
            sounds = [read_sound(path)] * len(lines)
    cues: list[Cue] = [AfterSilence(after_s=0.5), *[WhenAnswered()] * (len(lines) - 1)]
    spoken_lines = zip(lines, sounds, cues, strict=True)
    return Script([Line(name=line, sound=sound, cue=cue) for line, sound, cue in spoken_lines])


async def rehearse(
    make: MakeCall,
    *,
    lines: Sequence[str],
    scenario: str,
    announce: Callable[[str], None],
    listener: Listener,
    runs: Path = Path("runs"),
    voice: VoiceName | None = None,
    language: str = "en-us",
) -> Outcome:
    """Make a call in which the caller says the lines.

    Args:
        make: Puts the call together.
        lines: What the caller says.
        scenario: What the emulator hears, says and calls, as YAML.
        announce: Told in one line whom the call talks to, and then where its record lies.
        listener: Told what happens while the call runs.
        runs: Where the folder of the call is made.
        voice: Of the caller and the emulator; None is the one that can be had.
        language: In which espeak reads the lines.

    Raises:
        CrossfadeError: As the call.
    """
    voice = voice or voice_here()
    script = await read_out(lines, voice=voice, language=language)
    async with model(scenario, voice=voice) as provider:
        announce(provider.description)
        return await hold_call(
            lambda caller, record: make(caller, record, provider),
            script,
            model=MODEL,
            runs=runs,
            output=None,
            announce=announce,
            listener=listener,
        )


def show(make: MakeCall, *, lines: Sequence[str], scenario: str, language: str = "en-us") -> None:
    """Make the call, and show it on the terminal."""
    prepare()
    show_call(functools.partial(rehearse, make, lines=lines, scenario=scenario, language=language))
