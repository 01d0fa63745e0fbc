"""Turns of the caller after which nothing was heard of the agent, but the caller again. Pure.

The sound tells that it was silent, and the frames whose silence it was: a pause within the caller's
turn is the caller's own, and what was taken for no turn has no answer.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice, pairwise

from .sound_spans import Span
from .turns import RecordedTurns, is_last

SILENCE_S = 1.5
CHANCE_S = 0.5
"""A caller who goes on sooner after the end of their turn leaves the agent no time to answer."""

_NEVER = Span(start_s=float("-inf"), end_s=float("-inf"))


class Edge(Enum):
    """What the frames tell of the caller's turns."""

    BEGAN = "began"
    ENDED = "ended"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEdge:
    """An edge and its time in the call."""

    edge: Edge
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadAir:
    """Silence for which the agent is to blame."""

    start_s: float
    end_s: float
    committed_s: float
    """When the turn was committed that has no answer."""
    to_end: bool
    """Nothing was heard any more, of anybody."""

    @property
    def lasted_s(self) -> float:
        return self.end_s - self.start_s


def dead_air(turns: RecordedTurns, edges: Sequence[TurnEdge]) -> list[DeadAir]:
    """All silence of over 1.5 s between a turn of the caller and the caller's next sound, or the
    call's end.

    Args:
        turns: What was heard.
        edges: Of the caller's turns, in order of time.
    """
    found: list[DeadAir] = []
    for spoken, rest_s in _between_answers(turns):
        ends = [*spoken, Span(start_s=rest_s, end_s=rest_s)] if rest_s is not None else spoken
        for before, after in pairwise(ends):
            if after.start_s - before.end_s <= SILENCE_S:
                continue
            committed_s = _waiting(edges, spoken[0].start_s, after.start_s - CHANCE_S)
            if committed_s is not None:
                silence = DeadAir(
                    start_s=before.end_s,
                    end_s=after.start_s,
                    committed_s=committed_s,
                    to_end=after.start_s == rest_s,
                )
                found.append(silence)
    return found


def unanswered_turns(silences: Sequence[DeadAir]) -> int:
    """How many turns: one may have several silences behind it."""
    return len({silence.committed_s for silence in silences})


def _between_answers(turns: RecordedTurns) -> Iterator[tuple[list[Span], float | None]]:
    """What the caller said between each two stretches of the agent's speech; behind the last one,
    with the call's end."""
    caller, at = turns.caller, 0
    for before, speech in pairwise((_NEVER, *turns.agent, None)):
        first = max(0, at - 1)  # Words into which the agent spoke may be behind its speech, too.
        while at < len(caller) and (speech is None or caller[at].start_s < speech.start_s):
            at += 1
        spoken = [words for words in caller[first:at] if before and is_last(words, before)]
        if spoken:
            yield spoken, turns.duration_s if speech is None else None


def _waiting(edges: Sequence[TurnEdge], since_s: float, until_s: float) -> float | None:
    """When the last turn was committed, if the caller is in none at `until_s`."""
    committed_s, speaking = None, False
    for edge in islice(edges, bisect_left(edges, since_s, key=lambda each: each.at_s), None):
        if edge.at_s > until_s:
            break
        if edge.edge is Edge.COMMITTED:
            committed_s = edge.at_s
        else:
            speaking = edge.edge is Edge.BEGAN
    return None if speaking else committed_s


__all__ = [
    "SILENCE_S",
    "DeadAir",
    "Edge",
    "TurnEdge",
    "dead_air",
    "unanswered_turns",
]
