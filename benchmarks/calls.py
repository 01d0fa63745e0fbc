"""Many calls in one process on one core: what each costs, and how many are too many.

When the calls run, what lives by then is left out of the interpreter's rounds for garbage on all
sides. Ours then has its rounds set as `crossfade serve` sets them; the others keep Python's own.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from crossfade.errors import CrossfadeError

from . import points
from .peers import installed as peer_installed
from .points import Admission, Order, Point
from .starvation import STARVED_SHARE

GOALS = {
    "cpu_per_call": "≥ 3 (aim 5)",
    "cpu_per_call_no_rtvi": "≥ 3",
    "cpu_per_call_uvloop": "≥ 3",
    "cpu_per_call_livekit": "≥ 1.4",
    "calls_per_core": "≥ 4 (aim 150 calls)",
    "added_latency_p99_ms": "< 20",
    "mib_per_idle_call": "≤ 1",
    "admission_stall_ms": "≤ 5",
    "record_share": "≤ 0.10",
}
LATEST_MS = 20.0
_RECORDED = {"recorded": True}
_UNRECORDED = {"recorded": False}
_LEAST_HEARD = 0.9
"""Of the microphones' sound; where less came, calls broke."""

_MOST_TRIES = 12
_SEARCH_S = 150.0
"""Of one side; what is found by then is told as the least."""
_WHOLE_CORE = 95.0
"""% of it; with less left, a side that is measured falls behind."""
_HOPELESS = 5
"""Times the limit: so late a number of calls is not tried twice."""
_FINEST = 16
"""The most calls are found to within such a share of the first guess."""

Measure = Callable[[Order], Point]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """One implementation at a number of calls; medians of the rounds."""

    side: str
    calls: int
    cpu_per_call: float
    """% of a core."""
    up_p99_ms: float
    down_p99_ms: float
    messages_up_per_s: float
    starved: float
    """Of the time, others had a core that was waited for; the worst round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The largest number of calls that a core sustains."""

    side: str
    calls: int
    tried: Sequence[tuple[int, float | None]]
    """Each number that was tried, with its p99 of added latency in ms, the worse of both ways; None
    where calls lost sound or broke off."""
    settled: bool
    """Whether the search came to its end: a little more was too many."""
    starved: float
    """As above, of the points that were too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsResult:
    steady: Sequence[Steady]
    most: Sequence[Most]
    admissions: Mapping[str, Admission]
    record_share: float
    """Of event log and recorder in the CPU of a call of ours."""
    missing: Sequence[str]
    """Peers that are not installed."""
    ratios: Mapping[str, float]
    """How many times better ours is than stock pipecat."""


def installed() -> list[str]:
    """The sides that can be measured here."""
    return ["crossfade", "pipecat", *(peer for peer in ("livekit",) if peer_installed(peer))]


def measure(
    *,
    calls: int = 16,
    rounds: int = 3,
    seconds: float = 5.0,
    search: bool = True,
    tell: Tell = lambda _: None,
    take: Measure = points.talk,
    admit: Callable[[str], Admission] = points.admit,
) -> CallsResult:
    """Measure all sides in turn, each point in fresh processes.

    Args:
        calls: How many at once for the CPU of one.
        rounds: How often; ratios are medians of the rounds' ratios.
        seconds: Length of each point, after a warm-up.
        search: Whether the most that a core sustains is looked for, too.
        tell: Told what is being measured.
        take: Measures a point.
        admit: Measures admissions.
    """
    sides = installed()
    orders = {
        "crossfade": Order(side="crossfade", calls=calls, seconds=seconds, options=_RECORDED),
        "crossfade, no log, no recording": Order(
            side="crossfade", calls=calls, seconds=seconds, options=_UNRECORDED
        ),
        "pipecat": Order(side="pipecat", calls=calls, seconds=seconds),
        "pipecat as it comes": Order(
            side="pipecat", calls=calls, seconds=seconds, options={"as_it_comes": True}
        ),
        "pipecat, no RTVI": Order(
            side="pipecat", calls=calls, seconds=seconds, options={"lean": True}
        ),
    }
    if peer_installed("uvloop"):
        orders["crossfade, uvloop"] = replace(orders["crossfade"], loop="uvloop")
        orders["pipecat, uvloop"] = replace(orders["pipecat"], loop="uvloop")
    if "livekit" in sides:
        orders["livekit"] = Order(side="livekit", calls=calls, seconds=seconds)
    taken: dict[str, list[Point]] = {name: [] for name in orders}
    for number in range(rounds):
        for name, order in orders.items():
            tell(f"{name}: {calls} calls, {number + 1} of {rounds}")
            taken[name].append(take(order))
    most: list[Most] = []
    if search:
        # Where to begin looking: what the CPU of a call promises, less a quarter.
        # livekit's packs of 100 ms are late by themselves.
        for side in sides[:2]:
            cost = statistics.median(p.cpu_per_call for p in taken[side])
            most.append(_most(orders[side], max(4, int(75 / cost)), tell=tell, take=take))
    admissions = {}
    for side in sides:
        tell(f"{side}: admissions")
        admissions[side] = admit(side)
    cost_ratios = {side: _ratio(taken[side], taken["crossfade"]) for side in sides[1:]}
    ratios = {
        "cpu_per_call": cost_ratios["pipecat"],
        "cpu_per_call_no_rtvi": _ratio(taken["pipecat, no RTVI"], taken["crossfade"]),
    }
    if "pipecat, uvloop" in taken:
        ratios["cpu_per_call_uvloop"] = _ratio(taken["pipecat, uvloop"], taken["crossfade"])
    if "livekit" in sides:
        ratios["cpu_per_call_livekit"] = cost_ratios["livekit"]
    if most:
        ratios["calls_per_core"] = round(most[0].calls / max(1, most[1].calls), 2)
    return CallsResult(
        steady=[_steady(name, points) for name, points in taken.items()],
        most=most,
        admissions=admissions,
        record_share=round(
            1 - 1 / _ratio(taken["crossfade"], taken["crossfade, no log, no recording"]), 3
        ),
        missing=[side for side in ("livekit",) if side not in sides],
        ratios=ratios,
    )


def _ratio(others: Sequence[Point], ours: Sequence[Point]) -> float:
    """The median of the ratios of rounds with both: what slows the machine down slows both."""
    pairs = zip(others, ours, strict=False)
    return round(statistics.median(a.cpu_per_call / b.cpu_per_call for a, b in pairs), 3)


def _steady(name: str, taken: Sequence[Point]) -> Steady:
    return Steady(
        side=name,
        calls=taken[0].calls,
        cpu_per_call=round(statistics.median(p.cpu_per_call for p in taken), 3),
        up_p99_ms=round(statistics.median(p.up_p99_ms for p in taken), 2),
        down_p99_ms=round(statistics.median(p.down_p99_ms for p in taken), 2),
        messages_up_per_s=round(statistics.median(p.messages_up_per_s for p in taken), 1),
        starved=round(max(p.starved for p in taken), 3),
    )


def _most(order: Order, begin: int, *, tell: Tell, take: Measure) -> Most:
    """Look for the most calls; a number is too many when it was too late twice, or by far."""
    tried: list[tuple[int, float | None]] = []
    starved = 0.0

    def sustained(calls: int) -> bool:
        nonlocal starved
        for _ in range(2):
            tell(f"{order.side}: {calls} calls on one core")
            try:
                point = take(replace(order, calls=calls))
            except CrossfadeError as error:
                # Too many may break it; whatever it was, it is told.
                tell(str(error))
                tried.append((calls, None))
                break
            late_ms = _late_ms(point)
            tried.append((calls, round(late_ms, 2) if math.isfinite(late_ms) else None))
            if late_ms < LATEST_MS:
                return True
            starved = max(starved, point.starved)
            if late_ms > _HOPELESS * LATEST_MS and not point.disturbed:
                break
        return False

    low, high = 0, 0
    calls = begin
    until_s = time.monotonic() + _SEARCH_S
    settled = False
    while len(tried) < _MOST_TRIES and low < calls != high and time.monotonic() < until_s:
        if sustained(calls):
            low = calls
        else:
            high = calls
        if not high:
            calls = low * 5 // 4
        elif not low:
            calls = high * 3 // 4
        elif high - low > begin // _FINEST:
            calls = (low + high) // 2
        else:
            settled = True
            break
    return Most(side=order.side, calls=low, tried=tried, settled=settled, starved=round(starved, 3))


def _late_ms(point: Point) -> float:
    """The worse p99 of both ways; a call that lost sound is as late as can be."""
    if point.dropped or point.heard_share < _LEAST_HEARD or not point.down_ms.size:
        return float("inf")
    return max(point.up_p99_ms, point.down_p99_ms)


def tables(result: CallsResult) -> list[Table]:
    """The result for people."""
    cost = Table(title=f"{result.steady[0].calls} calls in one process on one core")
    cost.add_column("side")
    headings = ("CPU % a call", "× ours", "up p99 ms", "down p99 ms", "sent a second", "others %")
    for heading in headings:
        cost.add_column(heading, justify="right")
    ours = result.steady[0].cpu_per_call
    for side in result.steady:
        cost.add_row(
            side.side,
            f"{side.cpu_per_call:.2f}",
            f"{side.cpu_per_call / ours:.2f}",
            f"{side.up_p99_ms:.1f}",
            f"{side.down_p99_ms:.1f}",
            f"{side.messages_up_per_s:.0f}",
            f"{100 * side.starved:.0f}",
        )
    if caution := " ".join(filter(None, (disturbances(result), saturated(result)))):
        cost.caption = caution
    room = Table(title="Room on a core, and what a further call costs")
    room.add_column("side")
    for heading in ("calls, p99 < 20 ms", "MiB an idle call", "stall at admission, ms"):
        room.add_column(heading, justify="right")
    most = {found.side: f"{'' if found.settled else '≥ '}{found.calls}" for found in result.most}
    for side_name, admission in result.admissions.items():
        room.add_row(
            side_name,
            most.get(side_name, "not looked for"),
            f"{admission.mib_per_call:.2f}",
            f"{admission.stall_ms:.1f}",
        )
    ratios = Table(title="Ours against them")
    ratios.add_column("")
    ratios.add_column("measured", justify="right")
    ratios.add_column("goal", justify="right")
    for name, ratio in result.ratios.items():
        ratios.add_row(name.replace("_", " "), f"{ratio:.2f}", GOALS[name])
    share = f"{100 * result.record_share:.0f} %"
    ratios.add_row("event log and recorder of a call's CPU", share, "≤ 10 %")
    return [cost, room, ratios]


def saturated(result: CallsResult) -> str:
    """Who had the whole core and would have needed more of it."""
    names = [each.side for each in result.steady if each.cpu_per_call * each.calls > _WHOLE_CORE]
    if not names:
        return ""
    return (
        f"{', '.join(names)} took the whole core and fell behind: what a call costs there is more "
        "than is told. Measure fewer calls."
    )


def disturbances(result: CallsResult) -> str:
    """What to know before the figures are believed; nothing if nobody disturbed them."""
    disturbed: dict[str, float] = {}
    points_of: tuple[Steady | Most, ...] = (*result.steady, *result.most)
    for each in points_of:
        if each.starved > STARVED_SHARE:
            disturbed[each.side] = max(each.starved, disturbed.get(each.side, 0.0))
    if not disturbed:
        return ""
    worst = ", ".join(f"{side} {100 * share:.0f} %" for side, share in disturbed.items())
    return (
        "The machine was busy with something else, though each point was tried three times: "
        f"others had the core for {worst} of the time. Latencies, and the most calls, are of the "
        "machine; measure again when it is quiet."
    )


def content(result: CallsResult) -> dict[str, Any]:
    """The result for JSON."""
    return {
        "measurement": "calls in one process on one core against a paced service on another: "
        "50 pieces of sound a second each way, a turn and an interruption every 10 s; "
        "CPU in % of a core a call, medians",
        "goals": GOALS,
        **asdict(result),
    }
