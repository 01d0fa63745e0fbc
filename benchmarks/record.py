"""Whether a frame of the agent's speech leaves later because the call is recorded.

The same calls in turn with and without event log, recording and capture, in one process, so that
what slows the machine down slows both; the service is a process on another core.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from crossfade.errors import CrossfadeError

from .call_ours import Ours
from .call_point import Microphones
from .call_script import CYCLES, FRAME_MS, offset_ms
from .call_server import served
from .call_side import Ear
from .points import at, cores

LATER_MS = 1.0
"""What the record may add to the delay of any frame."""
_PERCENT = (50.0, 99.0, 99.9, 100.0)
_WARM_UP_S = 1.0
_PAUSE_MS = 100.0
"""After so long without a frame, speech begins anew."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class _TimedEar(Ear):
    """Notes when the playout queue handed each frame on."""

    written_ns: list[int] = field(default_factory=list)

    def hear(self, pcm: bytes) -> None:
        Ear.hear(self, pcm)
        self.written_ns.append(time.monotonic_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """How much later than due frames left the playout queue, in ms, round by round."""

    recorded: Sequence[NDArray[np.float64]]
    unrecorded: Sequence[NDArray[np.float64]]

    def of(self, rounds: Sequence[NDArray[np.float64]], percent: float) -> float:
        """A percentile, as the median of the rounds."""
        return float(np.median([at(round_ms, percent) for round_ms in rounds]))

    def added_ms(self, percent: float) -> float:
        """What the record adds to a percentile: the median of the rounds' differences."""
        pairs = zip(self.recorded, self.unrecorded, strict=True)
        return float(np.median([at(on, percent) - at(off, percent) for on, off in pairs]))

    def later_than(self, rounds: Sequence[NDArray[np.float64]], limit_ms: float) -> float:
        """The share of all frames that were later than that."""
        return float(np.mean(np.concatenate(rounds) > limit_ms))


def lateness_ms(written_ns: Sequence[int]) -> NDArray[np.float64]:
    """How much later than its beat each frame of a call was written.

    Beats are 20 ms apart throughout a call, and most frames are in time: where most lie is the
    beat. Who missed one is later by another 20 ms; after a pause that cannot be told.
    """
    times_ms = np.asarray(written_ns, dtype=np.float64) / 1e6
    if not times_ms.size:
        return times_ms
    turned = np.exp(2j * np.pi * times_ms / FRAME_MS)
    usual_ms = np.angle(turned.sum()) / (2 * np.pi) * FRAME_MS
    # Half a beat before and behind what is usual.
    phase_ms = (times_ms - usual_ms + FRAME_MS / 2) % FRAME_MS
    late_ms = phase_ms - np.percentile(phase_ms, 1)
    beats = np.round((np.diff(times_ms) - np.diff(phase_ms)) / FRAME_MS)
    missed = np.where(beats * FRAME_MS > _PAUSE_MS, 0, np.maximum(0, beats - 1))
    late_ms[1:] += missed * FRAME_MS
    found: NDArray[np.float64] = np.maximum(0.0, late_ms)
    return found


def measure(
    *, calls: int = 4, rounds: int = 10, seconds: float = 10.0, tell: Tell = lambda _: None
) -> RecordResult:
    """Hold the calls, with and without a record in turn.

    Args:
        calls: How many at once.
        rounds: How often with, and how often without.
        seconds: For how long each time.
        tell: Told what is being measured.

    Raises:
        CrossfadeError: The agent was not heard.
    """
    service_core, own_core = cores()
    with served(service_core) as service:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {own_core})
        try:
            return asyncio.run(_rounds(service.port, calls, rounds, seconds, tell))
        finally:
            os.sched_setaffinity(0, before)


async def _rounds(port: int, calls: int, rounds: int, seconds: float, tell: Tell) -> RecordResult:
    found: dict[bool, list[NDArray[np.float64]]] = {True: [], False: []}
    number = 0
    # The first calls of a process load and build what the others find.
    await _talk(port, number, calls, 2.0, recorded=True)
    for turn in range(rounds):
        for recorded in (True, False) if turn % 2 else (False, True):
            number += calls
            tell(f"round {turn + 1} of {rounds}, {'recorded' if recorded else 'not recorded'}")
            found[recorded].append(await _talk(port, number, calls, seconds, recorded=recorded))
    return RecordResult(recorded=found[True], unrecorded=found[False])


async def _talk(
    port: int, first: int, calls: int, seconds: float, *, recorded: bool
) -> NDArray[np.float64]:
    side, cycle = Ours(recorded=recorded, captured=recorded, tools=False), CYCLES["talk"]
    microphones = Microphones(cycle)
    ears, callers = [], []
    for number in range(calls):
        ear = _TimedEar()
        at_ms = offset_ms(number, calls, cycle)
        url = f"ws://127.0.0.1:{port}/talk/{first + number}/{at_ms}"
        callers.append(await side.admit(url, ear))
        microphones.add(callers[-1], at_ms)
        ears.append(ear)
    await asyncio.sleep(_WARM_UP_S)
    gc.collect()
    gc.disable()
    try:
        for ear in ears:
            ear.written_ns.clear()
        await asyncio.sleep(seconds)
        late = [lateness_ms(ear.written_ns) for ear in ears]
    finally:
        gc.enable()
    await microphones.stop()
    for caller in callers:
        await caller.hang_up()
    found = np.concatenate(late)
    if not found.size:
        raise CrossfadeError("the agent was not heard; give more --seconds")
    return found


def table(result: RecordResult) -> Table:
    """The result as people read it."""
    shown = Table(title="Frames of the agent's speech, later than due, in ms")
    for name in ("", *(_named(percent) for percent in _PERCENT), f"> {LATER_MS:g} ms", "frames"):
        shown.add_column(name, justify="right" if name else "left")
    for name, rounds in (("recorded", result.recorded), ("not recorded", result.unrecorded)):
        figures = [f"{result.of(rounds, percent):.2f}" for percent in _PERCENT]
        share = f"{result.later_than(rounds, LATER_MS):.2%}"
        shown.add_row(name, *figures, share, str(sum(each.size for each in rounds)))
    shown.add_row("added", *(f"{result.added_ms(percent):+.2f}" for percent in _PERCENT), "", "")
    return shown


def content(result: RecordResult) -> Mapping[str, Any]:
    """The result as JSON has it."""
    sides = {"recorded": result.recorded, "unrecorded": result.unrecorded}
    return {
        name: {
            **{_named(percent): result.of(rounds, percent) for percent in _PERCENT},
            "later_than_1_ms": result.later_than(rounds, LATER_MS),
            "frames": sum(each.size for each in rounds),
        }
        for name, rounds in sides.items()
    } | {
        "added_ms": {_named(percent): result.added_ms(percent) for percent in _PERCENT},
        "goal": f"p99 and worst added ≤ {LATER_MS:g} ms",
        "held": held(result),
    }


def held(result: RecordResult) -> bool:
    """Whether neither the 99th percentile nor the latest frame is later by more than it may."""
    return max(result.added_ms(99.0), result.added_ms(100.0)) <= LATER_MS


def _named(percent: float) -> str:
    return "worst" if percent == 100.0 else f"p{percent:g}"


__all__ = ["LATER_MS", "RecordResult", "content", "held", "lateness_ms", "measure", "table"]
