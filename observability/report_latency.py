"""Where the time of each answer went, as the report shows it. Pure over a run."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from .latency_budget import Hop, LatencyBudget, Waterfall, check, slowest_hops
from .report_words import in_ms, percentile
from .run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch of a waterfall, in thousandths of the widest."""

    hop: str
    css: str
    x: float
    width: float
    ms: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """The waterfall of one answer."""

    number: int
    at_s: float
    total_ms: str
    slow: bool
    hop: str
    """The slowest; of an answer out of budget, the one to blame."""
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HopRow:
    """What one hop took over the call."""

    hop: str
    means: str
    css: str
    answers: int
    median_ms: str
    p95_ms: str
    most_ms: str
    budget_ms: str
    over: int
    """Answers in which it took longer than it may."""
    slowest: bool


def answer_rows(run: Run, budget: LatencyBudget) -> tuple[list[AnswerRow], float]:
    """The waterfalls, and where the budget lies in thousandths of their width."""
    waits_ms = [fall.answer.voice_to_voice_ms for fall in run.waterfalls]
    # A little more, so that the line of the budget is whole.
    widest = 1.01 * max([budget.total_ms, *waits_ms])
    rows = []
    for number, fall in enumerate(run.waterfalls, 1):
        slow = check(fall, budget)
        rows.append(
            AnswerRow(
                number=number,
                at_s=fall.answer.caller_end_s,
                total_ms=in_ms(fall.answer.voice_to_voice_ms),
                slow=slow is not None,
                hop=(slow.hop if slow else fall.slowest).value,
                bars=tuple(_bars(fall, widest)),
            )
        )
    return rows, 1000 * budget.total_ms / widest


def _bars(fall: Waterfall, widest_ms: float) -> Iterator[Bar]:
    start_s = fall.answer.caller_end_s
    for hop in fall.hops:
        yield Bar(
            hop=hop.hop.value,
            css=css_class(hop.hop),
            x=round(1000 * (hop.start_s - start_s) * 1000 / widest_ms, 2),
            width=round(1000 * hop.took_ms / widest_ms, 2),
            ms=in_ms(hop.took_ms),
        )


def hop_rows(run: Run, budget: LatencyBudget) -> list[HopRow]:
    """What each hop took, in the order of the way; the slowest is the one with the largest sum."""
    ranked = slowest_hops(run.waterfalls)
    slowest = ranked[0][0] if ranked else None
    took = dict(ranked)
    rows = []
    for hop in Hop:
        if hop not in took:
            continue
        times, allowed = took[hop], budget.hops_ms.get(hop)
        rows.append(
            HopRow(
                hop=hop.value,
                means=_MEANS[hop],
                css=css_class(hop),
                answers=len(times),
                median_ms=in_ms(statistics.median(times)),
                p95_ms=in_ms(percentile(times, 95)),
                most_ms=in_ms(max(times)),
                budget_ms="" if allowed is None else in_ms(allowed),
                over=0 if allowed is None else sum(ms > allowed for ms in times),
                slowest=hop is slowest,
            )
        )
    return rows


_MEANS = {
    Hop.END_OF_TURN: "until it was sure that the caller had finished",
    Hop.COMMIT: "until the turn was in the conversation",
    Hop.RESPONSE: "until the model began to answer",
    Hop.MODEL: "until the first byte of speech, or a tool call",
    Hop.TOOL: "until its result, or a word meanwhile",
    Hop.PLAYOUT: "until the first byte was played",
    Hop.SILENCE: "until the answer could be heard",
}


def css_class(hop: Hop) -> str:
    """The class that colours a hop."""
    return "hop-" + hop.value.replace(" ", "-")


__all__ = ["AnswerRow", "Bar", "HopRow", "answer_rows", "css_class", "hop_rows"]
