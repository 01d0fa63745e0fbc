"""What a call came to, in figures. Pure."""

import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossfade.conversation.usage import Usage

from .cost import NO_COST, CallCost
from .redaction import without_secrets
from .sound_spans import Span
from .tally import SessionChange, Tally
from .turns import YIELD_S, BargeIn, RecordedTurns, first_sound
from .unanswered import dead_air, unanswered_turns


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSummary:
    """One call of a tool."""

    name: str
    duration_ms: float | None
    """None if it was never answered."""
    acknowledged_ms: float | None
    """From the call to the agent's first sound after an acknowledgement was asked for."""
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """What a call came to. Latencies are in the order in which they were measured."""

    duration_s: float
    user_turns: int
    responses: int
    interruptions: int
    tools: tuple[ToolSummary, ...]
    voice_to_voice_ms: tuple[float, ...]
    barge_in_ms: tuple[float, ...]
    """From the caller's first sound to the agent's silence, for each interruption."""
    ttfb_ms: tuple[float, ...]
    ttlb_ms: tuple[float, ...]
    usage: Usage
    errors: tuple[str, ...]
    dropped: Mapping[str, int]
    session_changes: tuple[SessionChange, ...] = ()
    lost_audio_ms: float = 0.0
    """User audio that reached no session."""
    cost: CallCost = NO_COST
    overlap_ms: float = 0.0
    """For so long both were heard at once."""
    unanswered_turns: int = 0
    """Turns of the caller after which the caller, or nobody, was heard next."""


def median(values: Sequence[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None


def summarise(
    tally: Tally,
    turns: RecordedTurns,
    *,
    duration_s: float,
    dropped: Mapping[str, int],
    cost: CallCost = NO_COST,
) -> CallSummary:
    """Put together what the frames and the sound tell of a call."""
    responses = tally.responses.values()
    cuts = interrupting(turns.barge_ins, tally.interruptions_s)
    return CallSummary(
        duration_s=duration_s,
        user_turns=tally.user_turns,
        responses=len(responses),
        interruptions=len(tally.interruptions_s),
        tools=_tools(tally, turns.agent),
        voice_to_voice_ms=tuple(answer.voice_to_voice_ms for answer in turns.answers),
        barge_in_ms=tuple(cut.to_silence_ms for cut in cuts),
        ttfb_ms=tuple(times.ttfb_ms for times in responses if times.ttfb_ms is not None),
        ttlb_ms=tuple(times.ttlb_ms for times in responses if times.ttlb_ms is not None),
        usage=tally.usage,
        errors=tuple(map(without_secrets, tally.errors)),
        dropped=dict(dropped),
        session_changes=tuple(tally.session_changes),
        lost_audio_ms=tally.lost_audio_ms,
        cost=cost,
        overlap_ms=sum((span.end_s - span.start_s) * 1000 for span in turns.overlaps),
        unanswered_turns=unanswered_turns(dead_air(turns, tally.turn_edges)),
    )


def interrupting(barge_ins: Sequence[BargeIn], interruptions_s: Sequence[float]) -> list[BargeIn]:
    """Those that led to an interruption; during others the agent spoke on to its end."""
    found = []
    for cut in barge_ins:
        first = bisect_left(interruptions_s, cut.caller_start_s)
        if first < len(interruptions_s) and interruptions_s[first] <= cut.agent_end_s + YIELD_S:
            found.append(cut)
    return found


def _tools(tally: Tally, agent: Sequence[Span]) -> tuple[ToolSummary, ...]:
    summaries = []
    for tool in tally.tools.values():
        heard_s = None
        if tool.acknowledge_s is not None:
            heard_s = first_sound(agent, tool.acknowledge_s)
        summaries.append(
            ToolSummary(
                name=tool.name,
                duration_ms=tool.duration_ms,
                acknowledged_ms=None if heard_s is None else (heard_s - tool.called_s) * 1000,
                is_error=tool.is_error,
            )
        )
    return tuple(summaries)
