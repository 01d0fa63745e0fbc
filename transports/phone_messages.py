"""A phone company's stream in terms of our own WebSocket protocol, both ways. Pure.

A phone is a client like any other: it says hello, speaks, and tells what it has played. What it
cannot do is keep its microphone while nobody is attached.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from crossfade.audio.g711 import RATE_HZ
from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.errors import CallerError

from .websocket_messages import read_object, write_message

MARK_EVERY_MS = 100
"""How often the phone is asked to tell what it has played."""
LONGEST_NAME = 128
_MOST_DIGITS = 15
_NAME_CHARACTERS = frozenset("-_:")

Message = tuple[bytes, bool]
"""A message of our own protocol, and whether it is text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStart:
    """Who calls, and on which stream."""

    stream_id: str
    call_id: str
    parameters: Mapping[str, str] = field(repr=False)
    """Those of the document that began the stream; a ticket among them."""


class PhoneDialect(ABC):
    """One stream: what the company says in our words, and what we say in its.

    The stream begins with `start`; a call is attached with what `hello` gives then.
    """

    def __init__(self) -> None:
        self.start: StreamStart | None = None
        """None until the company told it."""
        self.stopped = False
        """Whether the company told the stream's end: the caller hung up, or the call was sent
        elsewhere, which sounds the same here."""
        self._stream = 0
        self._written = 0
        self._marked = 0

    # What a subclass overrides

    @abstractmethod
    def receive(self, text: bytes | str) -> Message | None:
        """What a message of the company says in our protocol; None if it is nothing for the call.

        Raises:
            CallerError: It cannot be understood.
        """

    @abstractmethod
    def speech(self, pcm: bytes) -> bytes:
        """Sound for the caller, s16le at 8 kHz."""

    @abstractmethod
    def mark(self, name: str) -> bytes:
        """Asks to be told this name when all that was sent so far has been played."""

    @abstractmethod
    def clear(self) -> bytes:
        """Drops what was not played."""

    # What it may use

    def stop(self) -> None:
        """The company tells that the stream ends."""
        self.stopped = True

    def played(self, name: Any) -> Message | None:
        """What a mark says that came back; None if it is none of ours."""
        stream, dot, samples = str(name).partition(".")
        numbers = (stream, samples)
        if not dot or not all(n.isascii() and n.isdigit() for n in numbers):
            return None
        if max(map(len, numbers)) > _MOST_DIGITS:
            return None
        return write_message("played", stream=int(stream), samples=int(samples)), True

    # What the line uses

    def hello(self, *, call_id: str) -> bytes:
        """What the phone would say first, if it spoke our protocol."""
        return write_message(
            "hello",
            version=1,
            call_id=call_id,
            input_rate_hz=RATE_HZ,
            output_rate_hz=RATE_HZ,
            reports=True,
        )

    def send(self, message: bytes, text: bool) -> list[bytes]:
        """What one of our messages says in the company's protocol, which has no word for some."""
        if not text:
            return self._speech(message)
        content = read_object(message)
        match content.get("type"):
            case "ready":
                self._begin(content)
            case "clear":
                self._begin(content)
                return [self.clear()]
            case "response":
                return self._marks()
        return []

    def _begin(self, content: Mapping[str, Any]) -> None:
        self._stream = int(content.get("stream", 0))
        self._written = self._marked = 0

    def _speech(self, pcm: bytes) -> list[bytes]:
        self._written += len(pcm) // SAMPLE_BYTES
        told = [self.speech(pcm)]
        if self._written - self._marked >= RATE_HZ * MARK_EVERY_MS // 1000:
            told += self._marks()
        return told

    def _marks(self) -> list[bytes]:
        if self._written == self._marked:
            return []
        self._marked = self._written
        return [self.mark(f"{self._stream}.{self._written}")]


def object_of(text: bytes | str) -> dict[str, Any]:
    """A message as an object.

    Raises:
        CallerError: It is none.
    """
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CallerError("a message is not JSON") from error
    if not isinstance(content, dict):
        raise CallerError("a message is no JSON object")
    return content


def part_of(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in a message.

    Raises:
        CallerError: There is none of that name.
    """
    part = content.get(name)
    if not isinstance(part, dict):
        raise CallerError(f"a {content.get('event')} message has no {name}")
    return part


def name_of(value: Any, what: str) -> str:
    """A call's or a stream's name.

    Raises:
        CallerError: It is none.
    """
    if not isinstance(value, str) or not is_name(value):
        raise CallerError(f"{what} is no identifier")
    return value


def is_name(value: str) -> bool:
    """Whether it may be a call's name: letters, digits, and `-_:`."""
    letters = "".join(each for each in value if each not in _NAME_CHARACTERS)
    return 0 < len(value) <= LONGEST_NAME and letters.isascii() and letters.isalnum()


__all__ = [
    "MARK_EVERY_MS",
    "Message",
    "PhoneDialect",
    "StreamStart",
    "is_name",
    "name_of",
    "object_of",
    "part_of",
]
