"""Whether a client sent what was recorded of one."""

import base64
import binascii
import re
from typing import Any

# Sound, which may be any, in any number of pieces.
_AUDIO_KIND = b"\x01"
# Values that a client makes up; what it calls its items, the service repeats.
_VOLATILE = frozenset({"event_id", "eventId"})
_NAMES = frozenset({"id", "previous_item_id"})
# The message in which it names them.
_MAKES = "conversation.item.create"
_SNAKE = re.compile(r"_([a-z])")


class Names:
    """What the client calls what it made, by what the recording calls it."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def learn(self, recorded: str, given: str) -> None:
        self._known[recorded] = given

    def of(self, recorded: Any) -> Any:
        """A recorded message, with the client's own names in it."""
        if not self._known:
            return recorded
        match recorded:
            case dict():
                return {key: self.of(value) for key, value in recorded.items()}
            case list():
                return [self.of(value) for value in recorded]
            case str():
                return self._known.get(recorded, recorded)
        return recorded


def type_of(message: Any) -> str:
    """What a client's message is called: its type, its only field, or the kind of its bytes."""
    match message:
        case {"type": str(type)}:
            return type
        case dict():
            return "+".join(_camel(message)) or "an empty object"
        case bytes():
            return f"binary {message[:1].hex()}"
    return "text"


def is_audio(message: Any) -> bool:
    """Whether it carries the user's sound."""
    match message:
        case bytes():
            return message[:1] == _AUDIO_KIND
        case {"type": "input_audio_buffer.append"}:
            return True
        case {"type": _}:
            return False
        case dict():
            realtime = _camel(message).get("realtimeInput")
            return isinstance(realtime, dict) and bool(
                {"audio", "mediaChunks"} & {*_camel(realtime)}
            )
    return False


def difference(recorded: Any, given: Any, names: Names) -> str | None:
    """Where `given` lacks something of `recorded`; None if it has it all.

    Fields in snake and camel case are the same where a wire takes both.
    """
    if is_audio(recorded) and is_audio(given):
        return None
    if type_of(recorded) != type_of(given):
        return f"it sent {type_of(given)} instead of {type_of(recorded)}"
    return _difference(recorded, given, names, type_of(recorded))


def _difference(recorded: Any, given: Any, names: Names, path: str) -> str | None:
    if isinstance(recorded, dict) and isinstance(given, dict):
        return _lacks(_camel(recorded), _camel(given), names, path)
    if isinstance(recorded, list) and isinstance(given, list):
        if len(recorded) != len(given):
            return f"{path}: {len(given)} entries instead of {len(recorded)}"
        for number, (ours, theirs) in enumerate(zip(recorded, given, strict=True)):
            if found := _difference(ours, theirs, names, f"{path}.{number}"):
                return found
        return None
    same = recorded == given or names.of(recorded) == given
    return None if same else f"{path}: {given!r:.60} instead of {recorded!r:.60}"


def _lacks(recorded: dict[str, Any], given: dict[str, Any], names: Names, path: str) -> str | None:
    for key, value in recorded.items():
        there = given.get(key)
        if key in _VOLATILE:
            continue
        if key in _NAMES and isinstance(value, str) and path.startswith(_MAKES):
            if isinstance(there, str) and names.of(value) == value:
                names.learn(value, there)
            continue
        if key not in given:
            return f"{path}.{key} is missing"
        if _is_sound(key, value) and isinstance(there, str) and _is_base64(there):
            continue
        if found := _difference(value, there, names, f"{path}.{key}"):
            return found
    return None


def _is_sound(key: str, value: Any) -> bool:
    return key in ("audio", "data") and isinstance(value, str)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def _camel(fields: dict[str, Any]) -> dict[str, Any]:
    """The same in camel case, but for OpenAI's messages, which have a type."""
    if "type" in fields:
        return fields
    return {_SNAKE.sub(lambda found: found[1].upper(), key): fields[key] for key in fields}
