"""One point of the measured calls: so many calls of one implementation, in this process alone.

    python -m crossfade.benchmarks.call_point ORDER

reads what to do as JSON and prints what it measured as JSON.
"""

import asyncio
import cProfile
import gc
import importlib
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from crossfade.pipelines.serve_garbage import leave_rounds_to_us

from .call_script import CYCLES, FRAME_BYTES, FRAME_MS, Cycle, microphone, offset_ms
from .call_side import Caller, Ear, Side
from .starvation import Starvation

_PHASES = 4
"""Callers speak at so many moments within 20 ms."""
_CATCH_UP_S = 0.5
SIDES = {
    "crossfade": ("crossfade.benchmarks.call_ours", "Ours"),
    "pipecat": ("crossfade.benchmarks.call_stock", "Stock"),
    "livekit": ("crossfade.benchmarks.call_livekit", "LiveKit"),
}


class Microphones:
    """The callers' microphones: one task that hands on 20 ms for each when they are due."""

    def __init__(self, cycle: Cycle) -> None:
        once = microphone(cycle)
        self._twice = once + once
        self._cycle_bytes = len(once)
        self._callers: list[tuple[Caller, int]] = []
        self.first_due_ns: list[int] = []
        self._sent: list[int] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, caller: Caller, at_ms: int) -> None:
        """Let a caller speak from a place in the cycle on."""
        self._callers.append((caller, at_ms * FRAME_BYTES // FRAME_MS))
        self.first_due_ns.append(0)
        self._sent.append(0)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        step_ns = int(FRAME_MS * 1e6) // _PHASES
        due_ns = time.monotonic_ns()
        turn = 0
        while True:
            await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            # After a stall all that is due comes at once, as it does from so many lines.
            for _ in range(1 + max(0, time.monotonic_ns() - due_ns) // step_ns):
                for number in range(turn % _PHASES, len(self._callers), _PHASES):
                    await self._speak(number, due_ns)
                due_ns += step_ns
                turn += 1

    async def _speak(self, number: int, due_ns: int) -> None:
        caller, offset = self._callers[number]
        self.first_due_ns[number] = self.first_due_ns[number] or due_ns
        at = (offset + self._sent[number] * FRAME_BYTES) % self._cycle_bytes
        self._sent[number] += 1
        await caller.speak(self._twice[at : at + FRAME_BYTES])

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def talk(side: Side, order: dict[str, Any]) -> dict[str, Any]:
    """Hold calls for some seconds; the CPU, and when speech got to the callers."""
    cycle, calls = CYCLES[order["cycle"]], order["calls"]
    microphones = Microphones(cycle)
    ears: list[Ear] = []
    callers: list[Caller] = []
    for number in range(calls):
        ear = Ear()
        at_ms = offset_ms(number, calls, cycle)
        caller = await side.admit(f"ws://127.0.0.1:{order['port']}/talk/{number}/{at_ms}", ear)
        microphones.add(caller, at_ms)
        ears.append(ear)
        callers.append(caller)
    await asyncio.sleep(order["warm_up_s"])
    if order["side"] == "crossfade":
        leave_rounds_to_us()
    else:
        gc.collect()
        gc.freeze()
    # That was a stall of its own, and what waited meanwhile is not measured.
    await asyncio.sleep(_CATCH_UP_S)
    starvation = Starvation(order["core"])
    began_ns, cpu_s, threads_s = time.monotonic_ns(), time.process_time(), time.thread_time()
    await asyncio.sleep(order["seconds"])
    cpu_s, threads_s = time.process_time() - cpu_s, time.thread_time() - threads_s
    ended_ns, starved = time.monotonic_ns(), starvation.share()
    await microphones.stop()
    dropped = side.dropped()
    return {
        "cpu_s": cpu_s,
        "loop_cpu_s": threads_s,
        "starved": starved,
        "began_ns": began_ns,
        "ended_ns": ended_ns,
        "first_due_ns": microphones.first_due_ns,
        "down_ms": [
            round((came_ns - sent_ns) / 1e6, 3)
            for ear in ears
            for came_ns, sent_ns in ear.came
            if began_ns <= came_ns < ended_ns
        ],
        "silenced_ns": [ear.silenced_ns for ear in ears],
        "passed_ns": [ear.passed_ns for ear in ears],
        "stale": [ear.stale for ear in ears],
        "dropped": dropped,
    }


async def idle(side: Side, order: dict[str, Any]) -> dict[str, Any]:
    """Admit calls that then are silent: the memory of each, and for how long it blocks the loop."""
    first, last = order["first"], order["calls"]
    stalls_ms: list[float] = []
    memory_mib: list[float] = []
    for number in range(last):
        gc.collect()
        probe = _Probe()
        await probe.goes()
        await side.admit(f"ws://127.0.0.1:{order['port']}/idle/{number}/0", Ear())
        await asyncio.sleep(0.05)
        stalls_ms.append(await probe.longest_ms())
        await asyncio.sleep(0.1)
        if number + 1 in (first, last):
            await asyncio.sleep(1)
            gc.collect()
            memory_mib.append(_private_mib())
    return {
        "stalls_ms": stalls_ms[first:],
        "mib_per_call": (memory_mib[1] - memory_mib[0]) / (last - first),
        "threads": len(os.listdir("/proc/self/task")),
    }


class _Probe:
    """Goes round the loop without a rest, to find its longest turn."""

    def __init__(self) -> None:
        self._longest_ns = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        before_ns = time.monotonic_ns()
        while True:
            await asyncio.sleep(0)
            now_ns = time.monotonic_ns()
            self._longest_ns = max(self._longest_ns, now_ns - before_ns)
            before_ns = now_ns

    async def goes(self) -> None:
        """Return when it has begun."""
        await asyncio.sleep(0)

    async def longest_ms(self) -> float:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self._longest_ns / 1e6


def _private_mib() -> float:
    """Memory that is this process's alone."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return kib / 1024


async def _measure(side: Side, order: dict[str, Any]) -> None:
    """Do what is ordered, print the result and be gone.

    Hundreds of calls need not be ended one by one, and a loop in which a call hangs is not waited
    for.
    """
    profile = cProfile.Profile() if order.get("profile") else None
    if profile is not None:
        profile.enable()
    measured = await (talk if order["mode"] == "talk" else idle)(side, order)
    if profile is not None:
        profile.disable()
        profile.dump_stats(order["profile"])
    sys.stdout.buffer.write(orjson.dumps(measured))
    sys.stdout.flush()
    os._exit(0)


def _main(arguments: Sequence[str]) -> None:
    order = orjson.loads(arguments[0])
    os.sched_setaffinity(0, {order["core"]})
    # What a server says at its usual level is no part of the measurement.
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    logging.disable(logging.WARNING)
    module, name = SIDES[order["side"]]
    side: Side = getattr(importlib.import_module(module), name)(**order["options"])
    with asyncio.Runner(loop_factory=_loop_factory(order)) as runner:
        runner.run(_measure(side, order))


def _loop_factory(order: dict[str, Any]) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop that is ordered; None is asyncio's own."""
    if order["loop"] == "uvloop":
        new: Callable[[], asyncio.AbstractEventLoop]
        new = importlib.import_module("uvloop").new_event_loop
        return new
    return None


if __name__ == "__main__":
    _main(sys.argv[1:])
