"""A client's message before anybody has looked at its fields."""

from typing import Any

import orjson

from .closes import INVALID_ARGUMENT, Closed, malformed_json


def decoded(message: str | bytes) -> dict[str, Any]:
    """The JSON object of a message, text or binary.

    Raises:
        Closed: It is none.
    """
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError:
        raise malformed_json() from None
    if not isinstance(body, dict):
        raise malformed_json()
    return body


def only_sound(body: dict[str, Any]) -> dict[str, Any] | None:
    """The Blob of a message that is nothing but sound, as every client writes it."""
    if len(body) != 1:
        return None
    realtime = body.get("realtimeInput") or body.get("realtime_input")
    if not isinstance(realtime, dict) or len(realtime) != 1:
        return None
    blob = realtime.get("audio")
    if not isinstance(blob, dict) or blob.keys() != {"data", "mimeType"}:
        return None
    return blob if all(isinstance(value, str) for value in blob.values()) else None


def only(fields: dict[str, Any]) -> tuple[str, Any]:
    """The one field that is set.

    Raises:
        Closed: None is, or several are.
    """
    if len(fields) != 1:
        raise Closed(INVALID_ARGUMENT)
    return next(iter(fields.items()))


def without_bytes(value: Any) -> Any:
    """`value` as JSON can hold it, of bytes only their number."""
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, dict):
        return {key: without_bytes(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_bytes(inner) for inner in value]
    return value
