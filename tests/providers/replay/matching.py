"""Whether the client sent what the session file expects of it."""

import base64
import binascii
import re
from typing import Any

# Where sound lies, in base64: any will do, as long as it is some.
_SOUND = (
    ("input_audio_buffer.append", "audio"),
    ("realtimeInput", "realtimeInput", "audio", "data"),
)
# Lists to which a client may add what the model asks for, such as last words of the user's.
_OPEN_ENDED = "turns"
# Ids that a client may give; the service's later messages repeat them.
_OWN_IDS = frozenset({"event_id", "id"})


class Ids:
    """Ids that the client gave, by what the file calls them."""

    def __init__(self) -> None:
        self._actual: dict[str, str] = {}

    def learn(self, expected: str, actual: str) -> None:
        self._actual[expected] = actual

    def rename(self, data: Any) -> Any:
        """Give the service's message with the ids that the client knows."""
        if isinstance(data, str):
            return self._actual.get(data, data)
        if isinstance(data, dict):
            return {key: self.rename(value) for key, value in data.items()}
        return [self.rename(value) for value in data] if isinstance(data, list) else data


def kind_of(message: Any) -> str:
    """What a client's message is: its `type`, or its only key."""
    if isinstance(message, bytes):
        return f"binary {message[:1].hex()}"
    if isinstance(message, dict):
        return str(message.get("type") or ", ".join(camel(message)))
    return f"{type(message).__name__} {message!r}"


def is_sound(message: Any) -> bool:
    """Whether it carries the user's audio, which may come in more pieces than were recorded."""
    if isinstance(message, bytes):
        return message[:1] == b"\x01"
    if not isinstance(message, dict):
        return False
    realtime = camel(message).get("realtimeInput")
    return message.get("type") == "input_audio_buffer.append" or (
        isinstance(realtime, dict) and "audio" in realtime
    )


def difference(expected: Any, actual: Any, ids: Ids) -> str | None:
    """Say where `actual` lacks something of `expected`; None if it has it all.

    Keys are compared in camel case, since Gemini's service takes both spellings.
    """
    if kind_of(expected) != kind_of(actual):
        return f"{kind_of(actual)} instead of {kind_of(expected)}"
    if isinstance(expected, bytes):
        sound = is_sound(expected) and len(actual) > 1
        return None if sound or expected == actual else f"{actual!r} instead of {expected!r}"
    return _difference(expected, actual, ids, (kind_of(expected),))


def _difference(expected: Any, actual: Any, ids: Ids, path: tuple[str, ...]) -> str | None:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _missing(camel(expected), camel(actual), ids, path)
    if isinstance(expected, list) and isinstance(actual, list):
        if path[-1] == _OPEN_ENDED:
            actual = actual[: len(expected)]
        if len(actual) != len(expected):
            return f"{'.'.join(path)}: {len(actual)} instead of {len(expected)}"
        found = (
            _difference(ours, theirs, ids, (*path, str(index)))
            for index, (ours, theirs) in enumerate(zip(expected, actual, strict=True))
        )
        return next((text for text in found if text), None)
    if path in _SOUND and is_base64(actual):
        return None
    if path[-1] in _OWN_IDS and isinstance(expected, str) and isinstance(actual, str):
        ids.learn(expected, actual)
        return None
    return None if expected == actual else f"{'.'.join(path)}: {actual!r} instead of {expected!r}"


def _missing(
    expected: dict[str, Any], actual: dict[str, Any], ids: Ids, path: tuple[str, ...]
) -> str | None:
    for key, value in expected.items():
        # An id that the client leaves to the service is given as it was recorded.
        if key not in actual and key in _OWN_IDS:
            continue
        if key not in actual:
            return f"{'.'.join((*path, key))} is missing"
        found = _difference(value, actual[key], ids, (*path, key))
        if found:
            return found
    return None


def camel(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with keys in camel case, but for those of OpenAI's messages, which have a type."""
    if "type" in fields:
        return fields
    return {re.sub(r"_([a-z])", lambda m: m[1].upper(), key): fields[key] for key in fields}


def is_base64(value: Any) -> bool:
    try:
        return bool(base64.b64decode(value, validate=True))
    except (TypeError, binascii.Error):
        return False


__all__ = ["Ids", "difference", "is_sound", "kind_of"]
