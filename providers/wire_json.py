"""JSON as it comes over a wire: any key may be missing, null or of another kind."""

from math import isfinite
from typing import Any

import orjson

from crossfade.errors import SettingsError

JsonObject = dict[str, Any]


def decode(message: str | bytes) -> JsonObject | None:
    """Read one message; None if it is no JSON object."""
    try:
        value = orjson.loads(message)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def encode(value: Any) -> bytes:
    """Write one message, or a part of one.

    Raises:
        SettingsError: JSON cannot say it.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise SettingsError(f"This cannot be sent, because JSON cannot say it: {error}.") from error


def string(fields: JsonObject, key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def whole(fields: JsonObject, key: str) -> int:
    """A number of something, 0 or more."""
    value = fields.get(key)
    return max(0, int(value)) if isinstance(value, int | float) and isfinite(value) else 0


def child(fields: JsonObject, key: str) -> JsonObject:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def children(fields: JsonObject, key: str) -> list[JsonObject]:
    value = fields.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


__all__ = ["JsonObject", "child", "children", "decode", "encode", "string", "whole"]
