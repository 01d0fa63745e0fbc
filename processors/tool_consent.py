"""Calls that need the caller's word before they are run. Pure."""

from collections import OrderedDict

_MOST_ASKED = 32
VALID_MS = 120_000.0
"""A question that was asked longer ago is asked again."""


class Consent:
    """Remembers which calls the model was told to ask about, and whether the caller spoke since.

    That the caller spoke is known here; whether it was a yes is for the model to understand.
    """

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._user_turns = 0

    def user_spoke(self) -> None:
        """A turn of the caller began."""
        self._user_turns += 1

    def given(self, name: str, mark: str, now_ms: float) -> bool:
        """Whether the caller spoke since this very call was asked about. Holds for one call.

        Where it is not given, the call counts as asked about now.
        """
        turns, asked_ms = self._asked.pop((name, mark), (self._user_turns, now_ms))
        if now_ms > asked_ms + VALID_MS:
            turns, asked_ms = self._user_turns, now_ms
        if self._user_turns > turns:
            return True
        self._asked[name, mark] = (turns, asked_ms)
        while len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)
        return False


__all__ = ["VALID_MS", "Consent"]
