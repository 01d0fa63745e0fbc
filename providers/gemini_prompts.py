"""What the user writes, and the wish for an answer, in the way of each generation.

Text interrupts the model, so it waits while a response is on its way.
"""

from collections import deque

from crossfade.providers.gemini_profiles import Generation
from crossfade.providers.gemini_requests import realtime_text, user_content
from crossfade.providers.gemini_rounds import Rounds

# Has the newer generations answer when nothing was said.
_TRIGGER = " "
# More than anybody writes during one answer; the oldest are forgotten.
_MOST_TEXTS = 256


class Prompts:
    """Texts and requests to answer that wait for their moment.

    Args:
        generation: What the model takes.
        rounds: Results that the model speaks of without being asked.
    """

    def __init__(self, generation: Generation, rounds: Rounds) -> None:
        self._generation = generation
        self._rounds = rounds
        self._texts: deque[str] = deque(maxlen=_MOST_TEXTS)
        self._answer_due = False
        self._trusted = False
        self._incomplete = False

    def add(self, text: str) -> None:
        self._texts.append(text)

    def ask(self) -> None:
        """Have the model answer. The results of its tools it answers without being asked.

        A model that has fallen silent instead is trusted once, and asked the second time.
        """
        if self._texts or not self._rounds.answers_by_itself or self._trusted:
            self._answer_due = True
            self._trusted = False
        elif self._rounds.silent:
            self._trusted = True

    def tool_answered(self, *, final: bool) -> None:
        self._trusted = False
        if final and not self._texts:
            self._answer_due = False

    def due(self) -> list[bytes]:
        """Give what can go when no response is in the way."""
        if self._answer_due:
            self._answer_due = False
            return self._to_answer(self._take_texts())
        # Where text can only be answered, it waits to be.
        if self._texts and self._generation.late_content:
            self._incomplete = True
            return [user_content(self._take_texts(), complete=False)]
        return []

    def _take_texts(self) -> list[str]:
        texts = list(self._texts)
        self._texts.clear()
        return texts

    def _to_answer(self, texts: list[str]) -> list[bytes]:
        incomplete, self._incomplete = self._incomplete, False
        if not self._generation.realtime_text:
            return [user_content(texts, complete=True)]
        earlier = [user_content([], complete=True)] if incomplete else []
        return [*earlier, realtime_text("\n".join(texts) or _TRIGGER)]


__all__ = ["Prompts"]
