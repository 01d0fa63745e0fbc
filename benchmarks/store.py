"""What writing a hundred calls costs those calls: how late an audio frame is for it.

The calls change their ledgers and speak as real ones do, in one process. Meanwhile a timer of the
loop shows how late whatever is due then would come: without a store, and with each. On a machine
with other work that shows its work as well; how long the loop's steps and turns took is told in
CPU time, and beside it the share of the time in which others had the core.
"""

import asyncio
import contextlib
import gc
import os
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from crossfade.conversation.store import CallStore, open_store
from crossfade.conversation.store_records import CallChanges, CallStatus, LeftOut
from crossfade.pipelines.journal_writer import JournalWriter

from .starvation import Starvation
from .store_calls import Talk, talk

GOAL_STEP_MS = 10.0
"""Half a frame, for the longest step of the loop."""
FRAME_MS = 20.0
"""An audio frame that comes later than the next one is due is late."""
GOAL_APART_MS = 200.0
"""From one chunk of unfinished audio to the next, as committed."""
_BEAT_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLoad:
    """What one store cost."""

    store: str
    """none, sqlite or postgresql."""
    calls: int
    seconds: float
    lag_p50_ms: float
    lag_p99_ms: float
    lag_worst_ms: float
    step_worst_ms: float
    """CPU time of the longest step of the loop: so long nothing else had its turn."""
    turn_worst_ms: float
    """CPU time of the longest turn of the loop: between two looks at sockets and timers."""
    starved: float
    """Share of the time in which others had the core."""
    late_frames: int
    """Frames of all calls, 50 a second each, that would have come too late."""
    cpu_percent: float
    """Of one core, all that the process did."""
    writes: int = 0
    write_p99_ms: float = 0.0
    apart_p99_ms: float = 0.0
    """Between two commits of a speaking call's audio."""
    entries: int = 0
    """Kept in the end."""
    lost: int = 0


@dataclass(slots=True)
class Beats:
    """How the event loop fared."""

    lags_ms: list[float] = field(default_factory=list)
    steps_ms: list[float] = field(default_factory=list)
    turns_ms: list[float] = field(default_factory=list)
    starved: float = 0.0

    def late_frames(self, calls: int) -> int:
        """Frames of so many calls that would have come later than the next one is due."""
        late = sum(lag > FRAME_MS for lag in self.lags_ms)
        return round(late * _BEAT_S * 1000 / FRAME_MS * calls)


class _Watched:
    """A store that notes how long each write took, and when each call's audio was kept."""

    def __init__(self, store: CallStore) -> None:
        self._store = store
        self.took_ms: list[float] = []
        self.apart_ms: list[float] = []
        self._kept_s: dict[str, float] = {}

    async def write(
        self, batch: Sequence[CallChanges], *, owner: str | None = None, lease_s: float = 10.0
    ) -> Mapping[str, LeftOut]:
        started_s = time.perf_counter()
        left_out = await self._store.write(batch, owner=owner, lease_s=lease_s)
        now_s = time.perf_counter()
        self.took_ms.append((now_s - started_s) * 1000)
        for changes in batch:
            if changes.audio is None:
                continue
            before_s = self._kept_s.pop(changes.call_id, None)
            if before_s is not None and not changes.audio.anew:
                self.apart_ms.append((now_s - before_s) * 1000)
            if changes.audio.chunk:
                self._kept_s[changes.call_id] = now_s
        return left_out

    async def forget_audio(self) -> None:
        await self._store.forget_audio()


def measure(urls: Mapping[str, str], *, calls: int, seconds: float) -> list[StoreLoad]:
    """Have so many calls talk without a store, and then with each.

    Args:
        urls: Stores by the name that the result gives them.
        calls: At once.
        seconds: For each store.
    """
    return [
        asyncio.run(_measured(name, url, calls, seconds))
        for name, url in (("none", None), *urls.items())
    ]


async def _measured(name: str, url: str | None, calls: int, seconds: float) -> StoreLoad:
    talks = [Talk(phase * 7) for phase in range(calls)]
    if url is None:
        gc.collect()
        with beating() as fared:
            cpu = await _cpu_percent(talks, seconds)
        return _load(name, calls, seconds, fared, cpu)
    async with await open_store(url) as store:
        watched = _Watched(store)
        async with _written(watched, talks) as writer:
            # The first statements are compiled before it counts, as when a server has served.
            await asyncio.sleep(0.5)
            gc.collect()
            with beating() as fared:
                cpu = await _cpu_percent(talks, seconds)
        stored = {one.id: one.entries for one in await store.calls(limit=10 * calls)}
        ids = [each.id for each in talks]
        await store.delete(ids)
    return _load(
        name,
        calls,
        seconds,
        fared,
        cpu,
        writes=len(watched.took_ms),
        write_p99_ms=percentile(watched.took_ms, 99),
        apart_p99_ms=percentile(watched.apart_ms, 99),
        entries=sum(stored.get(call_id, 0) for call_id in ids),
        lost=writer.state.lost,
    )


@contextlib.asynccontextmanager
async def _written(store: _Watched, talks: Sequence[Talk]) -> AsyncIterator[JournalWriter]:
    async with JournalWriter(store, owner="bench") as writer:
        now = time.time()
        journals = [each.opened(writer, now) for each in talks]
        yield writer
        for journal in journals:
            journal.end(CallStatus.ENDED, time.time())


async def _cpu_percent(talks: Sequence[Talk], seconds: float) -> float:
    before_s, started_s = time.process_time(), time.perf_counter()
    await talk(talks, seconds)
    return (time.process_time() - before_s) / (time.perf_counter() - started_s) * 100


@contextlib.contextmanager
def beating() -> Iterator[Beats]:
    """Note every 5 ms how late a timer fires, and of all steps of the loop what they take."""
    loop, fared = asyncio.get_running_loop(), Beats()
    starvation = Starvation(min(os.sched_getaffinity(0)))
    due_s = loop.time() + _BEAT_S
    handle: asyncio.TimerHandle

    def beat() -> None:
        nonlocal due_s, handle
        now_s = loop.time()
        # Whatever was due since then is as late as it is itself.
        while due_s <= now_s:
            fared.lags_ms.append((now_s - due_s) * 1000)
            due_s += _BEAT_S
        handle = loop.call_at(due_s, beat)

    handle = loop.call_at(due_s, beat)
    with (
        _timed(asyncio.Handle, "_run", fared.steps_ms),
        _timed(BaseEventLoop, "_run_once", fared.turns_ms),
    ):
        try:
            yield fared
        finally:
            handle.cancel()
            fared.starved = round(starvation.share(), 3)


@contextlib.contextmanager
def _timed(kind: type, name: str, took_ms: list[float]) -> Iterator[None]:
    """Note the CPU time of each call of a method."""
    method = getattr(kind, name)

    def timed(self: object) -> None:
        before_s = time.thread_time()
        method(self)
        took_ms.append((time.thread_time() - before_s) * 1000)

    setattr(kind, name, timed)
    try:
        yield
    finally:
        setattr(kind, name, method)


def _load(name: str, calls: int, seconds: float, loop: Beats, cpu: float, **more: Any) -> StoreLoad:
    lags = loop.lags_ms
    return StoreLoad(
        store=name,
        calls=calls,
        seconds=seconds,
        lag_p50_ms=percentile(lags, 50),
        lag_p99_ms=percentile(lags, 99),
        lag_worst_ms=percentile(lags, 100),
        step_worst_ms=percentile(loop.steps_ms, 100),
        turn_worst_ms=percentile(loop.turns_ms, 100),
        starved=loop.starved,
        late_frames=loop.late_frames(calls),
        cpu_percent=round(cpu, 1),
        **more,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2) if values else 0.0


def table(result: Sequence[StoreLoad]) -> Table:
    """The result for the terminal."""
    first = result[0]
    shown = Table(title=f"{first.calls} calls at once for {first.seconds:g} s, by store")
    shown.add_column("store")
    for heading in (
        *("longest step, CPU ms", "turn", "loop late p50 ms", "p99 ms", "worst ms"),
        *("late frames", "others had the core"),
        *("CPU %", "writes", "write p99 ms", "audio apart p99 ms", "entries", "lost"),
    ):
        shown.add_column(heading, justify="right")
    for load in result:
        cells = [
            *(f"{load.step_worst_ms:.1f}", f"{load.turn_worst_ms:.1f}"),
            *(f"{load.lag_p50_ms:.2f}", f"{load.lag_p99_ms:.2f}", f"{load.lag_worst_ms:.1f}"),
            *(str(load.late_frames), f"{load.starved:.0%}", f"{load.cpu_percent:.0f}"),
        ]
        if load.store != "none":
            cells += [
                *(str(load.writes), f"{load.write_p99_ms:.0f}", f"{load.apart_p99_ms:.0f}"),
                *(str(load.entries), str(load.lost)),
            ]
        shown.add_row(load.store, *cells)
    shown.add_section()
    goals = [f"≤ {GOAL_STEP_MS:g}", "", "", "", "", "0", "", "", "", ""]
    goals += [f"≤ {GOAL_APART_MS:g}", "", "0"]
    shown.add_row("goal", *goals)
    return shown


def content(result: Sequence[StoreLoad]) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "how late a timer of the event loop fires while calls talk and are written, "
        "and the CPU time of the longest step and turn of the loop",
        "goal": {"step_worst_ms": GOAL_STEP_MS, "late_frames": 0, "apart_p99_ms": GOAL_APART_MS},
        "stores": [asdict(load) for load in result],
    }


__all__ = [
    "FRAME_MS",
    "GOAL_APART_MS",
    "GOAL_STEP_MS",
    "Beats",
    "StoreLoad",
    "beating",
    "content",
    "measure",
    "percentile",
    "table",
]
