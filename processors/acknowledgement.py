"""What the agent says while tools run, and when. Pure: no clock, no tasks, no frames.

Two rules. A tool that takes a moment is acknowledged, if the model called it without a word. And
while it runs, no silence lasts longer than a second, whoever was heard last: then something is
said, and something else each time. Nothing is said once the results are there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SILENCE_S = 1.0
"""Silence after which something is to be said while a tool runs."""
WORTH_S = 0.1
"""A call that is over sooner is not worth a word, however long the silence before it was."""


@dataclass(slots=True, kw_only=True)
class _Call:
    began_s: float
    phrases: tuple[str, ...]
    spoke: bool
    slow_s: float | None = None
    next: int = 0
    """Which of its phrases comes next."""


class Acknowledgement:
    """The calls that run, and what there is to be said about them. Times are of one clock.

    Args:
        silence_s: Silence after which something is to be said.
    """

    def __init__(self, *, silence_s: float = SILENCE_S) -> None:
        self._silence_s = silence_s
        self._calls: dict[str, _Call] = {}
        self._last: str | None = None
        """What was said last, unless the model has spoken since."""

    def began(self, call_id: str, at_s: float, phrases: Sequence[str], *, spoke: bool) -> None:
        """The model made a call.

        Args:
            call_id: The call.
            at_s: When.
            phrases: What may be said while it runs; nothing is if there are none.
            spoke: Whether the model had spoken in the same response.
        """
        self._calls[call_id] = _Call(began_s=at_s, phrases=tuple(phrases), spoke=spoke)

    def slow(self, call_id: str, at_s: float) -> None:
        """A call takes longer than its tool may take without a word."""
        if call := self._calls.get(call_id):
            call.slow_s = at_s

    def ended(self, call_id: str) -> None:
        """A call has its result, or will have none."""
        self._calls.pop(call_id, None)

    def model_spoke(self) -> None:
        """The model has said something of its own."""
        self._last = None

    def due_s(self, quiet_since_s: float) -> float | None:
        """When something is to be said; it may be long due. None while nothing is.

        Args:
            quiet_since_s: When the last sound ended, or will end: the agent's or the user's.
        """
        times = [self._due_s(call, quiet_since_s) for call in self._calls.values() if call.phrases]
        return min(times, default=None)

    def _due_s(self, call: _Call, quiet_since_s: float) -> float:
        due_s = max(call.began_s + WORTH_S, quiet_since_s + self._silence_s)
        wordless = not call.spoke and quiet_since_s <= call.began_s
        return due_s if call.slow_s is None or not wordless else min(due_s, call.slow_s)

    def choose(self, sayable: Callable[[str], bool]) -> tuple[str, str] | None:
        """What to say now: the call it is about, and the phrase. Never what was said last.

        Args:
            sayable: Whether there is a voice for a phrase.
        """
        for call_id, call in self._calls.items():
            for step in range(len(call.phrases)):
                at = (call.next + step) % len(call.phrases)
                phrase = call.phrases[at]
                if phrase != self._last and sayable(phrase):
                    call.next, self._last = at + 1, phrase
                    return call_id, phrase
        return None


__all__ = ["SILENCE_S", "WORTH_S", "Acknowledgement"]
