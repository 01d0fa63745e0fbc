"""A call with a scripted caller, kept in a folder of its own: what the commands make."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crossfade.audio.sound_file import read_sound
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.cost_meter import Budget
from crossfade.observability.live_events import Listener
from crossfade.transports.script import AfterSilence, Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller

from .answer_file import write_answer_file
from .assembly import Call
from .call_folder import make_call_folder
from .demo import demo_script
from .routing import Choice, note_choice

MakeCall = Callable[[ScriptedCaller, CallRecord], AbstractAsyncContextManager[Call]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A call that is over."""

    folder: Path
    summary: CallSummary
    missed: Sequence[str]
    """Lines of the caller whose cue never came."""


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


async def hold_call(
    make: MakeCall,
    script: Script,
    *,
    model: str,
    runs: Path,
    output: Path | None,
    announce: Callable[[str], None],
    listener: Listener,
    flac: bool = False,
    capture: bool = False,
    budgets: Sequence[Budget] = (),
    choice: Choice | None = None,
) -> Outcome:
    """Make a call and run it until the caller hangs up.

    Args:
        make: Puts the call together around the caller's transport and the record.
        script: What the caller says.
        model: What answers, for the record.
        runs: Where the folder of the call is made; where none is begun, none is left.
        output: Where the agent's speech goes as a WAV file, besides the recording.
        announce: Told where the record lies.
        listener: Told what happens while the call runs.
        flac: Whether the recording is a FLAC file, not a WAV file.
        capture: Whether all that it takes to run the call again is kept.
        budgets: What the call may cost.
        choice: Which arm it was given, where there was a choice.

    Raises:
        CrossfadeError: As `make` and `Call.run`; the record is valid then, too.
    """
    caller = ScriptedCaller(script)
    folder = make_call_folder(runs, datetime.now())
    record = CallRecord.open(
        folder, flac=flac, capture=capture, details={"model": model}, budgets=budgets
    )
    record.subscribe(listener)
    if choice is not None:
        note_choice(record, choice)
    called = False
    try:
        async with make(caller, record) as call:
            announce(f"The call is recorded in {folder}.")
            called = True
            summary = await call.run(until=caller.hung_up())
    finally:
        record.close({})
        if not called:
            shutil.rmtree(folder)
        elif output is not None:
            write_answer_file(record.recording, output)
    return Outcome(folder=folder, summary=summary, missed=script.missed)


__all__ = ["MakeCall", "Outcome", "hold_call", "one_line", "script_for"]
