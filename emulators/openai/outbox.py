"""What a session has to send: one writer, in order, within a bound."""

import asyncio
from collections import deque
from collections.abc import Iterable

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from .conversation import Event
from .identifiers import Identifiers

# Speech waits while more than this is unsent; everything else is sent at once.
ROOM_BYTES = 256 * 1024
# A client that has left this much unread is disconnected.
LIMIT_BYTES = 16 * 1024 * 1024
_POLICY_VIOLATION = 1008


class Outbox:
    """Messages on their way to one client.

    `send` never waits, so that events that belong together stay together. Beyond `LIMIT_BYTES`
    unsent, everything is dropped and the connection closed: the client does not read.
    """

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._close: tuple[int, str] | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent."""
        return self._close is not None

    def send(self, events: Iterable[Event | bytes]) -> None:
        """Queue events, which get their ids here, and messages that are encoded already."""
        if self.finished:
            return
        for event in events:
            if isinstance(event, dict):
                event["event_id"] = self._identifiers.new("event")
                event = orjson.dumps(event)
            self._waiting.append(event)
            self._waiting_bytes += len(event)
        if self._waiting_bytes > LIMIT_BYTES:
            self._waiting.clear()
            self.finish(_POLICY_VIOLATION, "the client does not read")
        elif self._waiting_bytes > ROOM_BYTES:
            self._roomy.clear()
        self._changed.set()

    def finish(self, close_code: int, reason: str) -> None:
        """Send what is queued, then close the connection."""
        if not self.finished:
            self._close = (close_code, reason)
            self._roomy.set()
            self._changed.set()

    async def room(self) -> None:
        """Wait until little enough is unsent that more speech may follow."""
        await self._roomy.wait()

    async def drain(self, connection: ServerConnection) -> None:
        """Send until `finish`, or until the connection is gone."""
        try:
            while self._waiting or self._close is None:
                if not self._waiting:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                message = self._waiting.popleft()
                await connection.send(message, text=True)
                self._waiting_bytes -= len(message)
                if self._waiting_bytes <= ROOM_BYTES:
                    self._roomy.set()
            await connection.close(*self._close)
        except ConnectionClosed:
            self.finish(1006, "")
