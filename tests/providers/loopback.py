"""A WebSocket server that does what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tests.providers.openai_messages import Message, session_updated


class Peer:
    """The server's end of one connection."""

    def __init__(self, websocket: ServerConnection) -> None:
        self.websocket = websocket
        self.received: list[Message] = []

    async def send(self, *messages: Message) -> None:
        for message in messages:
            await self.websocket.send(orjson.dumps(message), text=True)

    async def expect(self, kind: str) -> Message:
        """Read until a message of this type comes."""
        while True:
            message: Message = orjson.loads(await self.websocket.recv())
            self.received.append(message)
            if message["type"] == kind:
                return message

    async def accept(self) -> Message:
        """Open the session; gives the client's configuration."""
        await self.send({"type": "session.created", "session": {"id": "sess_1"}})
        update = await self.expect("session.update")
        await self.send(session_updated())
        return update

    async def until_closed(self) -> None:
        await self.websocket.wait_closed()


Script = Callable[[Peer], Awaitable[Any]]
Gate = Callable[[ServerConnection, Request], Response | None]


@asynccontextmanager
async def loopback(script: Script, gate: Gate | None = None) -> AsyncIterator[str]:
    """Serve `script` for each connection; what it raises is raised on leaving."""
    failures: list[BaseException] = []

    async def handle(websocket: ServerConnection) -> None:
        try:
            await script(Peer(websocket))
        except Exception as error:
            failures.append(error)

    async with serve(
        handle, "127.0.0.1", 0, compression=None, process_request=gate, ping_interval=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    if failures:
        raise failures[0]


async def settle() -> None:
    """Give the loop's other tasks and sockets a moment."""
    await asyncio.sleep(0.1)
