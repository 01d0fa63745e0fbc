"""When a call changes its node by itself: rules over its cost and its latency. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRule:
    """The call has cost so much."""

    over_usd: float
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule:
    """The agent answers late."""

    over_ms: float
    """From the end of the user's speech to the agent's first sound."""
    to: str
    turns: int = 3
    """In so many turns one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change that a rule asks for."""

    to: str
    why: str


class SwitchPolicy:
    """Looks at each figure as it comes. Each rule asks once a call.

    Args:
        rules: The first one that fits counts.
    """

    def __init__(self, rules: Sequence[CostRule | LatencyRule] = ()) -> None:
        self._rules = list(rules)
        self._late: dict[LatencyRule, int] = {}

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes that the rules ask for."""
        return [rule.to for rule in self._rules]

    def cost(self, spent_usd: float) -> Wish | None:
        """The call has cost so much in all."""
        for rule in self._rules:
            if isinstance(rule, CostRule) and spent_usd >= rule.over_usd:
                self._rules.remove(rule)
                return Wish(to=rule.to, why=f"it has cost {spent_usd:.4f} USD")
        return None

    def latency(self, answered_ms: float) -> Wish | None:
        """The agent was heard so long after the user."""
        for rule in list(self._rules):
            if not isinstance(rule, LatencyRule):
                continue
            self._late[rule] = self._late.get(rule, 0) + 1 if answered_ms > rule.over_ms else 0
            if self._late[rule] >= rule.turns:
                self._rules.remove(rule)
                return Wish(to=rule.to, why=f"the last answer took {answered_ms:.0f} ms")
        return None


__all__ = ["CostRule", "LatencyRule", "SwitchPolicy", "Wish"]
