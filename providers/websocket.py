"""A WebSocket that is read at leisure: messages wait, counted in bytes, while pings are answered.

websockets itself counts frames, and stops reading after sixteen: pings and pongs wait too then,
and whoever stalls for longer than they may take loses the line.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from crossfade.providers.websocket_frames import FrameCutter, masked_frame

MOST_UNREAD_BYTES = 64 * 2**20
"""A quarter of an hour of speech in JSON. When more waits, nothing is read until half has gone."""

LARGEST_MESSAGE_BYTES = 32 * 2**20
"""Twice the largest message that a provider takes."""

# What a message takes besides its content, so that none are free.
_MESSAGE_OVERHEAD_BYTES = 128
# Each frame is masked with a key that nobody can guess; the system is asked for some at once.
_KEYS_AT_ONCE = 64
# Of what comes in one piece, so many messages are handled before others may run.
_MOST_AT_ONCE = 32
_END_OF_HEAD = b"\r\n\r\n"


class MessageSocket(ClientConnection):
    """Give it to `websockets.asyncio.client.connect` as `create_connection`.

    It is read by one reader, through `take` and `wait`, not through `recv`. `at_once`, if set, is
    given what comes while the reader waits, without waking it.
    """

    at_once: Callable[[bytes], None] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: deque[bytes] = deque()
        self._head_tail = b""
        self._frames = FrameCutter(LARGEST_MESSAGE_BYTES, masked=False)
        self._fragments = bytearray()
        self._reader: asyncio.Future[None] | None = None
        self._reading = True
        self._keys: list[bytes] = []
        self._left_at_once = 0
        self.unread_bytes = 0

    @property
    def answered_at(self) -> float | None:
        """Unix time of the server's answer to the handshake, in whole seconds; None if it does
        not tell, or not so that it is understood."""
        dates = [] if self.response is None else self.response.headers.get_all("Date")
        try:
            return parsedate_to_datetime(dates[0]).timestamp()
        except (IndexError, ValueError, OverflowError):
            return None

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
        if self.protocol.state is not State.OPEN or self.paused or self.transport.is_closing():
            return False
        # No extension is ever agreed upon, and no message is cut: the frame is plain.
        if not self._keys:
            fresh = os.urandom(4 * _KEYS_AT_ONCE)
            self._keys = [fresh[at : at + 4] for at in range(0, len(fresh), 4)]
        self.transport.write(masked_frame(message, self._keys.pop(), text=text))
        return True

    def data_received(self, data: bytes) -> None:
        self._left_at_once = _MOST_AT_ONCE
        if self.protocol.state is State.CONNECTING:
            data = self._shake_hands(data)
            if not data:
                return
        for text, cut in self._frames.cut(data):
            if text is None:
                super().data_received(cut)
            else:
                self._receive(cut)

    def _shake_hands(self, data: bytes) -> bytes:
        """Let the library read the server's answer; gives what has come behind it."""
        head = self._head_tail + data
        end = head.find(_END_OF_HEAD)
        if end >= 0:
            behind = end + len(_END_OF_HEAD) - len(self._head_tail)
            super().data_received(data[:behind])
            if self.state is State.OPEN:
                return data[behind:]
            data = data[behind:]
        self._head_tail = head[1 - len(_END_OF_HEAD) :]
        if data:
            super().data_received(data)
        return b""

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
            return
        # How long a message may become in all is checked by the protocol.
        if event.fin and event.opcode is not Opcode.CONT:
            self._receive(bytes(event.data))
            return
        self._fragments += event.data
        if event.fin:
            message = bytes(self._fragments)
            self._fragments.clear()
            self._receive(message)

    def _receive(self, message: bytes) -> None:
        reader = self._reader
        waited_for = reader is not None and not reader.done()
        if waited_for and self.at_once is not None and self._left_at_once:
            self._left_at_once -= 1
            self.at_once(message)
            return
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
