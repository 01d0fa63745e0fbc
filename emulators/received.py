"""What one client sent, in order: what a test asserts on."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import orjson

LIMIT_BYTES = 4 * 1024 * 1024
"""Of what is kept of one client."""
LONG_BYTES = 16 * 1024
"""A message longer than this, sound aside, is kept as an excerpt."""
# An entry takes about so much besides its type and its message.
_ENTRY_BYTES = 256
_TYPE_CHARACTERS = 128
_STRING_CHARACTERS = 1024
_SHOWN_CHARACTERS = 64


def excerpt(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` with its long strings cut; without its content where it is long even so."""
    cut = _cut(body)
    if len(orjson.dumps(cut)) <= LONG_BYTES:
        return dict(cut)
    return {name: _cut(body[name]) for name in ("type",) if isinstance(body.get(name), str)}


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _STRING_CHARACTERS:
        return f"{value[:_SHOWN_CHARACTERS]}[of {len(value)} characters]"
    if isinstance(value, Mapping):
        return {name: _cut(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner) for inner in value]
    return value


class Entry:
    """One message of the client, or a run of messages with sound.

    Args:
        type: What the message is called on its wire.
        at_s: When it came, by the event loop's clock; of a run, when it began.
        body: The message, without its sound.
        audio_bytes: How much sound came, after base64.
    """

    __slots__ = ("_encoded", "at_s", "audio_bytes", "messages", "type")

    def __init__(
        self, *, type: str, at_s: float, body: Mapping[str, Any], audio_bytes: int = 0
    ) -> None:
        self.type = type[:_TYPE_CHARACTERS]
        self.at_s = at_s
        self.audio_bytes = audio_bytes
        self.messages = 1
        """How many messages came: more than one only of sound."""
        # As objects it would take many times as much.
        self._encoded = orjson.dumps(body)

    @property
    def body(self) -> dict[str, Any]:
        """The message, without its sound."""
        body: dict[str, Any] = orjson.loads(self._encoded)
        return body

    @property
    def size_bytes(self) -> int:
        """What it takes, about."""
        return _ENTRY_BYTES + len(self.type) + len(self._encoded)


class Received(Sequence[Entry]):
    """What a client sent. Sound that comes in a row is one entry.

    At most `LIMIT_BYTES` are kept; the oldest entries go first and are counted in `forgotten`.
    """

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.size_bytes = 0
        """What the entries take, about."""
        self.forgotten = 0
        """How many entries were not kept."""

    def add(self, *, type: str, at_s: float, body: Mapping[str, Any], audio_bytes: int = 0) -> None:
        """Take what came next; the arguments are those of an `Entry`."""
        if audio_bytes and self._goes_on(type, audio_bytes):
            return
        entry = Entry(type=type, at_s=at_s, body=body, audio_bytes=audio_bytes)
        self._entries.append(entry)
        self.size_bytes += entry.size_bytes
        while self.size_bytes > LIMIT_BYTES:
            self.size_bytes -= self._entries.popleft().size_bytes
            self.forgotten += 1

    def _goes_on(self, type: str, audio_bytes: int) -> bool:
        """Take sound that goes on; False where nothing of it came right before."""
        last = self._entries[-1] if self._entries else None
        if last is None or not last.audio_bytes or last.type != type:
            return False
        last.audio_bytes += audio_bytes
        last.messages += 1
        return True

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(index, slice):
            return list(self._entries)[index]
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    @property
    def types(self) -> list[str]:
        """The types of all entries, in order."""
        return [entry.type for entry in self]

    @property
    def audio_bytes(self) -> int:
        """How much sound there is in all entries."""
        return sum(entry.audio_bytes for entry in self)

    def of(self, type: str) -> list[dict[str, Any]]:
        """The messages of a type, in order."""
        return [entry.body for entry in self if entry.type == type]

    def assert_order(self, *types: str) -> None:
        """Check that messages of these types came in this order, whatever came between.

        Raises:
            AssertionError: One did not; it names the first that is missing, and what did come.
        """
        left = iter(self.types)
        for number, type in enumerate(types):
            if type not in left:
                before = f" after {', '.join(types[:number])}" if number else ""
                came = ", ".join(self.types) or "nothing"
                raise AssertionError(f"the client sent no {type}{before}; it sent {came}")
