"""What a call costs more because it is recorded, and whether its frames go on later.

The same calls in turn with and without event log and recording, in one process, so that what slows
the machine down slows both; the service is a process on another core. The record is in a third
round watched at its work: no frame can be late by more of it than came before the frame.
"""

import asyncio
import contextlib
import gc
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import TypeVarTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from crossfade.errors import CrossfadeError
from crossfade.pipelines.serve_garbage import leave_rounds_to_us

from .call_ours import Ours
from .call_point import Microphones
from .call_script import CYCLES, FRAME_MS, offset_ms
from .call_server import served
from .call_side import Caller, Ear
from .points import cores
from .record_result import Path, RecordResult, Round, WatchedRound
from .record_work import Stopwatch, WatchedSelector, Work
from .starvation import STARVED_SHARE, Starvation

_WARM_UP_S = 1.0
_AFTER_S = 0.2
"""So long after a round what was due in it still goes on."""
_TRIES = 3
"""So often at most a round is held, if others had the core meanwhile."""
_SPEED = 1.5
"""A service is ahead of its speech, so that frames wait and leave at the beat."""
_PIECES = 5
"""Of 20 ms, in each message of the service's sound."""

_Ts = TypeVarTuple("_Ts")
Tell = Callable[[str], None]
Times = NDArray[np.int64]


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's own, as calls are served in; tells when what runs now was due."""

    def __init__(self) -> None:
        self.watched = WatchedSelector()
        super().__init__(self.watched)
        self.due_s: float | None = None
        """Of the timer whose callback runs; None in any other."""

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        def run() -> None:
            self.due_s = when
            try:
                callback(*args)
            finally:
                self.due_s = None

        return super().call_at(when, run, context=context)


@dataclass(slots=True)
class _TimedEar(Ear):
    """Notes when frames were due at the playout queue's beat, and when they left it."""

    loop: _Loop | None = None
    left: list[tuple[int, int]] = field(default_factory=list)

    def hear(self, pcm: bytes) -> None:
        Ear.hear(self, pcm)
        # What leaves as it comes was not waiting for a beat.
        if self.loop is not None and self.loop.due_s is not None:
            self.left.append((round(self.loop.due_s * 1e9), time.monotonic_ns()))


class _TimedCaller:
    """Notes when frames were sent: all of their way is one plain call."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.sent_ns: list[int] = []

    async def speak(self, pcm: bytes) -> None:
        await self._caller.speak(pcm)
        self.sent_ns.append(time.monotonic_ns())

    async def hang_up(self) -> None:
        await self._caller.hang_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Calls that were held for some seconds."""

    side: str
    began_ns: int
    ended_ns: int
    cpu_percent: float
    ears: Sequence[_TimedEar]
    sent: Sequence[tuple[int, int]]
    """When each frame of a microphone was due, and when it was sent."""
    work: Work
    starved: float
    """Share of the time for which others had the core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What is to be held."""

    port: int
    core: int
    calls: int
    seconds: float
    captured: bool


def measure(
    *,
    calls: int = 4,
    rounds: int = 10,
    seconds: float = 5.0,
    captured: bool = False,
    tell: Tell = lambda _: None,
) -> RecordResult:
    """Hold the calls with a record, without, and with one that is watched, in turn, in the loop
    of `crossfade serve`.

    Args:
        calls: How many at once.
        rounds: How often each.
        seconds: For how long each time.
        captured: Whether all that it takes to run a call again is kept, too.
        tell: Told what is being measured.

    Raises:
        CrossfadeError: The agent was not heard.
    """
    service_core, own_core = cores()
    with served(service_core, speed=_SPEED, pieces=_PIECES) as service:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {own_core})
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner, _garbage_as_served():
                order = _Order(
                    port=service.port,
                    core=own_core,
                    calls=calls,
                    seconds=seconds,
                    captured=captured,
                )
                held = runner.run(_rounds(order, rounds, tell))
        finally:
            os.sched_setaffinity(0, before)
    return RecordResult(
        recorded=[_round(one) for one in held if one.side == "recorded"],
        unrecorded=[_round(one) for one in held if one.side == "not recorded"],
        watched=[_watched(one) for one in held if one.side == "watched"],
    )


@contextlib.contextmanager
def _garbage_as_served() -> Iterator[None]:
    before = gc.get_threshold()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _rounds(order: _Order, rounds: int, tell: Tell) -> list[_Held]:
    found: list[_Held] = []
    sides = ["recorded", "not recorded", "watched"]
    numbers = itertools.count(step=order.calls)
    # The first calls of a process load and build what the others find.
    await _talk("recorded", order, next(numbers))
    for turn in range(rounds):
        # None of them is always the one behind the same other.
        first = turn % len(sides)
        turned = sides[first:] + sides[:first]
        for side in turned if turn % 2 else reversed(turned):
            tell(f"round {turn + 1} of {rounds}, {side}")
            found.append(await _calmest(side, order, numbers))
    return found


async def _calmest(side: str, order: _Order, numbers: Iterator[int]) -> _Held:
    """Hold calls until nobody disturbs them, three times at most."""
    tried: list[_Held] = []
    while len(tried) < _TRIES:
        tried.append(await _talk(side, order, next(numbers)))
        if tried[-1].starved <= STARVED_SHARE:
            break
    return min(tried, key=lambda held: held.starved)


async def _talk(side: str, order: _Order, first: int) -> _Held:
    """Hold calls, whose numbers begin with `first`."""
    calls = order.calls
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    recorded = side != "not recorded"
    ours = Ours(recorded=recorded, captured=order.captured and recorded, tools=False)
    stopwatch = Stopwatch()
    cycle = CYCLES["talk"]
    with stopwatch.watching() if side == "watched" else contextlib.nullcontext():
        microphones = Microphones(cycle)
        ears, callers = [], []
        for number in range(calls):
            ear = _TimedEar(loop=loop)
            at_ms = offset_ms(number, calls, cycle)
            url = f"ws://127.0.0.1:{order.port}/talk/{first + number}/{at_ms}"
            callers.append(_TimedCaller(await ours.admit(url, ear)))
            microphones.add(callers[-1], at_ms)
            ears.append(ear)
        leave_rounds_to_us()
        await asyncio.sleep(_WARM_UP_S)
        loop.watched.rests = stopwatch.work.rests if side == "watched" else None
        starvation = Starvation(order.core)
        began_ns, cpu_s = time.monotonic_ns(), time.process_time()
        await asyncio.sleep(order.seconds)
        cpu_s, ended_ns = time.process_time() - cpu_s, time.monotonic_ns()
        starved = starvation.share()
        await asyncio.sleep(_AFTER_S)
        loop.watched.rests = None
        await microphones.stop()
        for caller in callers:
            await caller.hang_up()
    if not any(ear.left for ear in ears):
        raise CrossfadeError("the agent was not heard; give more --seconds")
    return _Held(
        side=side,
        began_ns=began_ns,
        ended_ns=ended_ns,
        cpu_percent=100 * cpu_s / ((ended_ns - began_ns) / 1e9) / calls,
        ears=ears,
        sent=[
            pair
            for due_ns, caller in zip(microphones.first_due_ns, callers, strict=True)
            for pair in due_and_sent_ns(due_ns, caller.sent_ns)
        ],
        work=stopwatch.work,
        starved=starved,
    )


def _round(held: _Held) -> Round:
    frames = _frames(held)
    late_ms = {path: (gone_ns - due_ns) / 1e6 for path, (due_ns, gone_ns) in frames.items()}
    return Round(cpu_percent=held.cpu_percent, late_ms=late_ms, starved=held.starved)


def _watched(held: _Held) -> WatchedRound:
    frames = _frames(held)
    return WatchedRound(
        before_ms={path: held.work.before_ms(*times) for path, times in frames.items()},
        longest_ms=held.work.longest_ms,
        starved=held.starved,
    )


def _frames(held: _Held) -> Mapping[Path, tuple[Times, Times]]:
    """When each frame of the round was due, and when it had gone on."""
    came = [(sent, came) for ear in held.ears for came, sent in ear.came]
    left = [pair for ear in held.ears for pair in ear.left]
    return {
        path: _within(pairs, held.began_ns, held.ended_ns)
        for path, pairs in {Path.UP: held.sent, Path.DOWN: came, Path.OUT: left}.items()
    }


def due_and_sent_ns(first_due_ns: int, sent_ns: Sequence[int]) -> list[tuple[int, int]]:
    """When each frame of a microphone was due, one every 20 ms, and when it was sent."""
    frame_ns = FRAME_MS * 1_000_000
    return [(first_due_ns + n * frame_ns, at_ns) for n, at_ns in enumerate(sent_ns)]


def _within(pairs: Sequence[tuple[int, int]], began_ns: int, ended_ns: int) -> tuple[Times, Times]:
    kept = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    kept = kept[(kept[:, 0] >= began_ns) & (kept[:, 0] < ended_ns)]
    return kept[:, 0], kept[:, 1]


__all__ = ["due_and_sent_ns", "measure"]
