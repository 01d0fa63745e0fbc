"""A call with a scripted caller."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from crossfade.audio.sound_file import read_sound
from crossfade.observability.call import CallRecord
from crossfade.transports.script import AfterSilence, Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller

from .assembly import Call
from .demo import demo_script
from .recorded_call import Keeping, Outcome, recorded_call

MakeCall = Callable[[ScriptedCaller, CallRecord], AbstractAsyncContextManager[Call]]


def script_for(input_file: Path | None) -> Script:
    """What the caller says: what is in the file, or the demo's script.

    Raises:
        CallerError: As `read_sound`.
    """
    return demo_script() if input_file is None else one_line(input_file)


def one_line(path: Path) -> Script:
    """A caller who says what is in a sound file and waits for the answer.

    Raises:
        CallerError: As `read_sound`.
    """
    line = Line(name=path.name, sound=read_sound(path), cue=AfterSilence(after_s=0.3))
    return Script([line], pause_s=1.5)


async def hold_call(make: MakeCall, script: Script, **kept: Unpack[Keeping]) -> Outcome:
    """Make a call and run it until the caller hangs up.

    Args:
        make: Puts the call together around the caller's transport and the record.
        script: What the caller says.
        kept: What of the call is kept.

    Raises:
        CrossfadeError: As `make` and `Call.run`; the record is valid then, too.
    """
    caller = ScriptedCaller(script)
    outcome = await recorded_call(
        lambda record: make(caller, record),
        lambda call: call.run(until=caller.hung_up()),
        **kept,
    )
    return replace(outcome, missed=script.missed)


__all__ = ["MakeCall", "Outcome", "hold_call", "one_line", "script_for"]
