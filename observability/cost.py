"""What a call cost: each use of a model priced, and added up. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from .cost_use import Kind, Service, Use
from .prices import PriceBook

K = TypeVar("K")
_Key = tuple[Service, str, Kind]
Priced = Mapping[Kind, Decimal | None]
"""What each kind of a use costs; None for what has no price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """All of one kind that a call took of one model."""

    service: Service
    model: str
    """PROVIDER:MODEL."""
    kind: Kind
    quantity: float
    """Tokens, seconds or characters, as the kind is."""
    usd: Decimal | None
    """None: unpriced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A sum of money, and whether it is all."""

    usd: Decimal | None
    """Of what has a price; None if nothing has."""
    complete: bool
    """Everything has a price."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(usd=_sum((self.usd, other.usd)), complete=self.complete and other.complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What a call cost, as far as prices are known. What has none is never counted as 0."""

    lines: tuple[CostLine, ...] = ()
    by_turn: Mapping[int, Cost] = field(default_factory=dict)
    """Turn of the caller → what was used until the next; 0 is before the first."""
    by_response: Mapping[str, Cost] = field(default_factory=dict)

    @property
    def usd(self) -> Decimal | None:
        """Of what has a price; None if nothing has."""
        return _sum(line.usd for line in self.lines)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models of which something has no price."""
        return tuple(dict.fromkeys(line.model for line in self.lines if line.usd is None))

    @property
    def complete(self) -> bool:
        """Something was used, and all of it has a price."""
        return bool(self.lines) and not self.unpriced

    @property
    def by_model(self) -> dict[str, Cost]:
        """PROVIDER:MODEL → what it cost."""
        return _summed((line.model, _cost(line.usd)) for line in self.lines)

    @property
    def by_provider(self) -> dict[str, Cost]:
        return _summed((line.model.partition(":")[0], _cost(line.usd)) for line in self.lines)

    def to_dict(self, rest: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """As JSON takes it. Dollars are numbers; null is unpriced.

        Args:
            rest: Called again and again: a long call has many turns.
        """
        return {
            "usd": _number(self.usd),
            "complete": self.complete,
            "unpriced": list(self.unpriced),
            "lines": [
                {
                    "service": line.service.value,
                    "model": line.model,
                    "kind": line.kind.value,
                    "quantity": line.quantity,
                    "usd": _number(line.usd),
                }
                for line in self.lines
            ],
            "models": _told(self.by_model),
            "providers": _told(self.by_provider),
            "turns": _told(self.by_turn, rest),
            "responses": _told(self.by_response, rest),
        }


NO_COST = CallCost()
"""Of a call of whose use of models nothing is known."""


class Bill:
    """Adds up what a call used, as it is used."""

    def __init__(self) -> None:
        self._lines: dict[_Key, CostLine] = {}
        self._turns: dict[int, Cost] = {}
        self._responses: dict[str, Cost] = {}

    def add(self, use: Use, priced: Priced) -> None:
        """Count a use, priced kind by kind."""
        _add_lines(self._lines, use, priced)
        # A session is open through all turns: its time belongs to none of them.
        if use.service is not Service.SESSION:
            costs = [_cost(usd) for usd in priced.values()]
            _add(self._turns, use.turn, costs)
            if use.response_id:
                _add(self._responses, use.response_id, costs)

    def cost(self, running: tuple[Use, Priced] | None = None) -> CallCost:
        """All so far.

        Args:
            running: A session that is still open, as of now.
        """
        lines = dict(self._lines)
        if running is not None:
            _add_lines(lines, *running)
        # Time that costs nothing beside tokens is no line of a bill.
        kept = (
            line
            for line in lines.values()
            if line.kind is not Kind.SESSION_SECONDS or line.usd != 0
        )
        return CallCost(
            lines=_ordered(kept),
            by_turn=dict(self._turns),
            by_response=dict(self._responses),
        )


def price_call(uses: Iterable[Use], prices: PriceBook, *, at: datetime) -> CallCost:
    """Price what a call used.

    Args:
        uses: Of the one call.
        prices: What models cost.
        at: When the call began.
    """
    bill = Bill()
    for use in uses:
        bill.add(use, prices.price(use, at=at))
    return bill.cost()


def _add_lines(lines: dict[_Key, CostLine], use: Use, priced: Priced) -> None:
    for kind, quantity in use.quantities().items():
        key = (use.service, use.name, kind)
        line = CostLine(
            service=use.service,
            model=use.name,
            kind=kind,
            quantity=quantity,
            usd=priced[kind],
        )
        lines[key] = _joined(lines[key], line) if key in lines else line


def _ordered(lines: Iterable[CostLine]) -> tuple[CostLine, ...]:
    """Model by model, in the order in which they served."""
    known = list(lines)
    models = list(dict.fromkeys((line.service, line.model) for line in known))
    kinds = list(Kind)
    place = {key: number for number, key in enumerate(models)}
    return tuple(
        sorted(known, key=lambda line: (place[line.service, line.model], kinds.index(line.kind)))
    )


def _joined(one: CostLine, other: CostLine) -> CostLine:
    return CostLine(
        service=one.service,
        model=one.model,
        kind=one.kind,
        quantity=one.quantity + other.quantity,
        # Of one kind of one model, either all has a price or nothing.
        usd=_sum((one.usd, other.usd)),
    )


def _cost(usd: Decimal | None) -> Cost:
    return Cost(usd=usd, complete=usd is not None)


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    priced = [usd for usd in parts if usd is not None]
    return sum(priced, Decimal(0)) if priced else None


def _summed(costs: Iterable[tuple[K, Cost]]) -> dict[K, Cost]:
    found: dict[K, Cost] = {}
    for key, cost in costs:
        _add(found, key, (cost,))
    return found


def _add(sums: dict[K, Cost], key: K, costs: Iterable[Cost]) -> None:
    for cost in costs:
        sums[key] = sums[key] + cost if key in sums else cost


def _told(
    costs: Mapping[Any, Cost], rest: Callable[[], None] = lambda: None
) -> dict[str, dict[str, Any]]:
    told = {}
    for key, cost in costs.items():
        told[str(key)] = {"usd": _number(cost.usd), "complete": cost.complete}
        rest()
    return told


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else round(float(usd), 9)


__all__ = ["NO_COST", "Bill", "CallCost", "Cost", "CostLine", "Priced", "price_call"]
