"""What a call costs more because it is recorded, and whether its speech leaves later.

The same calls in turn with and without event log and recording, in one process, so that what slows
the machine down slows both; the service is a process on another core.
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
MORE_CPU = 0.1
"""What it may add to a call's CPU, as a share."""
_PERCENT = (50.0, 99.0, 99.9, 100.0)
_HELD = (99.0, 100.0)
"""Of these percentiles the goal tells."""
_WARM_UP_S = 1.0
_PAUSE_MS = 100.0
"""After so long without a frame, an answer begins, which has a beat of its own."""
_SPEED = 1.5
"""A service is ahead of its speech, so that frames wait and leave at the beat."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class _TimedEar(Ear):
    """Notes when the playout queue handed each frame on."""

    written_ns: list[int] = field(default_factory=list)

    def hear(self, pcm: bytes) -> None:
        Ear.hear(self, pcm)
        self.written_ns.append(time.monotonic_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Calls that were held for some seconds."""

    cpu_percent: float
    """Of a core, for each call and its caller's microphone."""
    late_ms: NDArray[np.float64]
    """How much later than its beat each frame left the playout queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """The same calls with and without, round by round."""

    recorded: Sequence[Round]
    unrecorded: Sequence[Round]

    def late_ms(self, rounds: Sequence[Round], percent: float) -> float:
        """A percentile, as the median of the rounds."""
        return float(np.median([at(each.late_ms, percent) for each in rounds]))

    def added_ms(self, percent: float) -> float:
        """What the record adds to a percentile: the median of the rounds' differences."""
        return float(
            np.median(
                [at(on.late_ms, percent) - at(off.late_ms, percent) for on, off in self._pairs()]
            )
        )

    def later_than(self, rounds: Sequence[Round], limit_ms: float) -> float:
        """The share of all frames that were later than that."""
        return float(np.mean(np.concatenate([each.late_ms for each in rounds]) > limit_ms))

    def cpu_percent(self, rounds: Sequence[Round]) -> float:
        """Of a core for each call, as the median of the rounds."""
        return float(np.median([each.cpu_percent for each in rounds]))

    @property
    def cpu_share(self) -> float:
        """What the record adds to a call's CPU, as a share: the median of the rounds'."""
        return float(np.median([on.cpu_percent / off.cpu_percent for on, off in self._pairs()])) - 1

    def _pairs(self) -> list[tuple[Round, Round]]:
        return list(zip(self.recorded, self.unrecorded, strict=True))


def lateness_ms(written_ns: Sequence[int]) -> NDArray[np.float64]:
    """How much later than its beat each frame of a call was written.

    Beats are 20 ms apart throughout an answer, and most frames are in time: where most lie is the
    beat. Who missed one is later by another 20 ms. The first frame of an answer leaves as it
    comes, and is never late.
    """
    times_ms = np.asarray(written_ns, dtype=np.float64) / 1e6
    begins = np.flatnonzero(np.diff(times_ms) > _PAUSE_MS) + 1
    late: list[NDArray[np.float64]] = [_late_ms(one) for one in np.split(times_ms, begins)]
    return np.concatenate(late)


def _late_ms(times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of one answer."""
    late_ms = np.zeros(times_ms.size)
    if times_ms.size < 2:
        return late_ms
    turned = np.exp(2j * np.pi * times_ms[1:] / FRAME_MS)
    usual_ms = np.angle(turned.sum()) / (2 * np.pi) * FRAME_MS
    # Half a beat before and behind what is usual.
    phase_ms = (times_ms[1:] - usual_ms + FRAME_MS / 2) % FRAME_MS
    late_ms[1:] = np.maximum(0.0, phase_ms - np.percentile(phase_ms, 1))
    beats = np.round((np.diff(times_ms[1:]) - np.diff(phase_ms)) / FRAME_MS)
    late_ms[2:] += np.maximum(0, beats - 1) * FRAME_MS
    return late_ms


def measure(
    *,
    calls: int = 4,
    rounds: int = 10,
    seconds: float = 5.0,
    captured: bool = False,
    tell: Tell = lambda _: None,
) -> RecordResult:
    """Hold the calls, with and without a record in turn, in the loop of `crossfade serve`.

    Args:
        calls: How many at once.
        rounds: How often with, and how often without.
        seconds: For how long each time.
        captured: Whether all that it takes to run a call again is kept, too.
        tell: Told what is being measured.

    Raises:
        CrossfadeError: The agent was not heard.
    """
    service_core, own_core = cores()
    with served(service_core, speed=_SPEED) as service:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {own_core})
        try:
            sides = {
                True: Ours(captured=captured, tools=False),
                False: Ours(recorded=False, tools=False),
            }
            return asyncio.run(_rounds(service.port, sides, calls, rounds, seconds, tell))
        finally:
            os.sched_setaffinity(0, before)


async def _rounds(
    port: int,
    sides: Mapping[bool, Ours],
    calls: int,
    rounds: int,
    seconds: float,
    tell: Tell,
) -> RecordResult:
    found: dict[bool, list[Round]] = {True: [], False: []}
    number = 0
    # The first calls of a process load and build what the others find.
    await _talk(sides[True], port, number, calls, 2.0)
    for turn in range(rounds):
        for recorded in (True, False) if turn % 2 else (False, True):
            number += calls
            tell(f"round {turn + 1} of {rounds}, {'recorded' if recorded else 'not recorded'}")
            found[recorded].append(await _talk(sides[recorded], port, number, calls, seconds))
    return RecordResult(recorded=found[True], unrecorded=found[False])


async def _talk(side: Ours, port: int, first: int, calls: int, seconds: float) -> Round:
    cycle = CYCLES["talk"]
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
        began_s, cpu_s = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        cpu_s = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
        written_ns = [list(ear.written_ns) for ear in ears]
    finally:
        gc.enable()
    await microphones.stop()
    for caller in callers:
        await caller.hang_up()
    if not any(written_ns):
        raise CrossfadeError("the agent was not heard; give more --seconds")
    late_ms = np.concatenate([lateness_ms(one) for one in written_ns])
    return Round(cpu_percent=100 * cpu_s / calls, late_ms=late_ms)


def table(result: RecordResult) -> Table:
    """The result as people read it."""
    shown = Table(title="Frames of the agent's speech, later than due, in ms; and CPU")
    percentiles = [_named(percent) for percent in _PERCENT]
    for name in ("", *percentiles, f"> {LATER_MS:g} ms", "frames", "CPU a call"):
        shown.add_column(name, justify="right" if name else "left")
    for name, rounds in (("recorded", result.recorded), ("not recorded", result.unrecorded)):
        figures = [f"{result.late_ms(rounds, percent):.2f}" for percent in _PERCENT]
        share = f"{result.later_than(rounds, LATER_MS):.2%}"
        frames = str(sum(each.late_ms.size for each in rounds))
        shown.add_row(name, *figures, share, frames, f"{result.cpu_percent(rounds):.2f} %")
    added = [f"{result.added_ms(percent):+.2f}" for percent in _PERCENT]
    shown.add_row("added", *added, "", "", f"{result.cpu_share:+.1%}")
    goals = [f"≤ {LATER_MS:g}" if percent in _HELD else "" for percent in _PERCENT]
    shown.add_row("goal", *goals, "", "", f"≤ {MORE_CPU:.0%}")
    return shown


def content(result: RecordResult) -> Mapping[str, Any]:
    """The result as JSON has it."""
    sides = {"recorded": result.recorded, "unrecorded": result.unrecorded}
    return {
        name: {
            **{_named(percent): result.late_ms(rounds, percent) for percent in _PERCENT},
            "later_than_1_ms": result.later_than(rounds, LATER_MS),
            "frames": sum(each.late_ms.size for each in rounds),
            "cpu_percent_of_a_call": result.cpu_percent(rounds),
        }
        for name, rounds in sides.items()
    } | {
        "added_ms": {_named(percent): result.added_ms(percent) for percent in _PERCENT},
        "cpu_share": result.cpu_share,
        "goal": f"p99 and worst added ≤ {LATER_MS:g} ms, CPU added ≤ {MORE_CPU:.0%}",
        "held": held(result),
    }


def held(result: RecordResult) -> bool:
    """Whether neither the 99th percentile nor the latest frame is later by more than it may, and
    the record costs no more than it may."""
    later_ms = max(result.added_ms(percent) for percent in _HELD)
    return later_ms <= LATER_MS and result.cpu_share <= MORE_CPU


def _named(percent: float) -> str:
    return "worst" if percent == 100.0 else f"p{percent:g}"


__all__ = [
    "LATER_MS",
    "MORE_CPU",
    "RecordResult",
    "Round",
    "content",
    "held",
    "lateness_ms",
    "measure",
    "table",
]
