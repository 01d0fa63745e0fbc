"""A service on loopback that is as far away as a real one, to be left and to be reconnected to.

OpenAI's protocol as far as a client needs it that only speaks to it: it takes 150 ms to connect and
50 ms to tell of its session, hears the user speak without an end, and answers nothing.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

CONNECT_S = 0.150
SET_UP_S = 0.050
RATE_HZ = 24_000
_SPEECH_MS = 300
_BYTES_A_MS = RATE_HZ * 2 // 1000


@dataclass(slots=True)
class Arrivals:
    """What one connection brought."""

    socket: ServerConnection
    times_s: list[float] = field(default_factory=list)
    """When each message with sound came."""
    pcm: bytearray = field(default_factory=bytearray)


class Service:
    """Takes the user's sound of every connection.

    Args:
        lives_s: How long a session may last, as it is told.
    """

    def __init__(self, lives_s: float) -> None:
        self._lives_s = lives_s
        self.connections: list[Arrivals] = []
        self.connected = asyncio.Event()
        self.port = 0

    def abort(self) -> float:
        """Reset the newest connection; gives when."""
        self.connections[-1].socket.transport.abort()
        return time.monotonic()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Service"]:
        """Serve until left."""
        async with serve(
            self._converse,
            "127.0.0.1",
            0,
            process_request=self._dawdle,
            compression=None,
            close_timeout=0.1,
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def _dawdle(self, _socket: ServerConnection, _request: Request) -> Response | None:
        await asyncio.sleep(CONNECT_S)
        return None

    async def _converse(self, socket: ServerConnection) -> None:
        arrivals = Arrivals(socket)
        number = len(self.connections) + 1
        self.connections.append(arrivals)
        self.connected.set()
        await asyncio.sleep(SET_UP_S)
        session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": f"sess_{number}",
            "model": "gpt-realtime",
            "expires_at": int(time.time() + self._lives_s),
        }
        tell = _Teller(socket, session)
        with contextlib.suppress(ConnectionClosed):
            await tell.tell("session.created", session=session)
            async for message in socket:
                event = orjson.loads(message)
                if event["type"] == "input_audio_buffer.append":
                    arrivals.times_s.append(time.monotonic())
                    arrivals.pcm += base64.b64decode(event["audio"])
                    if len(arrivals.pcm) >= _SPEECH_MS * _BYTES_A_MS:
                        await tell.hear_once()
                else:
                    await tell.answer(event)


class _Teller:
    """What the service says."""

    def __init__(self, socket: ServerConnection, session: dict[str, Any]) -> None:
        self._socket = socket
        self._session = session
        self._told = 0
        self._hears = False

    async def tell(self, kind: str, **fields: Any) -> None:
        self._told += 1
        event = {"type": kind, "event_id": f"event_{self._told}", **fields}
        await self._socket.send(orjson.dumps(event).decode())

    async def hear_once(self) -> None:
        """The user speaks, and does not stop."""
        if not self._hears:
            self._hears = True
            await self.tell("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_u")

    async def answer(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self._session |= event["session"]
                await self.tell("session.updated", session=self._session)
            case "conversation.item.create":
                item = {"status": "completed", **event["item"]}
                await self.tell("conversation.item.added", previous_item_id=None, item=item)
                await self.tell("conversation.item.done", previous_item_id=None, item=item)
