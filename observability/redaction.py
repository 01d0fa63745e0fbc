"""What may be kept of a message: no sound, no credentials, and words only where wanted."""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from .secret_text import HEX, KEY_NAME, REMOVED, names_secret, without_secrets

# How the types of messages end that hold a piece of what a tool is asked.
_PIECES = "call_arguments.delta"
_BINARY_KEYS = frozenset({"audio", "data", "image_url"})
_BINARY = re.compile(r"(?:data:[^,]*,)?(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}=*)?")
_DEEPEST = 40

# Where wires and text models declare what a tool takes, as JSON Schema.
_SCHEMA_KEYS = frozenset({"input_schema", "inputschema", "parameters"})
# There, names are names of arguments; and these are values, which a secret argument may have.
_NAMED_SCHEMAS = frozenset({"$defs", "definitions", "patternProperties", "properties"})
_SCHEMA_VALUES = frozenset({"const", "default", "enum", "example", "examples"})

# With content off, strings are kept under these keys and those that end in "id" alone.
_PLAIN_KEYS = frozenset(
    {
        "arm",
        "code",
        "eagerness",
        "event",
        "format",
        "kind",
        "language",
        "left",
        "media_type",
        "mimetype",
        "model",
        "modality",
        "name",
        "node",
        "object",
        "output_modalities",
        "param",
        "processor",
        "provider",
        "reason",
        "required",
        "responsemodalities",
        "role",
        "service",
        "started_at",
        "status",
        "then",
        "tool_choice",
        "truncation",
        "type",
        "unpriced",
        "voice",
        "why",
    }
)
# What a tool is asked and answers; `response` and `output` are also parts of OpenAI's messages.
_TOOL_KEYS = frozenset({"args", "arguments", "output", "response", "result"})
# Text models are told what a tool answers as the content of a message.
_MAY_BE_JSON = _TOOL_KEYS | {"content"}


def without_pieces(message: dict[str, Any]) -> dict[str, Any]:
    """A message of a wire without a piece of what a tool is asked: the whole follows.

    Of a piece nobody can tell whether it is one of a secret.
    """
    if "delta" in message and str(message.get("type")).endswith(_PIECES):
        return message | {"delta": REMOVED}
    return message


def redact(
    value: Any,
    *,
    content: bool,
    sound: bool = False,
    key: str = "",
    depth: int = 0,
    rest: Callable[[], None] | None = None,
) -> Any:
    """A copy of a JSON value that may be written down.

    Sound and images become their length, credentials become "[removed]"; ids, structure and
    numbers stay.

    Args:
        value: Anything `json.loads` gives.
        content: Whether words may be kept: texts, transcripts, instructions, what tools are asked
            and answer. Without, a string is replaced by its length unless its key is known to
            hold no words.
        sound: Whether sound and images may be kept, which are base64.
        key: The key under which the value lies.
        depth: How deep it lies; what lies too deep to be a message of any wire is removed.
        rest: Called again and again, where the value may be long and others wait.
    """
    if depth > _DEEPEST:
        return REMOVED
    name, secret = _known(key)
    if secret and value and value is not True:
        return REMOVED
    if not content and name in _TOOL_KEYS and value is not None and not _is_message_part(value):
        return f"[{len(str(value))} characters]"
    if name in _SCHEMA_KEYS and isinstance(value, Mapping):
        return _redact_schema(value, "", content=content, depth=depth)
    inside: dict[str, Any] = {"content": content, "sound": sound, "depth": depth + 1, "rest": rest}
    if rest is not None and isinstance(value, Mapping | list | tuple):
        rest()
    if isinstance(value, Mapping):
        return {part: redact(inner, key=str(part), **inside) for part, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner, key=key, **inside) for inner in value]
    if isinstance(value, str):
        return _redact_text(value, name, content=content, sound=sound)
    return value


@lru_cache(maxsize=1024)
def _known(key: str) -> tuple[str, bool]:
    """A key in small letters, and whether it names a secret."""
    return key.lower(), names_secret(key)


def _redact_schema(
    value: Any, name: str, *, content: bool, depth: int, secret: bool = False
) -> Any:
    """A part of a declaration: an argument that is called `token` is declared, and holds none."""
    if depth > _DEEPEST:
        return REMOVED
    if isinstance(value, list | tuple):
        return [
            _redact_schema(each, name, content=content, depth=depth + 1, secret=secret)
            for each in value
        ]
    if not isinstance(value, Mapping):
        return redact(value, content=content, key=name, depth=depth)
    kept: dict[str, Any] = {}
    for part, inner in value.items():
        called_secret = _known(part)[1]
        if name in _NAMED_SCHEMAS and isinstance(inner, Mapping | bool):
            hides = secret or called_secret
            kept[part] = _redact_schema(inner, "", content=content, depth=depth + 1, secret=hides)
        elif called_secret or (secret and part in _SCHEMA_VALUES):
            kept[part] = REMOVED
        else:
            kept[part] = _redact_schema(
                inner, part, content=content, depth=depth + 1, secret=secret
            )
    return kept


def _redact_text(text: str, name: str, *, content: bool, sound: bool) -> str:
    if HEX.fullmatch(text) and re.search(KEY_NAME, name) and not name.endswith("id"):
        return REMOVED
    if name in _BINARY_KEYS and _BINARY.fullmatch(text):
        return text if sound else f"[{len(text)} characters of base64]"
    if content and name in _MAY_BE_JSON and text.startswith(("{", "[")):
        return without_secrets(_redact_json(text, sound=sound))
    if content or name in _PLAIN_KEYS or name.endswith("id"):
        return without_secrets(text)
    return f"[{len(text)} characters]"


def _redact_json(text: str, *, sound: bool) -> str:
    """JSON within JSON, as OpenAI's wire has what tools are asked and answer."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    kept = redact(value, content=True, sound=sound)
    if kept == value:
        return text
    # Written as it was: a call that is run again is compared with it.
    joined = _dumped(value, (",", ":")) == text
    return _dumped(kept, (",", ":") if joined else (", ", ": "))


def _dumped(value: Any, separators: tuple[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=separators)


def _is_message_part(value: Any) -> bool:
    """Whether a value under a key of `_TOOL_KEYS` is a part of OpenAI's wire, or may hold some."""
    if isinstance(value, Mapping):
        return str(value.get("object")).startswith("realtime.")
    return isinstance(value, list)


__all__ = ["REMOVED", "redact", "without_pieces", "without_secrets"]
