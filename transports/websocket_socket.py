"""The server's end of a client's WebSocket: messages by plain calls, written at once."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from .websocket_messages import LARGEST_MESSAGE_BYTES, CloseCode

MOST_UNREAD_BYTES = 4 * LARGEST_MESSAGE_BYTES
"""What may wait before the call takes it; the line of a client that sends more is closed."""
MOST_UNSENT_BYTES = 256 * 1024
"""What may wait for a client that does not read; its line is closed then, and it re-attaches."""
_DATA = frozenset((Opcode.TEXT, Opcode.BINARY, Opcode.CONT))

Message = tuple[bytes, bool]
"""What came, and whether it is text."""


class ClientSocket(ServerConnection):
    """Give it to `websockets.asyncio.server.serve` as `create_connection`.

    Not read by `recv`: its first message comes by `first`, all others by the function given to
    `deliver_to`, within the turn of the loop in which they arrive. The library's own way costs
    ten times as much for each of fifty messages a second.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: deque[Message] = deque()
        self._unread_bytes = 0
        self._fragments = bytearray()
        self._text = False
        self._came = asyncio.Event()
        self._deliver: Callable[[bytes, bool], None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def first(self, timeout_s: float) -> Message | None:
        """The next message; None if none came in time, or the line died."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError:
            return None
        return self._take() if self._messages else None

    def deliver_to(self, deliver: Callable[[bytes, bool], None] | None) -> None:
        """Have each message given to a function, with whether it is text; None drops them."""
        self._deliver = deliver or _drop
        while self._messages:
            self._deliver(*self._take())

    def write(self, message: bytes, *, text: bool) -> None:
        """Send a message; one to a dead line, or to a client that does not read, is lost."""
        if self.state is not State.OPEN or self.transport.is_closing():
            return
        # No extension is ever agreed upon, and no message is cut: the frame is plain.
        self.transport.write(plain_frame(message, text=text))
        if self.transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.transport.abort()

    def close_soon(self, code: CloseCode, reason: str = "") -> None:
        """Close the line, without waiting for the client's word."""
        if self._closing is None:
            self._closing = asyncio.create_task(self.close(code, reason), name="client-close")

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
            return
        if event.opcode is not Opcode.CONT:
            self._text = event.opcode is Opcode.TEXT
        # How long a message may become in all is checked by the protocol.
        if event.fin and event.opcode is not Opcode.CONT:
            message = bytes(event.data)
        else:
            self._fragments += event.data
            if not event.fin:
                return
            message = bytes(self._fragments)
            self._fragments.clear()
        self._receive(message)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._came.set()

    def _receive(self, message: bytes) -> None:
        if self._deliver is not None:
            self._deliver(message, self._text)
            return
        self._messages.append((message, self._text))
        self._unread_bytes += len(message)
        self._came.set()
        if self._unread_bytes > MOST_UNREAD_BYTES:
            self._messages.clear()
            self.deliver_to(None)
            self.close_soon(CloseCode.MALFORMED, "too much before the call was ready")

    def _take(self) -> Message:
        message = self._messages.popleft()
        self._unread_bytes -= len(message[0])
        return message


def plain_frame(message: bytes, *, text: bool) -> bytes:
    """A whole message of a server in one frame (RFC 6455, 5.2)."""
    first = 0x81 if text else 0x82
    length = len(message)
    if length < 126:
        head = struct.pack("!BB", first, length)
    elif length < 65536:
        head = struct.pack("!BBH", first, 126, length)
    else:
        head = struct.pack("!BBQ", first, 127, length)
    return head + message


def _drop(message: bytes, text: bool) -> None:
    """Nobody wants it."""


__all__ = ["ClientSocket", "plain_frame"]
