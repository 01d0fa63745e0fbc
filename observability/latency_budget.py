"""Where the time of an answer went, hop by hop, and what each hop may take. Pure.

The two ends are sound: the end of the caller's speech and the agent's first audible sample. What
lies between them comes from the frames and, on a provider's own line, from its first audio
message; each stretch is named after what was waited for. The same function serves the running call
and the report.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .turns import Answer


class Moment(Enum):
    """What happens on the way to an answer."""

    TURN_ENDED = "end of turn"
    COMMITTED = "commit"
    RESPONSE = "response"
    CALLED = "tool call"
    RESULT = "tool result"
    FIRST_BYTE = "first byte"
    PLAYOUT = "playout"
    SOUND = "first sound"


class Hop(Enum):
    """What was waited for."""

    END_OF_TURN = "end of turn"
    """From the caller's last sound until the turn was taken to be over."""
    COMMIT = "commit"
    """Until the turn was part of the conversation: in a cascade, until its transcript came."""
    RESPONSE = "response"
    """Until the model began a response."""
    MODEL = "model"
    """Until the first byte of its speech, or until it called a tool."""
    TOOL = "tool"
    """Until the tool's result, or a word to the caller meanwhile."""
    PLAYOUT = "playout"
    """From the first byte until it was played."""
    SILENCE = "leading silence"
    """From there to the first audible sample."""


_ENDS = {
    Moment.TURN_ENDED: Hop.END_OF_TURN,
    Moment.COMMITTED: Hop.COMMIT,
    Moment.RESPONSE: Hop.RESPONSE,
    Moment.CALLED: Hop.MODEL,
    Moment.RESULT: Hop.TOOL,
    Moment.FIRST_BYTE: Hop.MODEL,
    Moment.PLAYOUT: Hop.PLAYOUT,
    Moment.SOUND: Hop.SILENCE,
}
# What was waited for where the moment between was not seen.
_FROM = {
    (Moment.RESPONSE, Moment.PLAYOUT): Hop.MODEL,
    (Moment.RESPONSE, Moment.SOUND): Hop.MODEL,
    (Moment.CALLED, Moment.PLAYOUT): Hop.TOOL,
    (Moment.CALLED, Moment.SOUND): Hop.TOOL,
    (Moment.RESULT, Moment.PLAYOUT): Hop.MODEL,
    (Moment.RESULT, Moment.SOUND): Hop.MODEL,
    (Moment.FIRST_BYTE, Moment.SOUND): Hop.PLAYOUT,
    (Moment.TURN_ENDED, Moment.SOUND): Hop.MODEL,
    (Moment.COMMITTED, Moment.SOUND): Hop.MODEL,
    (Moment.TURN_ENDED, Moment.PLAYOUT): Hop.MODEL,
    (Moment.COMMITTED, Moment.PLAYOUT): Hop.MODEL,
    (None, Moment.SOUND): Hop.MODEL,
}
_FRAMES = {
    "UserStoppedSpeakingFrame": Moment.TURN_ENDED,
    "UserTurnCommittedFrame": Moment.COMMITTED,
    "ResponseStartFrame": Moment.RESPONSE,
    "ToolCallsFrame": Moment.CALLED,
    "FunctionCallsStartedFrame": Moment.CALLED,
    "FunctionCallResultFrame": Moment.RESULT,
    "BotStartedSpeakingFrame": Moment.PLAYOUT,
}
# How a frame and the sound that it is about may differ.
_EARLY_S = 0.2
_LATE_S = 0.05
_SPOKEN_ON_S = 0.5
"""So long the caller may be heard after a turn was committed, as with a button let go early."""
_KEPT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment and its time in the call."""

    moment: Moment
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HopTime:
    """One stretch of the way."""

    hop: Hop
    start_s: float
    end_s: float

    @property
    def took_ms(self) -> float:
        return (self.end_s - self.start_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """The whole way of one answer, without gaps."""

    answer: Answer
    hops: tuple[HopTime, ...]

    @property
    def by_hop_ms(self) -> dict[Hop, float]:
        """How long each hop took; one that came twice is added up."""
        took: dict[Hop, float] = {}
        for hop in self.hops:
            took[hop.hop] = took.get(hop.hop, 0.0) + hop.took_ms
        return took

    @property
    def slowest(self) -> Hop:
        """The hop that took longest."""
        took = self.by_hop_ms
        return max(took, key=lambda hop: took[hop])


def mark_of(kind: str, fields: Mapping[str, Any], at_s: float) -> Mark | None:
    """The moment that a frame of note stands for, by its class and what the log says of it."""
    moment = _FRAMES.get(kind)
    passes_by = fields.get("injected") is True or fields.get("final") is False
    return None if moment is None or passes_by else Mark(moment=moment, at_s=at_s)


def waterfall(answer: Answer, marks: Iterable[Mark]) -> Waterfall:
    """Lay the moments of an answer end to end.

    Args:
        answer: From where to where.
        marks: What happened in the call, in order of time; what lies elsewhere is passed over.
    """
    start_s, end_s = answer.caller_end_s, answer.agent_start_s
    last: Moment | None = None
    hops: list[HopTime] = []
    at_s = start_s
    for mark in (*_within(marks, start_s, end_s), Mark(moment=Moment.SOUND, at_s=end_s)):
        next_s = min(end_s, max(at_s, mark.at_s))
        hop = _FROM.get((last, mark.moment), _ENDS[mark.moment])
        if next_s > at_s or mark.moment is Moment.SOUND:
            hops.append(HopTime(hop=hop, start_s=at_s, end_s=next_s))
        at_s, last = next_s, mark.moment
    return Waterfall(answer=answer, hops=tuple(hops))


def _within(marks: Iterable[Mark], start_s: float, end_s: float) -> list[Mark]:
    """The marks of one answer. Of the last stretch only what comes first counts: the response's
    first byte and the beginning of its playout."""
    found: list[Mark] = []
    seen: set[Moment] = set()
    for mark in marks:
        if not start_s - _EARLY_S <= mark.at_s <= end_s + _LATE_S or mark.moment in seen:
            continue
        if not found and mark.moment in (Moment.FIRST_BYTE, Moment.PLAYOUT, Moment.RESULT):
            # Of what was being said or done before.
            continue
        found.append(mark)
        seen.add(mark.moment)
        if mark.moment is Moment.RESULT:
            seen -= {Moment.RESPONSE, Moment.FIRST_BYTE, Moment.CALLED}
    return found


def _default_hops() -> dict[Hop, float]:
    return {
        Hop.END_OF_TURN: 700,
        Hop.COMMIT: 300,
        Hop.RESPONSE: 150,
        Hop.MODEL: 800,
        Hop.TOOL: 1000,
        Hop.PLAYOUT: 150,
        Hop.SILENCE: 200,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBudget:
    """What an answer may take, and what each hop may."""

    total_ms: float = 1500
    hops_ms: Mapping[Hop, float] = field(default_factory=_default_hops)
    """A hop that is not named may take all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowAnswer:
    """An answer left the budget."""

    answer: Answer
    hop: Hop
    """The one that went furthest beyond its budget; of none, the slowest."""
    took_ms: float
    budget_ms: float
    """Of that hop."""
    total_budget_ms: float


def check(fall: Waterfall, budget: LatencyBudget) -> SlowAnswer | None:
    """Whether an answer left the budget, and in which hop. One that is in time as a whole may have
    spent in one hop what it saved in others."""
    if fall.answer.voice_to_voice_ms <= budget.total_ms:
        return None
    took = fall.by_hop_ms
    allowed = {hop: budget.hops_ms.get(hop, budget.total_ms) for hop in took}
    worst = max(took, key=lambda hop: took[hop] - allowed[hop])
    hop = worst if took[worst] > allowed[worst] else fall.slowest
    return SlowAnswer(
        answer=fall.answer,
        hop=hop,
        took_ms=took[hop],
        budget_ms=allowed[hop],
        total_budget_ms=budget.total_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """The budget has passed, and nothing was heard."""

    waited_ms: float
    """Since the end of the caller's speech."""
    hop: Hop
    """What is waited for."""


WaitsSince = Callable[[float, float], float | None]
"""As `TurnMeter.waits_since`."""


class LatencyWatch:
    """Follows a running call and says of each answer whether it left the budget, or is overdue."""

    def __init__(self, budget: LatencyBudget | None = None) -> None:
        self._budget = budget or LatencyBudget()
        self._marks: deque[Mark] = deque(maxlen=_KEPT)
        self._committed_s: float | None = None
        """When the turn was that may still be told to be overdue."""
        self._told_s: float | None = None
        """The end of the turn that was last told to be."""
        self._speaking = False

    def frame(self, kind: str, fields: Mapping[str, Any], at_s: float) -> None:
        """Note a frame of note."""
        if (mark := mark_of(kind, fields, at_s)) is not None:
            self._marks.append(mark)
        match kind:
            case "UserStartedSpeakingFrame":
                self._speaking = True
            case "UserStoppedSpeakingFrame":
                self._speaking = False
            case "UserTurnCommittedFrame":
                self._committed_s = at_s

    def first_byte(self, at_s: float) -> None:
        """Note the first sound of a response on the provider's line."""
        self._marks.append(Mark(moment=Moment.FIRST_BYTE, at_s=at_s))

    def answered(self, answer: Answer) -> SlowAnswer | None:
        """The agent became audible after the caller's turn."""
        self._committed_s = None
        return check(waterfall(answer, self._marks), self._budget)

    def overdue(self, now_s: float, waits_since: WaitsSince) -> Overdue | None:
        """Whether the budget has passed with nothing heard after the caller's turn; told once.

        Args:
            now_s: The time of the newest sound.
            waits_since: Given when the turn was committed, and the time before which it has to
                have ended, the end of the caller's speech; None if it was later or was answered.
        """
        if self._committed_s is None or self._speaking:
            return None
        total_s = self._budget.total_ms / 1000
        end_s = waits_since(self._committed_s, now_s - total_s)
        if now_s > self._committed_s + total_s + _SPOKEN_ON_S:
            self._committed_s = None
        if end_s is None or end_s == self._told_s:
            return None
        self._committed_s, self._told_s = None, end_s
        hops = waterfall(Answer(caller_end_s=end_s, agent_start_s=now_s), self._marks).hops
        return Overdue(waited_ms=(now_s - end_s) * 1000, hop=hops[-1].hop)


def slowest_hops(falls: Sequence[Waterfall]) -> list[tuple[Hop, list[float]]]:
    """What each hop took in every answer that had it, the one with the largest sum first."""
    took: dict[Hop, list[float]] = {}
    for fall in falls:
        for hop, ms in fall.by_hop_ms.items():
            took.setdefault(hop, []).append(ms)
    return sorted(took.items(), key=lambda item: -sum(item[1]))


__all__ = [
    "Hop",
    "HopTime",
    "LatencyBudget",
    "LatencyWatch",
    "Mark",
    "Moment",
    "Overdue",
    "SlowAnswer",
    "Waterfall",
    "check",
    "mark_of",
    "slowest_hops",
    "waterfall",
]
