"""The agent's words as sentences, and how much of them was heard, in RTVI's words. Pure.

pipecat's clients show whole sentences; models give pieces of words.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

_ENDS = (".", "!", "?", "…", "。", "！", "？")  # of other scripts
MOST_WAITING = 64
"""Sentences of which it is not known whether they were heard; older ones are forgotten."""


@dataclass(slots=True, kw_only=True)
class _Sentence:
    number: int
    text: str


class Sentences:
    """Gathers words, and gives the messages that a client is to be sent."""

    def __init__(self) -> None:
        self._words = ""
        self._numbers = count(1)
        self._unheard: list[_Sentence] = []

    def add(self, words: str) -> list[dict[str, Any]]:
        """More words of the agent's, spaces included."""
        self._words += words
        return self.end() if self._words.rstrip().endswith(_ENDS) else []

    def end(self) -> list[dict[str, Any]]:
        """No more words come for now."""
        text, self._words = self._words.strip(), ""
        if not text:
            return []
        sentence = _Sentence(number=next(self._numbers), text=text)
        self._unheard = [*self._unheard[-MOST_WAITING + 1 :], sentence]
        return [_message(sentence, "new", 0)]

    def heard(self, text: str, *, over: bool) -> list[dict[str, Any]]:
        """So much of an answer was heard.

        Args:
            text: From its beginning.
            over: Whether nothing else that was generated will be.
        """
        rest, told = text.strip(), []
        while self._unheard and rest:
            first = self._unheard[0]
            if rest.startswith(first.text):
                self._unheard.pop(0)
                told.append(_message(first, "completed", len(first.text)))
                rest = rest[len(first.text) :].lstrip()
            elif first.text.startswith(rest):
                told.append(_message(first, "in-progress", len(rest)))
                break
            else:
                break
        if over:
            self._unheard.clear()
        return told


def _message(sentence: _Sentence, status: str, heard: int) -> dict[str, Any]:
    return {
        "label": "rtvi-ai",
        "type": "bot-output",
        "data": {
            "text": sentence.text,
            "output_type": "sentence",
            "aggregated_by": "sentence",
            "will_be_spoken": True,
            "segment_id": sentence.number,
            "spoken_status": status,
            "spoken_progress": {
                "accumulated_text": sentence.text[:heard],
                "remaining_text": sentence.text[heard:],
            },
        },
    }


__all__ = ["MOST_WAITING", "Sentences"]
