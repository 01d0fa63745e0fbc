"""Messages between this process and its workers, over the worker's stdin and stdout.

A message is two big-endian 32-bit sizes, a JSON object of the first size, and raw bytes of the
second. A worker answers every message, in order, and ends when its stdin does.
"""

import asyncio
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

_SIZES = struct.Struct(">II")


class Message(NamedTuple):
    """A JSON object with raw bytes, sound as a rule."""

    head: Mapping[str, Any]
    payload: bytes = b""


def pack(message: Message) -> bytes:
    """The message as it goes over the pipe."""
    head = json.dumps(message.head).encode()
    return _SIZES.pack(len(head), len(message.payload)) + head + message.payload


async def receive(pipe: asyncio.StreamReader) -> Message | None:
    """The next message; None once the pipe has ended, be it amid a message."""
    try:
        head_bytes, payload_bytes = _SIZES.unpack(await pipe.readexactly(_SIZES.size))
        head = json.loads(await pipe.readexactly(head_bytes))
        return Message(head, await pipe.readexactly(payload_bytes))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def read(pipe: BinaryIO) -> Message | None:
    """Like `receive`, for the worker's side."""
    sizes = pipe.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    head_bytes, payload_bytes = _SIZES.unpack(sizes)
    content = pipe.read(head_bytes + payload_bytes)
    if len(content) < head_bytes + payload_bytes:
        return None
    return Message(json.loads(content[:head_bytes]), content[head_bytes:])


def serve(answer: Callable[[Message], Message]) -> None:
    """Run a worker: answer each message from stdin until it ends.

    What `answer` raises goes back as the text of an error.
    """
    # Ctrl-C reaches the whole process group; the worker lives until its parent lets go of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries may print; only messages go to the real stdout.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while message := read(sys.stdin.buffer):
        try:
            reply = answer(message)
        except Exception as error:
            reply = Message({"error": f"{type(error).__name__}: {error}"})
        try:
            replies.write(pack(reply))
            replies.flush()
        except BrokenPipeError:
            return
