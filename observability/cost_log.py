"""Prices a call again, from its event log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from crossfade.errors import SettingsError

from .cost import CallCost, price_call
from .cost_use import Use
from .prices import PriceBook
from .run_log import RunLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """A call's cost by today's knowledge of the prices of its time."""

    started_at: datetime
    cost: CallCost


def uses_in(log: RunLog) -> Iterator[Use]:
    """The uses of models that a log tells of.

    Raises:
        SettingsError: A line of them is none of ours.
    """
    for line in log.of("call.usage"):
        try:
            yield Use.from_dict(line.fields)
        except ValueError as error:
            raise SettingsError(f"the line call.usage at {line.at_s} s: {error}") from error


def reprice(log: RunLog, prices: PriceBook) -> Repriced:
    """Price what a log says was used, by the prices of the time of the call.

    Raises:
        SettingsError: It does not say when the call began, or a line of it is none of ours.
    """
    started = log.first("call.started")
    try:
        started_at = datetime.fromisoformat(str(started and started.fields.get("started_at")))
    except ValueError:
        raise SettingsError("the log does not say when the call began") from None
    if started_at.tzinfo is None:
        started_at = started_at.replace(tzinfo=UTC)
    return Repriced(started_at=started_at, cost=price_call(uses_in(log), prices, at=started_at))


__all__ = ["Repriced", "reprice", "uses_in"]
