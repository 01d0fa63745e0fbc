"""What a server's calls may come to in a day, and what they have. Pure, but for `spent_before`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from crossfade.observability.call import CallRecord

SUMMARY = "summary.json"
"""What a call's record leaves behind, as `observability.summary_file` has it; this module is
loaded where nothing of a call is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the calls of a day came to."""

    date: str = ""
    """In local time, such as 2026-11-21."""
    calls: int = 0
    """That were begun."""
    usd: float = 0.0
    """What they cost, as far as it has a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Of one day; 0 is no limit."""

    calls: int = 0
    usd: float = 0.0


class DayMeter:
    """Counts what this process's calls come to, beside those of others.

    A process is told what it did not see: what was before it began, and what the other workers of
    its server come to. A running call that costs more goes on: its own budget bounds it.

    Args:
        caps: From which on no new call is taken.
        others: What others' calls came to.
        clock: Unix time.
    """

    def __init__(
        self, caps: Caps, others: Day | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._caps = caps
        self._clock = clock
        self.others = others or Day()
        self._date = self._today()
        self._calls = 0
        self._usd = 0.0
        self._running: dict[str, tuple[Callable[[], float], float]] = {}
        """What each costs so far, and what of it was before today."""

    def begins(self) -> None:
        """A new call begins here; one that goes on is counted where it began."""
        self._roll()
        self._calls += 1

    def has_not_begun(self) -> None:
        """A call that was to begin has not come about."""
        self._roll()
        self._calls = max(0, self._calls - 1)

    def watch(self, record: "CallRecord", call_id: str) -> None:
        """Count what a call costs that begins now."""
        self.costs(call_id, lambda: float(record.spent_usd))
        record.at_end(lambda _: self.ended(call_id))

    def costs(self, call_id: str, spent_usd: Callable[[], float]) -> None:
        """A call runs here from now on.

        Args:
            call_id: Its name.
            spent_usd: What it has cost here.
        """
        self._roll()
        self._running[call_id] = (spent_usd, 0.0)

    def ended(self, call_id: str) -> None:
        """A call is served here no more, and its cost is known."""
        self._roll()
        if (found := self._running.pop(call_id, None)) is not None:
            spent_usd, before = found
            self._usd += spent_usd() - before

    @property
    def own(self) -> Day:
        """What the calls of this process have come to."""
        self._roll()
        running = sum(spent_usd() - before for spent_usd, before in self._running.values())
        return Day(date=self._date, calls=self._calls, usd=self._usd + running)

    @property
    def all(self) -> Day:
        """With those of others."""
        own, others = self.own, self.others
        if others.date != own.date:
            return own
        return Day(date=own.date, calls=own.calls + others.calls, usd=own.usd + others.usd)

    @property
    def refusal(self) -> str | None:
        """Why no new call is taken; None if one is."""
        if not (self._caps.calls or self._caps.usd):
            return None
        day = self.all
        if self._caps.calls and day.calls >= self._caps.calls:
            return "the server has had as many calls today as it may"
        if self._caps.usd and day.usd >= self._caps.usd:
            return "the server's calls have cost today what they may"
        return None

    def _today(self) -> str:
        return day_of(self._clock())

    def _roll(self) -> None:
        if (today := self._today()) != self._date:
            self._date, self._calls, self._usd = today, 0, 0.0
            self._running = {
                call: (spent_usd, spent_usd()) for call, (spent_usd, _) in self._running.items()
            }


def day_of(at: float) -> str:
    """The date of a Unix time, in local time."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d")


def spent_before(runs: Path, date: str) -> Day:
    """What the calls of a day came to that have ended, by the records in their folders."""
    calls, usd = 0, 0.0
    for path in runs.glob(f"{date}T*/{SUMMARY}"):
        try:
            cost = orjson.loads(path.read_bytes())["cost"]["usd"]
        except (OSError, ValueError, KeyError, TypeError):
            # None of ours, or being written.
            continue
        calls += 1
        usd += cost or 0.0
    return Day(date=date, calls=calls, usd=usd)


__all__ = ["Caps", "Day", "DayMeter", "day_of", "spent_before"]
