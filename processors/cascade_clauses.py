"""Cuts an answer into pieces that can be spoken, while it is still being written. Pure."""

import re

FIRST_CLAUSE = 16
"""An answer may begin with a clause of so many characters; later pieces are whole sentences."""
LONGEST = 240
"""Characters that wait for the end of a sentence, at most."""

# A mark ends something only where a space follows: not in 3.5 and not in 10:30.
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+|\n")
_CLAUSE_END = re.compile(r"(?:[,;:]|\s[–—-])(?=\s)|—|[、，；：]")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|no|nr|vs|etc|e\.g|i\.e|approx|[a-z]|\d+)\.$",
    re.IGNORECASE,
)


class Clauses:
    """The text of one answer, given in any pieces and taken in speakable ones.

    The first piece may be a clause, so that speech begins early. Nothing is changed: all pieces
    together are the text.
    """

    def __init__(self) -> None:
        self._waiting = ""
        self._first = True

    def feed(self, text: str) -> list[str]:
        """Take more of the answer; give what can be spoken now."""
        self._waiting += text
        pieces = []
        while (end := self._end()) is not None:
            pieces.append(self._waiting[:end])
            self._waiting = self._waiting[end:]
            self._first = False
        return pieces

    def flush(self) -> str:
        """The answer is over: give what is left, which may be empty."""
        left, self._waiting, self._first = self._waiting, "", True
        return left

    def _end(self) -> int | None:
        text = self._waiting
        for mark in _SENTENCE_END.finditer(text):
            if speakable(text[: mark.end()]) and not _ABBREVIATION.search(text[: mark.end()]):
                return mark.end()
        if self._first:
            for mark in _CLAUSE_END.finditer(text):
                if mark.end() >= FIRST_CLAUSE and speakable(text[: mark.end()]):
                    return mark.end()
        return _cut(text) if len(text) > LONGEST else None


def speakable(text: str) -> bool:
    """Whether there is anything in it to say."""
    return any(character.isalnum() for character in text)


def _cut(text: str) -> int:
    """Where a text that is too long to wait is cut: behind its last clause, or its last word."""
    clauses = [mark.end() for mark in _CLAUSE_END.finditer(text, 0, LONGEST)]
    if clauses and speakable(text[: clauses[-1]]):
        return clauses[-1]
    space = text.rfind(" ", 1, LONGEST)
    return space if space > 0 and speakable(text[:space]) else LONGEST


__all__ = ["FIRST_CLAUSE", "LONGEST", "Clauses", "speakable"]
