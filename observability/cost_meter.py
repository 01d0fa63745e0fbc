"""Adds up what a running call costs, and tells when a budget is crossed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from .cost import Bill, CallCost, Priced
from .cost_use import Service, Use
from .prices import PriceBook, Rates, price_use


class OnBudget(StrEnum):
    """What is to happen when a budget is crossed."""

    WARN = "warn"
    DOWNGRADE = "downgrade"
    """A cheaper node takes over."""
    END = "end"
    """The agent finishes what it says, and the call ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much one call may cost before something happens."""

    usd: Decimal
    then: OnBudget = OnBudget.WARN
    node: str = ""
    """For DOWNGRADE: the name of the node that takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCrossed:
    """A call cost more than a budget. Told once for each budget, the smallest first."""

    at_s: float
    budget: Budget
    spent_usd: Decimal


@dataclass(slots=True)
class _Session:
    provider: str
    model: str
    since_s: float
    rates: Rates | None


class CostMeter:
    """What one call has used so far. Times are seconds since the call's start.

    A budget knows only what has a price, and learns of a response when it ends: the call may cost
    one response more than it allows.

    Args:
        prices: What models cost.
        started_at: When the call began: prices are those of that time.
        budgets: What may be spent.
    """

    def __init__(
        self, prices: PriceBook, *, started_at: datetime, budgets: Sequence[Budget] = ()
    ) -> None:
        self._prices = prices
        self._started_at = started_at
        self._left = sorted(budgets, key=lambda budget: budget.usd)
        self._session: _Session | None = None
        self._bill = Bill()
        self._spent_usd = Decimal(0)
        self._unpriced: list[str] = []

    @property
    def spent_usd(self) -> Decimal:
        """What the call has cost, as far as it has a price, without the running session's time."""
        return self._spent_usd

    @property
    def has_budgets(self) -> bool:
        """Whether there are any that were not crossed."""
        return bool(self._left)

    @property
    def blind_to(self) -> str | None:
        """A model without a price that makes a budget worthless; None if there is none."""
        return self._unpriced[0] if self._left and self._unpriced else None

    def add(self, use: Use, at_s: float) -> list[BudgetCrossed]:
        """Count a use; the budgets that it crosses."""
        self._count(use, self._prices.price(use, at=self._started_at))
        return self.tick(at_s)

    def serves(self, provider: str, model: str, at_s: float) -> Use | None:
        """Note whose session is open from now on; both empty for none.

        Returns:
            The time of the session that served until now, which is counted.
        """
        ended = self._running(at_s)
        self._session = None
        if provider:
            rates = self._prices.rates(provider, model, at=self._started_at)
            self._session = _Session(provider, model, at_s, rates)
        if ended is None:
            return None
        self._count(*ended)
        return ended[0]

    def tick(self, at_s: float) -> list[BudgetCrossed]:
        """Note that time passes, which some providers are paid for; the budgets it crosses."""
        if not self._left:
            return []
        spent_usd = self._spent_usd
        if (running := self._running(at_s)) is not None:
            spent_usd += self._priced_usd(*running)
        crossed = [budget for budget in self._left if spent_usd > budget.usd]
        self._left = self._left[len(crossed) :]
        return [BudgetCrossed(at_s=at_s, budget=budget, spent_usd=spent_usd) for budget in crossed]

    def cost(self, at_s: float) -> CallCost:
        """What the call has cost up to a time."""
        return self._bill.cost(self._running(at_s))

    def _running(self, at_s: float) -> tuple[Use, Priced] | None:
        """The time of the session that is open, and what it costs."""
        session = self._session
        if session is None or at_s <= session.since_s:
            return None
        use = Use(
            service=Service.SESSION,
            provider=session.provider,
            model=session.model,
            seconds=at_s - session.since_s,
        )
        return use, price_use(use, session.rates)

    def _count(self, use: Use, priced: Priced) -> None:
        self._bill.add(use, priced)
        self._spent_usd += self._priced_usd(use, priced)

    def _priced_usd(self, use: Use, priced: Priced) -> Decimal:
        """What of it has a price."""
        usd = priced.values()
        if None in usd and use.name not in self._unpriced:
            self._unpriced.append(use.name)
        return sum((each for each in usd if each is not None), Decimal(0))


__all__ = ["Budget", "BudgetCrossed", "CostMeter", "OnBudget"]
