"""A call of hours in which something goes wrong each minute: one conversation, nothing lost."""

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.backend import Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import (
    Burst,
    Close,
    Fault,
    HalfOpen,
    MalformedJson,
    Oversized,
    Reset,
    SlowPongs,
    Stall,
    Trickle,
    UnknownEvent,
)
from crossfade.errors import CrossfadeError
from crossfade.observability.call import EVENTS, CallRecord
from crossfade.observability.call_sound import Placed
from crossfade.observability.cost_meter import CostMeter
from crossfade.observability.event_log import EventLog
from crossfade.observability.prices_file import standard_prices
from crossfade.observability.recorder import Recorder
from crossfade.observability.virtual_time import VirtualTimeError, run_virtual
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.script import AfterSilence, WhenAnswered

from .continuity_call import IN_RATES_HZ, SPECS, Service, emulator_of, look_up, set_up
from .continuity_caller import NoisyCaller, NotedScript
from .continuity_check import Entry, Heard, check_conversation, check_sound

FLAT_MB = 24.0
"""What the memory may grow from the second quarter of the call to the last."""
ROTATE_AFTER_S = 600.0
_ROTATING = Continuity(rotate_after_s=ROTATE_AFTER_S)
_FAULT_EACH_S = 60.0
_LOOK_EACH_S = 5.0
_EXCHANGE_S = 11.0
_PAUSE_S = 5.0
_PATIENCE_S = 60.0
_KEPT_S = 90
"""Of what the last connections were given so much is kept, from its end."""
_KEPT_CONNECTIONS = 3
# One round in twenty minutes: first connections die, then a longer one lives on with hiccups.
_DEADLY: Sequence[Callable[[], Fault]] = (
    Reset,
    HalfOpen,
    lambda: Close(code=1011),
    Reset,
    lambda: Close(code=1001),
    Stall,
)
_HARMLESS: Sequence[Callable[[], Fault]] = (
    lambda: Stall(ms=1500),
    MalformedJson,
    lambda: Burst(ms=1000),
    UnknownEvent,
    lambda: Trickle(ms=60),
    Oversized,
    SlowPongs,
)
_ROUND = [*_DEADLY, *(_HARMLESS[at % len(_HARMLESS)] for at in range(14))]


@dataclass(frozen=True, slots=True, kw_only=True)
class LongCall:
    """What became of one."""

    wire: str
    hours: float
    exchanges: int
    faults: int
    connections: int
    rotations: int
    """Connections that were given up although they were well."""
    lost_ms: float
    doubled_ms: float
    grown_mb: float
    """Memory of the process, from the second quarter of the call to the last."""
    why: str

    @property
    def held(self) -> bool:
        return not self.why and self.grown_mb <= FLAT_MB


@dataclass(frozen=True, slots=True, kw_only=True)
class LongCalls:
    """One call a wire."""

    calls: Sequence[LongCall]

    @property
    def held(self) -> bool:
        return all(call.held for call in self.calls)

    def table(self) -> Table:
        """For the terminal."""
        shown = Table(title="One conversation, a fault each minute")
        shown.add_column("wire")
        columns = (
            "hours",
            "exchanges",
            "faults",
            "connections",
            "rotations",
            "lost ms",
            "doubled ms",
            "grown MB",
        )
        for heading in columns:
            shown.add_column(heading, justify="right")
        shown.add_column("held")
        for call in self.calls:
            numbers = (
                f"{call.hours:.2f}",
                call.exchanges,
                call.faults,
                call.connections,
                call.rotations,
                f"{call.lost_ms:g}",
                f"{call.doubled_ms:g}",
                f"{call.grown_mb:.1f}",
            )
            shown.add_row(call.wire, *map(str, numbers), "yes" if call.held else "NO")
        return shown

    def content(self) -> dict[str, Any]:
        """For a file."""
        return {
            "measurement": "one call a wire over the whole chain on the virtual clock: a fault "
            f"each minute, rotation after {ROTATE_AFTER_S:g} s of service",
            "flat_mb": FLAT_MB,
            "calls": [{**asdict(call), "held": call.held} for call in self.calls],
        }


def measure_long(hours: float, *, wires: Sequence[str]) -> LongCalls:
    """Make the calls, each in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(wires), mp_context=spawn, initializer=set_up) as pool:
        return LongCalls(calls=list(pool.map(take_long_call, wires, [hours] * len(wires))))


def take_long_call(
    wire: str,
    hours: float,
    *,
    fault_each_s: float = _FAULT_EACH_S,
    continuity: Continuity | None = _ROTATING,
) -> LongCall:
    """Make one in virtual time.

    Args:
        wire: openai or gemini.
        hours: About so long.
        fault_each_s: How often something goes wrong.
        continuity: How the session outlives its connections; None: it does not.
    """
    exchanges = max(2, round(hours * 3600 / _EXCHANGE_S))
    call = _long_call(wire, exchanges, fault_each_s, continuity)
    return run_virtual(call, timeout_s=exchanges * _PATIENCE_S)


def scenario(exchanges: int) -> Scenario:
    """So many questions, every fourth of which takes a tool; each answer is one of its kind."""
    turns: list[Turn] = []
    for number in range(exchanges):
        if number % 4 == 3:
            call = Call(name="look_up", arguments=f'{{"city":"City {number}"}}')
            turns.append(Turn(on=Trigger.SPEECH, hear=f"question {number}", call=(call,)))
            turns.append(Turn(on=Trigger.TOOL_RESULTS, say=(_result_of(number),)))
        else:
            say = (_answer_of(number),)
            turns.append(Turn(on=Trigger.SPEECH, hear=f"question {number}", say=say))
    return Scenario(turns=tuple(turns))


def transcript(exchanges: int) -> list[Entry]:
    """What the conversation is when nothing goes wrong."""
    entries: list[Entry] = []
    for number in range(exchanges):
        entries.append({"role": "user", "text": f"question {number}", "final": True})
        text = _answer_of(number)
        if number % 4 == 3:
            arguments, result = {"city": f"City {number}"}, {"degrees": 18}
            entries.append(
                {"role": "tool", "name": "look_up", "arguments": arguments, "result": result}
            )
            text = _result_of(number)
        entries.append({"role": "agent", "text": text, "heard": text})
    return entries


def _answer_of(number: int) -> str:
    return f"Number {number} is what you asked for, and this is what I know of it."


def _result_of(number: int) -> str:
    return f"It is as warm as the result of {number} says."


@dataclass(slots=True)
class _Watch:
    """Follows a long call, looks into what has been answered, and lets go of it."""

    caller: NoisyCaller
    script: NotedScript
    emulator: Service
    lost: int = 0
    doubled: int = 0
    why: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    faults: int = 0
    connections: int = 0
    looked_at: int = 0
    _seen: set[str] = field(default_factory=set)

    async def strike(self, each_s: float) -> None:
        """Let something go wrong with the connection that serves, again and again."""
        while True:
            await asyncio.sleep(each_s)
            living = [session for session in self.emulator.sessions if not session.line.finished]
            if living:
                living[-1].line.inject(_ROUND[self.faults % len(_ROUND)]())
                self.faults += 1

    async def look(self) -> None:
        """Judge the lines that are answered, some seconds behind."""
        while True:
            await asyncio.sleep(_LOOK_EACH_S)
            self.judge(len(self.script.begun) - 1)
            self.memory_mb.append(_memory_mb())

    def judge(self, until: int) -> None:
        """Judge the lines before a number, and let go of their sound."""
        for session in self.emulator.sessions:
            self._seen.add(session.id)
        self.connections = len(self._seen)
        if until <= self.looked_at:
            return
        begun = self.script.begun[self.looked_at : until]
        kept_from = self.caller.caller.forgotten // 2
        lines = [(a - kept_from, b - kept_from) for a, b in map(self.caller.span, begun)]
        found = check_sound(bytes(self.caller.caller.said), lines, self._heard())
        self.lost += found.lost
        self.doubled += found.doubled
        self.why += [f"behind line {self.looked_at}: {why}" for why in found.why]
        self.looked_at = until
        if until < len(self.script.begun):
            self.caller.caller.let_go(self.script.begun[until][0] - self.caller.rate_hz)
        self._forget()

    def _forget(self) -> None:
        """Let go of connections that are long over: each was told the whole conversation."""
        sessions: list[Any] = list(self.emulator.sessions)
        for session in sessions[:-_KEPT_CONNECTIONS]:
            if session.line.finished:
                self.emulator.sessions.remove(session)

    def _heard(self) -> list[Heard]:
        heard = []
        audios = [session.user_audio for session in self.emulator.sessions]
        for number, audio in enumerate(audios):
            assert audio is not None, "the emulators were told to keep it"
            turns = [(turn.pcm, bool(turn.answers)) for turn in audio.turns[-4:] if turn.pcm]
            heard.append(Heard(pcm=b"", turns=turns))
            kept_s = _KEPT_S if number >= len(audios) - _KEPT_CONNECTIONS else 0
            audio.let_go(audio.samples - self.caller.rate_hz * kept_s)
        return heard


async def _long_call(
    wire: str, exchanges: int, fault_each_s: float, continuity: Continuity | None
) -> LongCall:
    loop = asyncio.get_running_loop()
    rate_hz, began_s = IN_RATES_HZ[wire], loop.time()
    first = demo_line("greeting", AfterSilence(after_s=0.5))
    later = demo_line("weather_tokyo", WhenAnswered(pause_s=_PAUSE_S))
    script = NotedScript([first, *[later] * (exchanges - 1)], patience_s=_PATIENCE_S, pause_s=1.0)
    caller = NoisyCaller(script, in_rate_hz=rate_hz)
    failure, entries = None, list[Entry]()
    with tempfile.TemporaryDirectory() as folder:
        record = _record(Path(folder))
        async with emulator_of(wire, backend=ScriptedBackend(scenario(exchanges))) as emulator:
            watch = _Watch(caller, script, emulator)
            tasks = [
                asyncio.create_task(watch.strike(fault_each_s)),
                asyncio.create_task(watch.look()),
            ]
            try:
                async with native_call(
                    SPECS[wire],
                    transport=caller,
                    record=record,
                    config=SessionConfig(),
                    tools=[look_up],
                    base_url=emulator.url,
                    api_key="emulated",
                    in_rate_hz=rate_hz,
                    continuity=continuity,
                ) as call:
                    try:
                        await call.run(until=caller.hung_up())
                    finally:
                        entries = call.conversation.to_dict()["turns"]
            except (CrossfadeError, VirtualTimeError) as error:
                failure = f"{type(error).__name__}: {error}"
            finally:
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                record.close({})
            watch.judge(len(script.begun))
    why = [] if failure is None else [failure]
    slow_s = (loop.time() - began_s) / exchanges
    if slow_s > 2 * _EXCHANGE_S:
        why.append(f"an exchange took {slow_s:.0f} s")
    if script.missed:
        why.append(f"the caller waited in vain {len(script.missed)} times")
    differing = check_conversation(entries, transcript(exchanges))
    why += [*watch.why[:5], *differing[:5]]
    rounds, more = divmod(watch.faults, len(_ROUND))
    deadly = rounds * len(_DEADLY) + min(more, len(_DEADLY))
    return LongCall(
        wire=wire,
        hours=round((loop.time() - began_s) / 3600, 3),
        exchanges=len(script.begun),
        faults=watch.faults,
        connections=watch.connections,
        rotations=max(0, watch.connections - 1 - deadly),
        lost_ms=round(watch.lost / (rate_hz / 1000), 3),
        doubled_ms=round(watch.doubled / (rate_hz / 1000), 3),
        grown_mb=_grown_mb(watch.memory_mb),
        why="; ".join(why),
    )


class _NoRecorder(Recorder):
    """Two hours of stereo are a gigabyte that nobody listens to."""

    def __init__(self) -> None:
        self.dropped_ms = 0.0
        self.failure = None

    def take(self, placed: Placed, now_s: float) -> None:
        pass

    def close(self) -> None:
        pass


def _record(folder: Path) -> CallRecord:
    clock = asyncio.get_running_loop().time
    log = EventLog(folder / EVENTS, clock=clock, content=True)
    began = datetime.now(UTC)
    return CallRecord(
        folder,
        log,
        _NoRecorder(),
        content=True,
        started_at=began,
        details={},
        costs=CostMeter(standard_prices(), started_at=began),
    )


def _memory_mb() -> float:
    """What the process holds in memory; 0 where nobody tells.

    What is free is given back before: how much of it the C library keeps says nothing of what is
    held, and is tens of megabytes after sound of all lengths.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _grown_mb(memory_mb: Sequence[float]) -> float:
    quarter = len(memory_mb) // 4
    if not quarter:
        return 0.0
    before, after = memory_mb[quarter : 2 * quarter], memory_mb[-quarter:]
    return round(statistics.median(after) - statistics.median(before), 1)
