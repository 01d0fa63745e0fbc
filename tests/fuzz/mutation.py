"""Ways to break a message: its bytes, its JSON, its place among the others."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import orjson

_ODD_VALUES: Sequence[Any] = (
    None, True, False, 0, -1, 1, 2**53, -(2**63), 2**64 - 1, 1e308, -0.5, 0.1,
    "", "0", "null", "A", "AAA", "====", "\u0000", "\ud7ff", "é" * 40, "x" * 5000,
    [], {}, [[]], [None], [{}], {"": None}, {"type": "error"}, {"id": []}, [1, "a", None],
)  # fmt: skip
_MOST_BYTES = 65_536


class Mutator:
    """Breaks messages at random.

    Args:
        corpus: Whole messages; parts of them are planted into others.
        dice: Decides everything.
    """

    def __init__(self, corpus: Sequence[bytes], dice: random.Random) -> None:
        self._dice = dice
        self._objects = [value for value in map(_object, corpus) if value is not None]
        self._corpus = corpus
        self._ways: Sequence[Callable[[bytes], bytes]] = (
            self._replace_bytes,
            self._cut,
            self._repeat,
            self._join,
            *[self._break_json] * (6 if self._objects else 0),
        )

    def mutate(self, message: bytes) -> bytes:
        """Break a message in one to three ways."""
        for _ in range(1 + (self._dice.random() < 0.3) + (self._dice.random() < 0.1)):
            message = self._dice.choice(self._ways)(message)
        return message[:_MOST_BYTES]

    def _position(self, message: bytes) -> int:
        return self._dice.randrange(len(message) + 1)

    def _replace_bytes(self, message: bytes) -> bytes:
        at, count = self._position(message), 1 + self._dice.randrange(4)
        return message[:at] + self._dice.randbytes(count) + message[at + count :]

    def _cut(self, message: bytes) -> bytes:
        start, end = sorted((self._position(message), self._position(message)))
        return message[:start] + message[end:]

    def _repeat(self, message: bytes) -> bytes:
        start, end = sorted((self._position(message), self._position(message)))
        return message[:end] + message[start:]

    def _join(self, message: bytes) -> bytes:
        other = self._dice.choice(self._corpus)
        return message[: self._position(message)] + other[self._position(other) :]

    def _break_json(self, message: bytes) -> bytes:
        value = _object(message)
        if value is None:
            value = self._dice.choice(self._objects)
        try:
            return orjson.dumps(self._broken(value))
        except TypeError:
            return message

    def _broken(self, value: Any) -> Any:
        """A copy of `value` with one thing in it changed; what lies beside is shared."""
        if isinstance(value, dict) and value:
            key = self._dice.choice(list(value))
            kind = self._dice.random()
            if kind < 0.12:
                return {name: field for name, field in value.items() if name != key}
            if kind < 0.2:
                return value | {self._some_string(): value[key]}
            return value | {key: self._broken(value[key])}
        if isinstance(value, list) and value:
            index = self._dice.randrange(len(value))
            kind = self._dice.random()
            if kind < 0.2:
                return value + [value[index]] * self._dice.choice((1, 2, 40))
            return [*value[:index], self._broken(value[index]), *value[index + 1 :]]
        return self._other(value)

    def _other(self, value: Any) -> Any:
        kind = self._dice.random()
        if kind < 0.35:
            return self._dice.choice(_ODD_VALUES)
        if kind < 0.6:
            return self._some_part()
        if isinstance(value, str):
            # New ids and texts without end, which nobody may keep for ever.
            at = self._dice.randrange(len(value) + 1)
            return f"{value[:at]}{self._dice.randrange(10**9)}{value[at:]}"
        if isinstance(value, int | float):
            return value * self._dice.choice((-1, 0, 2, 1000))
        return self._some_string()

    def _some_part(self) -> Any:
        part: Any = self._dice.choice(self._objects)
        while isinstance(part, dict) and part and self._dice.random() < 0.8:
            part = self._dice.choice(list(part.values()))
        return part

    def _some_string(self) -> str:
        part = self._some_part()
        if isinstance(part, dict) and part:
            part = self._dice.choice(list(part))
        return part if isinstance(part, str) else f"key_{self._dice.randrange(10**6)}"


def _object(message: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


__all__ = ["Mutator"]
