"""The wire's messages: binary, the first byte tells the kind.

https://github.com/kyutai-labs/moshi/blob/main/rust/protocol.md
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import orjson

from ..message import Message


class Kind(IntEnum):
    """The first byte of a message."""

    HANDSHAKE = 0
    AUDIO = 1
    TEXT = 2
    CONTROL = 3
    METADATA = 4
    ERROR = 5
    PING = 6


KINDS = frozenset(kind.value for kind in Kind)

# Of what a client sends that is not sound, so much is kept.
_NOTED_BYTES = 1000

CONTROLS = {0: "start", 1: "end_turn", 2: "pause", 3: "restart"}
"""What the byte of a control message means. Both servers ignore them."""


def frame(kind: int, payload: bytes = b"") -> Message:
    """A message of any kind."""
    audio_bytes = len(payload) if kind == Kind.AUDIO else 0
    data = bytes((kind,)) + payload
    return Message(type=name_of(kind), data=data, binary=True, audio_bytes=audio_bytes)


def text(piece: str) -> Message:
    """A piece of what the model says."""
    return frame(Kind.TEXT, piece.encode())


def metadata(fields: Mapping[str, Any]) -> Message:
    """What the server tells of itself."""
    return frame(Kind.METADATA, orjson.dumps(fields))


def error(description: str) -> Message:
    """What went wrong."""
    return frame(Kind.ERROR, description.encode())


def name_of(kind: int) -> str:
    """What a kind is called in logs, faults and tests."""
    return Kind(kind).name.lower() if kind in KINDS else f"kind_{kind}"


def body_of(kind: int, payload: bytes) -> dict[str, Any]:
    """A client's message, without its sound."""
    match kind:
        case Kind.AUDIO:
            return {}
        case Kind.CONTROL if payload:
            return {"control": CONTROLS.get(payload[0], payload[0])}
        case Kind.TEXT | Kind.METADATA | Kind.ERROR:
            return {"text": payload[:_NOTED_BYTES].decode(errors="replace")}
        case _:
            return {"payload": payload[:_NOTED_BYTES].hex()} if payload else {}
