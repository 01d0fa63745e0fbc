"""What may be kept of a message: no sound, no credentials, and words only where wanted."""

import json
import re
from collections.abc import Mapping
from typing import Any

REMOVED = "[removed]"

_SECRET_KEYS = frozenset(
    {
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "handle",
        "headers",
        "newhandle",
        "password",
        "ocp-apim-subscription-key",
        "refresh_token",
        "secret",
        "subscription-key",
        "token",
        "x-api-key",
        "x-goog-api-key",
    }
)
# Keys as OpenAI, xAI and Google spell them, and the value of an Authorization header.
_SECRET_TEXT = re.compile(
    r"\b(?:sk|ek|xai|auth_tokens)[-_/][\w*-]{6,}|\bAIza[\w-]{16,}|\b[Bb]earer\s+[^\s\"']+"
    r"|\bAQ\.[\w-]{10,}|\bya29\.[\w.-]{6,}"
)
# Azure's are bare hexadecimal digits, as many ids are: only what calls them a key tells them.
_KEY_NAME = r"(?:key|secret|token|credential|password)"
_NAMED_HEX = re.compile(
    rf"({_KEY_NAME}s?\b[^0-9a-z]*(?:(?!{_KEY_NAME})[a-z]{{1,12}}[^0-9a-z]+){{0,4}})"
    r"[0-9a-f]{32,}\b",
    re.IGNORECASE,
)
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
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


def without_secrets(text: str) -> str:
    """The text without anything that looks like a credential."""
    kept = _SECRET_TEXT.sub(REMOVED, text)
    # Most have no such number, which is seen sooner than what it is called.
    return _NAMED_HEX.sub(rf"\1{REMOVED}", kept) if _HEX.search(kept) else kept


def redact(value: Any, *, content: bool, sound: bool = False, key: str = "", depth: int = 0) -> Any:
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
    """
    if depth > _DEEPEST:
        return REMOVED
    name = key.lower()
    if name in _SECRET_KEYS and value:
        return REMOVED
    if not content and name in _TOOL_KEYS and value is not None and not _is_message_part(value):
        return f"[{len(str(value))} characters]"
    if name in _SCHEMA_KEYS and isinstance(value, Mapping):
        return _redact_schema(value, "", content=content, depth=depth)
    if isinstance(value, Mapping):
        return {
            part: redact(inner, content=content, sound=sound, key=str(part), depth=depth + 1)
            for part, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            redact(inner, content=content, sound=sound, key=key, depth=depth + 1) for inner in value
        ]
    if isinstance(value, str):
        return _redact_text(value, name, content=content, sound=sound)
    return value


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
        called_secret = part.lower() in _SECRET_KEYS
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
    if _HEX.fullmatch(text) and re.search(_KEY_NAME, name) and not name.endswith("id"):
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
    return text if kept == value else json.dumps(kept, ensure_ascii=False)


def _is_message_part(value: Any) -> bool:
    """Whether a value under a key of `_TOOL_KEYS` is a part of OpenAI's wire, or may hold some."""
    if isinstance(value, Mapping):
        return str(value.get("object")).startswith("realtime.")
    return isinstance(value, list)
