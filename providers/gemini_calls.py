"""The tools that Gemini called, and the audio that waits while the model waits for them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.providers.gemini_requests import INPUT_RATE_HZ, append_audio

# Far more than run at a time; the oldest are forgotten.
_MOST_CALLS = 256
_SECOND_BYTES = 2 * INPUT_RATE_HZ
# Of what the user says and shows meanwhile the oldest is dropped.
_MOST_HELD_BYTES = 60 * _SECOND_BYTES
_MOST_HELD_MARKS = 256


@dataclass(slots=True, kw_only=True)
class Call:
    name: str
    blocking: bool
    """The model waits for the answer."""
    has_id: bool
    open: bool = True
    """It is to be answered."""


class Calls:
    """The calls of a session, by id."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._blocking = 0

    @property
    def blocked(self) -> bool:
        """Whether the model waits for an answer. Audio sent now would end the session."""
        return self._blocking > 0

    def add(self, call_id: str, call: Call) -> None:
        self._settle(self._calls.get(call_id))
        self._calls[call_id] = call
        self._blocking += call.blocking
        if len(self._calls) > _MOST_CALLS:
            self._settle(self._calls.popitem(last=False)[1])

    def get(self, call_id: str) -> Call | None:
        return self._calls.get(call_id)

    def settle(self, call_id: str) -> bool:
        """The call is not to be answered any more; False if it was not to be."""
        return self._settle(self._calls.get(call_id))

    def _settle(self, call: Call | None) -> bool:
        if call is None or not call.open:
            return False
        call.open = False
        self._blocking -= call.blocking
        return True


class HeldAudio:
    """What the user says while the model waits for a tool, and the marks set in it."""

    def __init__(self) -> None:
        self._parts: list[bytearray | bytes] = []
        self._bytes = 0
        self._marks = 0

    def add_audio(self, pcm: bytes) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, bytearray) and len(last) < _SECOND_BYTES:
            last += pcm
        else:
            self._parts.append(bytearray(pcm))
        self._bytes += len(pcm)
        while self._bytes > _MOST_HELD_BYTES:
            self._drop_oldest(bytearray)

    def add_marks(self, messages: Sequence[bytes]) -> None:
        """Add messages that have their place after the audio held so far."""
        self._parts += messages
        self._marks += len(messages)
        while self._marks > _MOST_HELD_MARKS:
            self._drop_oldest(bytes)

    def release(self) -> list[bytes]:
        """Give the messages that carry all of it."""
        if not self._parts:
            return []
        parts, self._parts, self._bytes, self._marks = self._parts, [], 0, 0
        return [
            append_audio(bytes(part)) if isinstance(part, bytearray) else part for part in parts
        ]

    def _drop_oldest(self, kind: type[bytearray] | type[bytes]) -> None:
        place = next(place for place, part in enumerate(self._parts) if type(part) is kind)
        if kind is bytes:
            self._marks -= 1
        else:
            self._bytes -= len(self._parts[place])
        del self._parts[place]


__all__ = ["Call", "Calls", "HeldAudio"]
