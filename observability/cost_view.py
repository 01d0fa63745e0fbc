"""What calls cost, as tables for the terminal. Pure."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .cost import CallCost, Cost
from .cost_use import Kind


def cost_table(name: str, cost: CallCost, *, cut: bool = False) -> Table:
    """Each kind of each model of one call, and the sum.

    Args:
        name: Of the call.
        cost: What is known of its cost.
        cut: Whether it used more, or may have: it runs, or its process was killed.
    """
    table = Table(title=f"Cost of {name}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("service", "model", "what"):
        table.add_column(heading, overflow="fold")
    for heading in ("quantity", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in cost.lines:
        what = line.kind.value.replace("_", " ")
        quantity = f"{line.quantity:.1f}" if line.kind in _SECONDS else f"{line.quantity:.0f}"
        table.add_row(line.service.value, line.model, what, quantity, dollars(line.usd))
    table.add_section()
    table.add_row("", "", "in all", "", told(cost, cut=cut))
    return table


def calls_table(calls: Mapping[str, CallCost], cut: Collection[str] = ()) -> Table:
    """Calls and what each cost, and their sum.

    Args:
        calls: By name.
        cut: Those that used more, or may have.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("call", overflow="fold")
    table.add_column("models", overflow="fold")
    table.add_column("cost", justify="right")
    for name, cost in calls.items():
        table.add_row(name, ", ".join(cost.by_model), told(cost, cut=name in cut))
    table.add_section()
    table.add_row(f"{len(calls)} calls", "", _sum(calls.values(), cut=bool(cut)))
    return table


def told(cost: CallCost | Cost, *, cut: bool = False) -> str:
    """A cost in words: never 0 for what has no price."""
    if isinstance(cost, CallCost) and not cost.lines:
        return _NO_USE
    if cost.usd is None:
        return "unpriced"
    whole = cost.complete and not cut
    return dollars(cost.usd) if whole else f"at least {dollars(cost.usd)}"


def dollars(usd: Decimal | None) -> str:
    """As people read it; None is unpriced."""
    return "unpriced" if usd is None else f"${usd:.4f}"


def _sum(costs: Iterable[CallCost], *, cut: bool) -> str:
    known = [cost for cost in costs if cost.lines]
    if not known:
        return _NO_USE
    whole = sum((cost.usd for cost in known if cost.usd is not None), Decimal(0))
    missing = sum(not cost.complete for cost in known)
    if missing == len(known):
        return "unpriced" if not whole else f"at least {dollars(whole)}"
    known_usd = f"at least {dollars(whole)}" if cut else dollars(whole)
    return f"{known_usd}, {missing} not wholly priced" if missing else known_usd


_NO_USE = "no use known"
_SECONDS = (Kind.AUDIO_SECONDS, Kind.SESSION_SECONDS)

__all__ = ["calls_table", "cost_table", "dollars", "told"]
