"""What an emulated service sends: a WebSocket message, and what is known of it before encoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(slots=True, kw_only=True)
class Message:
    """One message on its way to a client. Nobody changes it; to freeze it would cost time."""

    type: str
    """What it is called on its wire; faults and logs go by it."""
    data: bytes
    """As it goes out, before WebSocket framing."""
    binary: bool = False
    """A binary message; else text."""
    audio_bytes: int = 0
    """How much sound it carries, after base64."""
    body: Mapping[str, Any] | None = None
    """Its JSON object; of a message with sound only the ids in it. None: it is no JSON."""


def json_message(type: str, body: Mapping[str, Any], *, binary: bool = False) -> Message:
    """A JSON object as a message."""
    return Message(type=type, data=orjson.dumps(body), binary=binary, body=body)
