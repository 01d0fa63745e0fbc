"""Calls that need the caller's word before they are run. Pure."""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

_MOST_ASKED = 32
VALID_MS = 120_000.0
"""A question that was asked longer ago is asked again."""


class _Stage(Enum):
    """How far a question has come."""

    REFUSED = "the model was told to ask"
    ASKS = "a response has begun since"
    HEARD = "the agent was heard in it"
    ANSWERED = "the caller spoke then"


@dataclass(slots=True, kw_only=True)
class _Question:
    since_ms: float
    stage: _Stage = _Stage.REFUSED


class Consent:
    """Remembers which calls the model was told to ask about, and whether the caller has answered.

    An answer is what the caller says when the agent has been heard since. Whether it was a yes is
    for the model to understand.
    """

    def __init__(self) -> None:
        self._questions: OrderedDict[tuple[str, str], _Question] = OrderedDict()

    def response_began(self) -> None:
        """The model answers: it may ask now."""
        self._move(_Stage.REFUSED, _Stage.ASKS)

    def agent_heard(self) -> None:
        """The agent is being heard."""
        self._move(_Stage.ASKS, _Stage.HEARD)

    def user_spoke(self) -> None:
        """The caller said something."""
        self._move(_Stage.HEARD, _Stage.ANSWERED)

    def given(self, name: str, mark: str, now_ms: float) -> bool:
        """Whether the caller was asked about this very call, and spoke. Holds for one call.

        Where it is not given, the call counts as asked about now.
        """
        asked = self._questions.pop((name, mark), None)
        if asked is None or now_ms > asked.since_ms + VALID_MS:
            asked = _Question(since_ms=now_ms)
        if asked.stage is _Stage.ANSWERED:
            return True
        self._questions[name, mark] = asked
        while len(self._questions) > _MOST_ASKED:
            self._questions.popitem(last=False)
        return False

    def _move(self, from_: _Stage, to: _Stage) -> None:
        for question in self._questions.values():
            if question.stage is from_:
                question.stage = to


__all__ = ["VALID_MS", "Consent"]
