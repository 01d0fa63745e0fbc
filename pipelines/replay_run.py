"""A captured call, run again and compared: for the command, and for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfade.observability.capture_file import CapturedCall, read_capture
from crossfade.observability.divergence import Divergence, compare
from crossfade.observability.live_events import Listener
from crossfade.observability.redaction import without_secrets
from crossfade.observability.replay_clock import run_paced
from crossfade.observability.report_words import plain
from crossfade.observability.virtual_time import run_virtual
from crossfade.processors.tools import Tool

from .assembly import prepare
from .replay_call import Changes, replay_call

_MOST_SHOWN = 30
_GRACE_S = 600.0
"""A call that went another way may last so much longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it."""

    captured: CapturedCall
    again: CapturedCall
    folder: Path
    """The record of the new run: events.jsonl, transcript.json, summary.json, recording.wav."""
    divergences: Sequence[Divergence]

    def report(self) -> str:
        """A line for each divergence: when, what, expected and got."""
        told = [line_of(one) for one in self.divergences[:_MOST_SHOWN]]
        left = len(self.divergences) - len(told)
        return "\n".join([*told, *([f"and {left} more"] if left else [])])


def replay(
    capture: Path,
    folder: Path,
    *,
    changes: Changes | None = None,
    tools: Sequence[Tool] | None = None,
    speed: float | None = None,
    listener: Listener | None = None,
) -> Replayed:
    """Run a captured call again through the pipeline as it is now. Not to be called on a loop.

    Args:
        capture: The capture, or the folder of its call.
        folder: Where the record of the new run goes.
        changes: What is to be otherwise than it was.
        tools: How the tools are declared now; None declares them as they were.
        speed: So many times as fast as it was; None runs it in virtual time, which takes as long
            as its work does and repeats exactly.
        listener: Told what happens.

    Raises:
        SettingsError: There is no capture, or it does not hold all that it takes.
    """
    captured = read_capture(capture)
    prepare()
    run = replay_call(captured, folder, changes=changes, tools=tools, listener=listener)
    timeout_s = captured.end_s + _GRACE_S
    again = run_virtual(run, timeout_s=timeout_s) if speed is None else run_paced(run, speed=speed)
    return Replayed(
        captured=captured, again=again, folder=folder, divergences=compare(captured, again)
    )


def line_of(divergence: Divergence) -> str:
    """A divergence in one line."""
    when = "" if divergence.at_s is None else f"at {divergence.at_s:.3f} s: "
    told = f"{when}{divergence.what}: expected {divergence.expected}; got {divergence.got}"
    # What a provider said, or who changed the capture, is obeyed by no terminal.
    return plain(without_secrets(told))


__all__ = ["Changes", "Replayed", "line_of", "replay"]
