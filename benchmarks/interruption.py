"""What is the framework's own in an interruption, and what it lets through after one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import points
from .points import Order, Point

GOAL_IDLE_MS = 1.0
GOAL_BUSY_MS = 5.0
IDLE_S = 30.0
"""At least, for as many interruptions."""
BUSY_CALLS = {"crossfade": 50, "pipecat": 16}
"""Stock pipecat's most on a core is half of fifty."""
GENERATION = 4.0
ROUND_TRIP_MS = 80.0
_PIECE_MS = 20
_AT_ONCE = 2

Measure = Callable[[Order], Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    """From the service's word that the caller speaks to when nothing more can be written."""

    side: str
    calls: int
    p50_ms: float
    p95_ms: float
    passed_p95_ms: float
    """To when the frame that interrupts had passed the output."""
    interruptions: int
    stale: int
    """Pieces of interrupted answers that were written afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """Sound of cancelled answers that was written, generation at 4 × real time, 80 ms away."""

    side: str
    stale_ms: float
    """An interruption."""
    interruptions: int


def silencing(seconds: float, *, busy: bool = True, take: Measure = points.talk) -> list[Silencing]:
    """One call with an interruption a second, then many calls; both sides in turn."""
    idle = Order(
        side="crossfade",
        calls=1,
        seconds=max(seconds, IDLE_S),
        options={"tools": False},
        cycle="barge-ins",
        warm_up_s=1.5,
    )
    orders = [idle, replace(idle, side="pipecat", options={})]
    if busy:
        orders += [
            Order(side=side, calls=calls, seconds=seconds) for side, calls in BUSY_CALLS.items()
        ]
    return [_silencing(order, take(order)) for order in orders]


def _silencing(order: Order, point: Point) -> Silencing:
    return Silencing(
        side=order.side,
        calls=order.calls,
        p50_ms=round(points.at(point.silence_ms, 50), 2),
        p95_ms=round(points.at(point.silence_ms, 95), 2),
        passed_p95_ms=round(points.at(point.passed_ms, 95), 2),
        interruptions=int(point.silence_ms.size),
        stale=sum(point.stale),
    )


def stale(seconds: float, *, take: Measure = points.talk) -> list[Stale]:
    """The caller's turns are found here, so that answers are cut before the service knows."""
    found = []
    for side, options in (
        ("crossfade", {"local_turns": True, "tools": False}),
        ("pipecat", {"local_turns": True, "paced": True}),
    ):
        point = take(
            Order(
                side=side,
                calls=_AT_ONCE,
                seconds=seconds,
                options=options,
                speed=GENERATION,
                round_trip_ms=ROUND_TRIP_MS,
            )
        )
        written_ms = sum(point.stale) * _PIECE_MS
        found.append(
            Stale(
                side=side,
                stale_ms=round(written_ms / max(1, point.interruptions), 1),
                interruptions=point.interruptions,
            )
        )
    return found
