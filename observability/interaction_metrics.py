"""How a conversation went as an interaction: the eight figures of τ-voice. Pure.

Names, events and windows are those of the benchmark (docs/interaction-metrics.md in tau2-bench,
version 1.0), so that figures can be laid beside its table. They can be measured on sound that is
cut to ticks, as there, or on spans.

Only a script knows which of the caller's sounds were meant for the agent. Where nobody says so, all
are turns, and the three figures of selectivity have no events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from .sound_spans import Span

TICK_S = 0.2
FEWEST_EVENTS = 10
"""A rate over fewer events is not shown."""
NO_YIELD_S = 2.0
"""An agent that speaks on for so long did not yield."""
FALSE_YIELD_S = 1.0
"""An agent that stops in less than this took for a turn what was none."""
FALSE_RESPONSE_S = 2.0
"""An agent that speaks within this time answered what was no turn."""
_ROUNDING_S = 1e-6


class SegmentKind(Enum):
    """What the caller meant by a sound."""

    TURN = "turn"
    BACKCHANNEL = "backchannel"
    VOCAL_TIC = "vocal tic"
    NON_DIRECTED = "non-directed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of the caller's sound, in seconds from the start."""

    start_s: float
    end_s: float
    kind: SegmentKind = SegmentKind.TURN


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A mean or a share, and the events that it was taken over."""

    value: float | None
    """None of no events."""
    events: int

    @property
    def shown(self) -> float | None:
        """The value, if it stands on enough events."""
        return self.value if self.events >= FEWEST_EVENTS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionMetrics:
    """The panel. Latencies are mean seconds; the others shares, but for I_A, a count per turn."""

    response_latency: Metric
    """L_R: from the end of a turn to the agent's first sound."""
    yield_latency: Metric
    """L_Y: from the start of an interruption to the agent's silence, where it yielded."""
    response_rate: Metric
    """R_R: turns that were answered before the caller spoke again."""
    yield_rate: Metric
    """R_Y: interruptions at which the agent fell silent in time."""
    agent_interruptions: Metric
    """I_A: how often the agent began to speak over the caller, per turn."""
    selectivity_backchannel: Metric
    """S_BC: backchannels that the agent talked through."""
    selectivity_vocal_tic: Metric
    """S_VT: vocal tics that the agent ignored."""
    selectivity_non_directed: Metric
    """S_ND: speech to somebody else that the agent ignored."""


def spans_of(ticks: Sequence[bool], tick_s: float = TICK_S) -> list[Span]:
    """The stretches of consecutive ticks in which somebody spoke."""
    edges = [
        at
        for at, (before, now) in enumerate(
            zip([False, *ticks], [*ticks, False], strict=True),
        )
        if before != now
    ]
    return [
        Span(start_s=start * tick_s, end_s=end * tick_s)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def turns_of(spans: Sequence[Span]) -> list[Segment]:
    """Segments of a caller of whom nobody knows what was meant: all of them turns."""
    return [Segment(start_s=span.start_s, end_s=span.end_s) for span in spans]


def interaction_metrics(caller: Sequence[Segment], agent: Sequence[Span]) -> InteractionMetrics:
    """Measure a conversation, both sides in order of time."""
    answered = list(_responses(caller, agent))
    latencies = [latency_s for latency_s in answered if latency_s is not None]
    yields = list(_yields(caller, agent))
    in_time = [to_silence_s for to_silence_s in yields if _within(to_silence_s, NO_YIELD_S)]
    cut_in = sum(any(s.start_s <= span.start_s < s.end_s for s in caller) for span in agent)
    return InteractionMetrics(
        response_latency=_mean(latencies),
        yield_latency=_mean(in_time),
        response_rate=_share(len(latencies), len(answered)),
        yield_rate=_share(len(in_time), len(yields)),
        agent_interruptions=_share(cut_in, len(answered)),
        selectivity_backchannel=_selectivity(caller, agent, SegmentKind.BACKCHANNEL),
        selectivity_vocal_tic=_selectivity(caller, agent, SegmentKind.VOCAL_TIC),
        selectivity_non_directed=_selectivity(caller, agent, SegmentKind.NON_DIRECTED),
    )


def _responses(caller: Sequence[Segment], agent: Sequence[Span]) -> Iterator[float | None]:
    """For each turn that ended with a silent agent: seconds to its answer, or None if the next of
    them began before. A turn after which nothing came is no event."""
    turns = [
        segment
        for segment in caller
        if segment.kind is SegmentKind.TURN and _speaking(agent, segment.end_s) is None
    ]
    for turn, after in pairwise([*turns, None]):
        assert turn is not None
        begun_s = next((span.start_s for span in agent if span.start_s >= turn.end_s), None)
        if begun_s is not None and (after is None or begun_s <= after.start_s):
            yield begun_s - turn.end_s
        elif after is not None:
            yield None


def _yields(caller: Sequence[Segment], agent: Sequence[Span]) -> Iterator[float]:
    """For each interruption: seconds until the agent was silent."""
    for turn in caller:
        speaking = _speaking(agent, turn.start_s)
        if turn.kind is SegmentKind.TURN and speaking is not None:
            yield speaking.end_s - turn.start_s


def _selectivity(caller: Sequence[Segment], agent: Sequence[Span], kind: SegmentKind) -> Metric:
    right: list[bool] = []
    for segment in caller:
        if segment.kind is not kind:
            continue
        speaking = _speaking(agent, segment.start_s)
        if speaking is not None:
            right.append(not _within(speaking.end_s - segment.start_s, FALSE_YIELD_S))
        elif kind is not SegmentKind.BACKCHANNEL:
            until_s = segment.end_s + FALSE_RESPONSE_S + _ROUNDING_S
            right.append(not any(segment.start_s <= span.start_s <= until_s for span in agent))
    return _share(sum(right), len(right))


def _speaking(agent: Sequence[Span], at_s: float) -> Span | None:
    """The agent's speech in the moment that begins at an instant."""
    return next((span for span in agent if span.start_s <= at_s < span.end_s), None)


def _within(took_s: float, window_s: float) -> bool:
    """Less than a window, as ticks that are multiplied tell it: 5 of 0.2 s are no less than 1 s."""
    return took_s < window_s - _ROUNDING_S


def _mean(values: Sequence[float]) -> Metric:
    value = sum(values) / len(values) if values else None
    return Metric(value=value, events=len(values))


def _share(part: int, whole: int) -> Metric:
    return Metric(value=part / whole if whole else None, events=whole)


__all__ = [
    "FEWEST_EVENTS",
    "InteractionMetrics",
    "Metric",
    "Segment",
    "SegmentKind",
    "interaction_metrics",
    "spans_of",
    "turns_of",
]
