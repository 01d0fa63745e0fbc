"""A WebSocket that is read at leisure: messages wait, counted in bytes, while pings are answered.

websockets itself counts frames, and stops reading after sixteen: pings and pongs wait too then,
and whoever stalls for longer than they may take loses the line.
"""

import asyncio
from collections import deque
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

MOST_UNREAD_BYTES = 64 * 2**20
"""A quarter of an hour of speech in JSON. When more waits, nothing is read until half has gone."""


# What a message takes besides its content, so that none are free.
_MESSAGE_OVERHEAD_BYTES = 128


class MessageSocket(ClientConnection):
    """Give it to `websockets.asyncio.client.connect` as `create_connection`.

    It is read by one reader, through `take` and `wait`, not through `recv`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: deque[bytes] = deque()
        self._fragments = bytearray()
        self._reader: asyncio.Future[None] | None = None
        self._reading = True
        self.unread_bytes = 0

    @property
    def ended(self) -> bool:
        """Whether the line is dead and nothing waits any more."""
        return not self._messages and self.state is State.CLOSED

    def take(self) -> bytes | None:
        """Give the oldest message that waits, if any does."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self.unread_bytes -= len(message) + _MESSAGE_OVERHEAD_BYTES
        if not self._reading and self.unread_bytes <= MOST_UNREAD_BYTES // 2:
            self._reading = True
            self.transport.resume_reading()
        return message

    async def wait(self) -> None:
        """Wait until there is a message, the line is dead, or somebody calls `wake`."""
        self._reader = self.loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def wake(self) -> None:
        """Have who waits look again."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def write(self, message: bytes, *, text: bool) -> bool:
        """Write at once what the line takes at once; tell whether it did."""
        if self.state is not State.OPEN or self.paused or self.transport.is_closing():
            return False
        if text:
            self.protocol.send_text(message)
        else:
            self.protocol.send_binary(message)
        self.send_data()
        return True

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
            return
        # How long a message may become in all is checked by the protocol.
        if event.fin and event.opcode is not Opcode.CONT:
            message = bytes(event.data)
        else:
            self._fragments += event.data
            if not event.fin:
                return
            message = bytes(self._fragments)
            self._fragments.clear()
        self._messages.append(message)
        self.unread_bytes += len(message) + _MESSAGE_OVERHEAD_BYTES
        if self.unread_bytes > MOST_UNREAD_BYTES and self._reading:
            self._reading = False
            self.transport.pause_reading()
        self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.wake()


_DATA = frozenset((Opcode.TEXT, Opcode.BINARY, Opcode.CONT))

__all__ = ["MOST_UNREAD_BYTES", "MessageSocket"]
