"""A call kept in a folder of its own: what the commands make."""

import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Required, TypedDict, Unpack

from crossfade.errors import SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.cost_meter import Budget
from crossfade.observability.live_events import Listener

from .answer_file import write_answer_file
from .assembly import Call
from .call_folder import make_call_folder
from .routing import Choice, note_choice
from .telemetry_calls import Watch, watch_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A call that is over."""

    folder: Path
    summary: CallSummary
    missed: Sequence[str] = ()
    """Lines of a scripted caller whose cue never came."""


class Keeping(TypedDict, total=False):
    """What of a call is kept, where, and who is told."""

    model: Required[str]
    """What answers, for the record."""
    runs: Required[Path]
    """Where the folder of the call is made; where none is begun, none is left."""
    output: Required[Path | None]
    """Where the agent's speech goes as a WAV file, besides the recording."""
    announce: Required[Callable[[str], None]]
    """Told where the record lies."""
    listener: Required[Listener]
    """Told what happens while the call runs."""
    flac: bool
    """Whether the recording is a FLAC file, not a WAV file."""
    content: bool
    """Whether it may hold words and sound."""
    capture: bool
    """Whether all that it takes to run the call again is kept."""
    budgets: Sequence[Budget]
    """What the call may cost."""
    choice: Choice | None
    """Which arm it was given, where there was a choice."""
    watch: Watch
    """Told of the call, for OpenTelemetry."""


async def recorded_call(
    make: Callable[[CallRecord], AbstractAsyncContextManager[Call]],
    run: Callable[[Call], Awaitable[CallSummary]],
    **kept: Unpack[Keeping],
) -> Outcome:
    """Make a call and run it to its end.

    Args:
        make: Puts the call together around the record.
        run: Runs it.
        kept: What of it is kept.

    Raises:
        CrossfadeError: As `make` and `run`; the record is valid then, too.
    """
    folder = make_call_folder(kept["runs"], datetime.now())
    try:
        record = CallRecord.open(
            folder,
            flac=kept.get("flac", False),
            content=kept.get("content", True),
            capture=kept.get("capture", False),
            details={"model": kept["model"]},
            budgets=kept.get("budgets", ()),
        )
    except SettingsError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    record.subscribe(kept["listener"])
    kept.get("watch", watch_nothing)(record, folder.name)
    if (choice := kept.get("choice")) is not None:
        note_choice(record, choice)
    called = False
    try:
        async with make(record) as call:
            kept["announce"](f"The call is recorded in {folder}.")
            called = True
            summary = await run(call)
    finally:
        await record.aclose({})
        if not called:
            shutil.rmtree(folder)
        elif kept["output"] is not None and record.recording is not None:
            write_answer_file(record.recording, kept["output"])
    return Outcome(folder=folder, summary=summary)


__all__ = ["Keeping", "Outcome", "recorded_call"]
