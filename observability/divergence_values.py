"""Whether two values of two runs of a call mean the same. Pure."""

import re
from collections.abc import Iterator
from typing import Any

CLOSE_MS = 60.0
"""Positions in speech may differ by so much: a chunk of 20 ms more or less was played by then."""

_POSITIONS = frozenset({"audio_end_ms", "played_ms"})
# They tell the pace of a network or a machine.
_PACE = frozenset({"gap_ms", "received_ms", "replayed_ms"})
# Where text models, OpenAI and Gemini are told what was said.
_TOLD = re.compile(r"(?:\]\.content|content\[\d+\]\.text|parts\[\d+\]\.text)$")
_CHANCE = re.compile(r"[0-9a-f]{8,}")
_INSTANCE = re.compile(r"#\d+$")
_SHOWN = 200
_WORD_MS = 200.0
"""Of speech that is fast."""

Difference = tuple[str, Any, Any]
"""Where it is, by a path, and what stands there in either run."""


class Names:
    """What each run calls the same thing: ids that were made up by chance, and addresses."""

    def __init__(self, theirs: frozenset[str], ours: frozenset[str]) -> None:
        self._addresses = theirs, ours
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def same_id(self, their: str, our: str) -> bool:
        """Whether two ids stand for each other: always the same two, alike but for chance."""
        if self._ours.get(their, our) != our or self._theirs.get(our, their) != their:
            return False
        if their != our and _CHANCE.sub("", their) != _CHANCE.sub("", our):
            return False
        self._ours[their], self._theirs[our] = our, their
        return True

    def same_text(self, their: str, our: str) -> bool:
        return their == our or self._neutral(their, 0) == self._neutral(our, 1)

    def _neutral(self, text: str, whose: int) -> str:
        for address in self._addresses[whose]:
            text = text.replace(address, "[provider]")
        return text


def differences(
    theirs: Any,
    ours: Any,
    names: Names,
    path: str = "",
    close_ms: float = CLOSE_MS,
    *,
    told: bool = False,
) -> Iterator[Difference]:
    """Where two JSON values differ in what counts.

    Args:
        theirs: The one.
        ours: The other.
        names: What is called otherwise in either run.
        path: Where they lie.
        close_ms: Positions in speech may differ by so much.
        told: Whether a model is told of the conversation in them: an answer that was cut is told
            as it was heard, and may be a word longer or shorter by such a difference.
    """
    key = path.rpartition(".")[2]
    if key in _PACE:
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in [*theirs, *(name for name in ours if name not in theirs)]:
            inner = f"{path}.{name}" if path else str(name)
            if name not in theirs:
                yield inner, None, ours[name]
            elif name not in ours:
                yield inner, theirs[name], None
            else:
                yield from differences(theirs[name], ours[name], names, inner, close_ms, told=told)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True), 1):
            inner = f"{path}[{number}]"
            yield from differences(one, other, names, inner, close_ms, told=told)
    elif key in _POSITIONS and _number(theirs) and _number(ours):
        if abs(theirs - ours) > close_ms:
            yield path, theirs, ours
    elif not (
        _same(theirs, ours, key.partition("[")[0], names)
        or (told and _TOLD.search(path) and _cut_alike(theirs, ours, close_ms))
    ):
        yield path, theirs, ours


def _same(theirs: Any, ours: Any, key: str, names: Names) -> bool:
    if isinstance(theirs, str) and isinstance(ours, str):
        if key == "processor":
            return _INSTANCE.sub("", theirs) == _INSTANCE.sub("", ours)
        if key == "id" or key.endswith(("_id", "Id")):
            return names.same_id(theirs, ours)
        return names.same_text(theirs, ours)
    return bool(theirs == ours)


def _cut_alike(theirs: Any, ours: Any, close_ms: float) -> bool:
    """Whether one of two texts goes on where the other was cut, for no longer than that."""
    if not (isinstance(theirs, str) and isinstance(ours, str)):
        return False
    one, other = sorted((theirs.split(), ours.split()), key=len)
    return other[: len(one)] == one and len(other) - len(one) <= 1 + close_ms / _WORD_MS


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """A value as a line of a report has it."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


__all__ = ["CLOSE_MS", "Difference", "Names", "differences", "shown"]
