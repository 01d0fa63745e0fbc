"""What the measurement of the record came to, and whether its goals are held."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from .points import at

LATER_MS = 1.0
"""What the record may add to the delay of any frame."""
MORE_CPU = 0.1
"""What it may add to a call's CPU, as a share."""
_PERCENT = (50.0, 99.0, 99.9, 100.0)

Milliseconds = NDArray[np.float64]


class Path(StrEnum):
    """Where frames go, from when they are due to when they have gone on."""

    UP = "caller to service"
    """From when 20 ms of the microphone are due to when they were sent to the service."""
    DOWN = "service to queue"
    """From when the service sends 20 ms to their arrival at the playout queue."""
    OUT = "beat to caller"
    """From the beat at which the playout queue hands on 20 ms to when they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Calls that were held for some seconds."""

    cpu_percent: float
    """Of a core, for each call and its caller's microphone."""
    late_ms: Mapping[Path, Milliseconds]
    """How much later than due each frame had gone on."""
    starved: float = 0.0
    """Share of the time for which others had the core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRound:
    """The same, while the record was watched at its work."""

    before_ms: Mapping[Path, Milliseconds]
    """For how long it worked before each frame went on, as `Work.before_ms` counts it; NaN for
    frames that are set aside."""
    longest_ms: Mapping[str, float]
    """The record's longest piece of work on the `loop`, and in its `threads`."""
    starved: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """The same calls with and without, round by round."""

    recorded: Sequence[Round]
    unrecorded: Sequence[Round]
    watched: Sequence[WatchedRound]

    def late_ms(self, rounds: Sequence[Round], path: Path, percent: float) -> float:
        """A percentile, as the median of the rounds."""
        return _median(at(each.late_ms[path], percent) for each in rounds)

    def added_ms(self, path: Path, percent: float) -> float:
        """What the record adds to a percentile: the median of the rounds' differences."""
        return _median(
            at(on.late_ms[path], percent) - at(off.late_ms[path], percent)
            for on, off in self._pairs()
        )

    def later(self, rounds: Sequence[Round], path: Path) -> float:
        """The share of all frames that were later than `LATER_MS`."""
        return _over(np.concatenate([each.late_ms[path] for each in rounds]))

    def before_ms(self, path: Path) -> Milliseconds:
        """For how long the record worked before each frame of all rounds but those set aside."""
        before_ms = np.concatenate([each.before_ms[path] for each in self.watched])
        known: Milliseconds = before_ms[~np.isnan(before_ms)]
        return known

    def set_aside(self, path: Path) -> float:
        """The share of frames in whose time another process had the core."""
        frames = sum(each.before_ms[path].size for each in self.watched)
        return 1 - self.before_ms(path).size / frames if frames else 0.0

    @property
    def worst_ms(self) -> float:
        """The most that any frame can be late because of the record."""
        return max(float(self.before_ms(path).max(initial=0.0)) for path in Path)

    @property
    def longest_ms(self) -> Mapping[str, float]:
        """The record's longest piece of work on the loop, and in its threads."""
        names = ("loop", "threads")
        return {name: max(each.longest_ms[name] for each in self.watched) for name in names}

    @property
    def starved(self) -> float:
        """Of the time, in the round that was disturbed most."""
        held = [each.starved for each in (*self.recorded, *self.unrecorded)]
        return max(*held, *(each.starved for each in self.watched))

    def cpu_percent(self, rounds: Sequence[Round]) -> float:
        """Of a core for each call, as the median of the rounds."""
        return float(np.median([each.cpu_percent for each in rounds]))

    @property
    def cpu_share(self) -> float:
        """What the record adds to a call's CPU, as a share: the median of the rounds'."""
        return float(np.median([on.cpu_percent / off.cpu_percent for on, off in self._pairs()])) - 1

    def _pairs(self) -> list[tuple[Round, Round]]:
        return list(zip(self.recorded, self.unrecorded, strict=True))


def tables(result: RecordResult) -> Sequence[Table]:
    """The result as people read it."""
    return [_late(result), _work(result), _cpu(result)]


def _late(result: RecordResult) -> Table:
    shown = _table("Frames later than due, in ms", "path", "calls", f"> {LATER_MS:g} ms", "frames")
    for path in Path:
        for name, rounds in (("recorded", result.recorded), ("not recorded", result.unrecorded)):
            figures = [f"{result.late_ms(rounds, path, percent):.2f}" for percent in _PERCENT]
            share = f"{result.later(rounds, path):.2%}"
            frames = str(sum(each.late_ms[path].size for each in rounds))
            shown.add_row(str(path), name, *figures, share, frames)
        added = [f"{result.added_ms(path, percent):+.2f}" for percent in _PERCENT]
        shown.add_row(str(path), "added", *added, "", "")
    return shown


def _work(result: RecordResult) -> Table:
    title = "The record's work before a frame, in ms"
    shown = _table(title, "path", "", f"> {LATER_MS:g} ms", "frames", "set aside")
    for path in Path:
        before_ms = result.before_ms(path)
        figures = [f"{at(before_ms, percent):.2f}" for percent in _PERCENT]
        share = f"{_over(before_ms):.3%}"
        aside = f"{result.set_aside(path):.1%}"
        shown.add_row(str(path), "at most", *figures, share, str(before_ms.size), aside)
    goals = [f"≤ {LATER_MS:g}" if percent == 100 else "" for percent in _PERCENT]
    shown.add_row("goal", "", *goals, "", "", "")
    return shown


def _cpu(result: RecordResult) -> Table:
    shown = Table(title="CPU of a call with its microphone, of a core")
    for name in ("recorded", "not recorded", "added", "goal"):
        shown.add_column(name, justify="right")
    shown.add_row(
        f"{result.cpu_percent(result.recorded):.2f} %",
        f"{result.cpu_percent(result.unrecorded):.2f} %",
        f"{result.cpu_share:+.1%}",
        f"≤ {MORE_CPU:.0%}",
    )
    return shown


def _table(title: str, path: str, calls: str, *behind: str) -> Table:
    shown = Table(title=title)
    for name in (path, calls):
        shown.add_column(name)
    for name in (*(_named(percent) for percent in _PERCENT), *behind):
        shown.add_column(name, justify="right")
    return shown


def content(result: RecordResult) -> Mapping[str, Any]:
    """The result as JSON has it."""
    sides = {"recorded": result.recorded, "unrecorded": result.unrecorded}
    told: dict[str, Any] = {
        name: {
            "late_ms": {str(path): _late_content(result, rounds, path) for path in Path},
            "cpu_percent_of_a_call": result.cpu_percent(rounds),
        }
        for name, rounds in sides.items()
    }
    told["added_ms"] = {
        str(path): {_named(percent): result.added_ms(path, percent) for percent in _PERCENT}
        for path in Path
    }
    told["work_before_a_frame_ms"] = {
        str(path): {
            **{_named(percent): at(result.before_ms(path), percent) for percent in _PERCENT},
            "over_1_ms": _over(result.before_ms(path)),
            "frames": result.before_ms(path).size,
            "set_aside": result.set_aside(path),
        }
        for path in Path
    }
    return told | {
        "longest_work_ms": result.longest_ms,
        "cpu_share": result.cpu_share,
        "starved": result.starved,
        "goal": f"work before any frame ≤ {LATER_MS:g} ms, CPU added ≤ {MORE_CPU:.0%}",
        "held": held(result),
    }


def _late_content(result: RecordResult, rounds: Sequence[Round], path: Path) -> Mapping[str, Any]:
    return {
        **{_named(percent): result.late_ms(rounds, path, percent) for percent in _PERCENT},
        "later_than_1_ms": result.later(rounds, path),
        "frames": sum(each.late_ms[path].size for each in rounds),
    }


def held(result: RecordResult) -> bool:
    """Whether no frame can be later because of the record by more than it may, and the record
    costs no more than it may."""
    return result.worst_ms <= LATER_MS and result.cpu_share <= MORE_CPU


def _over(values: Milliseconds) -> float:
    return float(np.mean(values > LATER_MS)) if values.size else 0.0


def _median(values: Iterable[float]) -> float:
    """Of the rounds in which there was anything to measure."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _named(percent: float) -> str:
    return "worst" if percent == 100.0 else f"p{percent:g}"


__all__ = [
    "LATER_MS",
    "MORE_CPU",
    "Path",
    "RecordResult",
    "Round",
    "WatchedRound",
    "content",
    "held",
    "tables",
]
