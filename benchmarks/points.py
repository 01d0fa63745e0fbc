"""Runs points of the measured calls, each in fresh processes: the service's and the client's."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from crossfade.errors import CrossfadeError, SettingsError

from .call_messages import DELTA_BYTES
from .call_script import FRAME_MS
from .call_server import BYTES_PER_MS, served
from .starvation import STARVED_SHARE

_FRAME_BYTES = FRAME_MS * BYTES_PER_MS
_PATIENCE_S = 60.0
_ADMISSION_S = 0.5
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is measured in a point."""

    side: str
    calls: int
    seconds: float = 5.0
    warm_up_s: float = 3.0
    options: Mapping[str, Any] = field(default_factory=dict)
    cycle: str = "talk"
    speed: float = 1.0
    """How much faster than real time the service sends."""
    round_trip_ms: float = 0.0
    loop: str = ""
    """The event loop: `uvloop` is uvloop's, empty asyncio's own."""
    profile: str | None = None
    """Where cProfile's statistics of the client go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What so many calls cost, and how late their sound was."""

    calls: int
    cpu_percent: float
    """Of a core, for all calls and their callers' microphones."""
    up_ms: NDArray[np.float64]
    """From when 20 ms of the microphone were due to their arrival at the service."""
    down_ms: NDArray[np.float64]
    """From when the service sent 20 ms to when the output transport took them."""
    spoken_to_socket_ms: float
    """The mean, over all samples, from when one was spoken to its arrival at the service."""
    messages_up_per_s: float
    """Of each call."""
    heard_share: float
    """Of the microphones' sound, so much came."""
    silence_ms: NDArray[np.float64]
    """From the service's word that the caller speaks to when nothing more can be written."""
    passed_ms: NDArray[np.float64]
    """To when the interruption had passed the output."""
    stale: Sequence[int]
    """Pieces of each call's cancelled answers that were written nevertheless."""
    interruptions: int
    dropped: int
    """Microphone frames never sent."""
    service_late_ms: float
    """p99 of how late the service itself was."""
    starved: float = 0.0
    """Share of the time for which others had a core that the client or the service waited for."""

    @property
    def cpu_per_call(self) -> float:
        return self.cpu_percent / self.calls

    @property
    def disturbed(self) -> bool:
        """Whether it tells more of what else the machine did."""
        return self.starved > STARVED_SHARE

    @property
    def up_p99_ms(self) -> float:
        return at(self.up_ms, 99)

    @property
    def down_p99_ms(self) -> float:
        return at(self.down_ms, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What one more call costs that says nothing."""

    stall_ms: float
    """Median of the loop's longest turn while a call is admitted."""
    mib_per_call: float
    """Private memory."""
    threads: int
    """Of the process, with all calls."""


def at(values: NDArray[np.float64], percent: float) -> float:
    """A percentile; NaN of nothing."""
    return float(np.percentile(values, percent)) if values.size else float("nan")


def talk(order: Order) -> Point:
    """Hold calls and measure; again, where others had the machine meanwhile.

    Returns:
        The first point that was not disturbed; of three that were, the one that was least.

    Raises:
        SettingsError: The machine has only one core.
        CrossfadeError: A process failed, or hung.
    """
    return calmest(lambda: _talk(order))


def calmest(take: Callable[[], Point]) -> Point:
    """Measure until nobody disturbs it, three times at most.

    Raises:
        CrossfadeError: It failed three times; why it did the last time.
    """
    taken: list[Point] = []
    failed: list[CrossfadeError] = []
    while len(taken) + len(failed) < _TRIES:
        try:
            taken.append(take())
        except CrossfadeError as error:
            failed.append(error)
            continue
        if not taken[-1].disturbed:
            break
    if not taken:
        raise failed[-1]
    return min(taken, key=lambda point: point.starved)


def _talk(order: Order) -> Point:
    told, noted = _run(
        order,
        {"mode": "talk", "seconds": order.seconds, "warm_up_s": order.warm_up_s},
        order.seconds + order.warm_up_s + order.calls * _ADMISSION_S,
    )
    began_ns, ended_ns = told["began_ns"], told["ended_ns"]
    lateness: list[float] = []
    ages: list[float] = []
    sizes: list[int] = []
    silence_ms: list[float] = []
    passed_ms: list[float] = []
    for number, first_due_ns in enumerate(told["first_due_ns"]):
        call = noted["calls"].get(str(number))
        if call is None:
            raise CrossfadeError(
                f"{_named(order)} cannot be measured: call {number} never reached the service; "
                "the machine may have too little time for so many"
            )
        before = 0
        for came_ns, heard in call["came"]:
            if began_ns <= came_ns < ended_ns:
                since_ms = (came_ns - first_due_ns) / 1e6
                lateness.append(since_ms - (heard - 1) // _FRAME_BYTES * FRAME_MS)
                # The first frame was complete when it was due, and begun 20 ms before.
                ages.append(since_ms + FRAME_MS - (before + heard) / 2 / BYTES_PER_MS)
                sizes.append(heard - before)
            before = heard
        spoken = call["speech"]
        silence_ms += _silences_ms(spoken, told["silenced_ns"][number], began_ns, ended_ns)
        passed_ms += _silences_ms(spoken, told["passed_ns"][number], began_ns, ended_ns)
    seconds = (ended_ns - began_ns) / 1e9
    return Point(
        calls=order.calls,
        cpu_percent=100 * told["cpu_s"] / seconds,
        up_ms=np.asarray(lateness),
        down_ms=np.asarray(told["down_ms"]),
        spoken_to_socket_ms=float(np.average(ages, weights=sizes)) if ages else float("nan"),
        messages_up_per_s=len(lateness) / order.calls / seconds,
        heard_share=sum(sizes) / BYTES_PER_MS / 1000 / order.calls / seconds,
        silence_ms=np.asarray(silence_ms),
        passed_ms=np.asarray(passed_ms),
        stale=told["stale"],
        interruptions=sum(len(times) for times in told["silenced_ns"]),
        dropped=told["dropped"],
        service_late_ms=noted["late_p99_ms"],
        starved=max(told["starved"], noted["starved"]),
    )


def admit(side: str, *, first: int = 5, last: int = 20) -> Admission:
    """Admit calls that say nothing; those after the first are counted."""
    order = Order(side=side, calls=last)
    told, _ = _run(order, {"mode": "idle", "first": first}, last * 3.0)
    return Admission(
        stall_ms=float(np.median(told["stalls_ms"])),
        mib_per_call=told["mib_per_call"],
        threads=told["threads"],
    )


def cores() -> tuple[int, int]:
    """The service's core and the client's.

    Raises:
        SettingsError: The machine has only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SettingsError("the service and its clients need a core each; this machine has one")
    return usable[0], usable[1]


def _silences_ms(
    told_ns: Sequence[int], silenced_ns: Sequence[int], began_ns: int, ended_ns: int
) -> list[float]:
    """For each interruption that the service told of, how long it took until all was silent."""
    times = np.asarray(silenced_ns)
    found = []
    for told, until in zip(told_ns, [*told_ns[1:], ended_ns], strict=False):
        after = times[(times >= told) & (times < until)]
        if began_ns <= told < ended_ns and after.size:
            found.append((int(after[0]) - told) / 1e6)
    return found


def _run(
    order: Order, mode: Mapping[str, Any], expected_s: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the client measured and what the service noted."""
    service_core, client_core = cores()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        served(
            service_core, order.cycle, speed=order.speed, round_trip_ms=order.round_trip_ms
        ) as service,
    ):
        whole = {
            "side": order.side,
            "calls": order.calls,
            "options": dict(order.options),
            "cycle": order.cycle,
            "port": service.port,
            "core": client_core,
            "loop": order.loop,
            "profile": order.profile,
            **mode,
        }
        command = [sys.executable, "-m", f"{__package__}.call_point", orjson.dumps(whole).decode()]
        try:
            done = subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                # The client leaves its calls' records behind.
                env=os.environ | {"TMPDIR": folder},
                timeout=expected_s + _PATIENCE_S,
            )
        except subprocess.TimeoutExpired as error:
            raise CrossfadeError(
                f"{_named(order)} did not come to an end within {error.timeout:.0f} s; "
                "the machine may have too little time for so many"
            ) from error
        except subprocess.CalledProcessError as error:
            raise CrossfadeError(
                f"{_named(order)} broke off: their process ended with code {error.returncode}; "
                "its traceback is above"
            ) from error
        told: dict[str, Any] = orjson.loads(done.stdout)
        return told, service.end()


def _named(order: Order) -> str:
    return f"the measurement of {order.calls} calls of {order.side}"


assert DELTA_BYTES == _FRAME_BYTES
