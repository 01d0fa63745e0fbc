"""Takes what a tool's policy calls secret out of the messages of a wire, before they are logged."""

from collections.abc import Set
from typing import Any

import orjson

from .redaction import REMOVED

_DELTA = "function_call_arguments.delta"


def hide_arguments(message: Any, secrets: Set[str]) -> Any:
    """A copy of a message in which the secret arguments of tools are removed.

    Args:
        message: A decoded message of any wire, or a part of one.
        secrets: Names of arguments. They are hidden whatever the tool, since not every message
            that holds arguments names it; arguments that come in pieces are hidden whole.
    """
    if isinstance(message, list):
        return [hide_arguments(part, secrets) for part in message]
    if not isinstance(message, dict):
        return message
    hidden = {}
    pieces = str(message.get("type", "")).endswith(_DELTA)
    for key, value in message.items():
        if key in ("arguments", "args"):
            hidden[key] = _without(value, secrets)
        elif pieces and key == "delta":
            hidden[key] = REMOVED
        else:
            hidden[key] = hide_arguments(value, secrets)
    return hidden


def _without(arguments: Any, secrets: Set[str]) -> Any:
    if isinstance(arguments, dict):
        return {name: REMOVED if name in secrets else value for name, value in arguments.items()}
    if not isinstance(arguments, str) or not arguments:
        return arguments
    try:
        read = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return REMOVED
    return orjson.dumps(_without(read, secrets)).decode() if isinstance(read, dict) else REMOVED


__all__ = ["hide_arguments"]
