"""The service's side of a recorded session, on loopback."""

import asyncio
import base64
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.providers.replay.matching import Ids, difference, is_sound, kind_of
from tests.providers.replay.session_file import Kind, Step


class ReplayServer:
    """Plays the service's steps, and takes the client's in their order. Serves one connection.

    The user's audio may come in more pieces than were recorded.

    Args:
        steps: The session.
        binary: Whether JSON goes in binary frames, as Gemini's service sends it.

    Raises:
        AssertionError: On leaving: the client sent something else, or not everything.
    """

    def __init__(self, steps: Sequence[Step], *, binary: bool = False) -> None:
        self.received: list[Any] = []
        """What the client sent, in order: objects, or bytes where it is no JSON."""
        self.headers: dict[str, str] = {}
        """What the client showed at the door."""
        self._steps = steps
        self._binary = binary
        self._ids = Ids()
        self._awaited = asyncio.Condition()
        self._at = 0
        self._failures: list[Exception] = []
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._handle, "127.0.0.1", 0, compression=None, ping_interval=None
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        if self._failures:
            raise self._failures[0] from exc
        if exc is None:
            left = [kind_of(step.data) for step in self._steps[self._at :]]
            assert not left, f"the session never got as far as {left}"

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/realtime"

    async def reached(self, index: int) -> None:
        """Wait until all steps before this one are done."""
        async with self._awaited:
            await self._awaited.wait_for(lambda: self._at >= index or self._failures)

    async def _handle(self, websocket: ServerConnection) -> None:
        try:
            assert not self.headers, "the client connected twice"
            assert websocket.request is not None
            self.headers = dict(websocket.request.headers.raw_items())
            await self._play(websocket)
        except ConnectionClosed:
            # What was left undone is told on leaving.
            return
        except Exception as error:
            self._failures.append(error)
            await websocket.close(1008, "not what was recorded")
        finally:
            await self._go_to(self._at)

    async def _play(self, websocket: ServerConnection) -> None:
        for index, step in enumerate(self._steps):
            if step.sent:
                await self._expect(websocket, step)
            else:
                await self._perform(websocket, step)
            await self._go_to(index + 1)
        while True:
            message = await self._receive(websocket)
            assert is_sound(message), f"after the end the client sent {kind_of(message)}"

    async def _go_to(self, index: int) -> None:
        async with self._awaited:
            self._at = index
            self._awaited.notify_all()

    async def _perform(self, websocket: ServerConnection, step: Step) -> None:
        data = self._ids.rename(step.data)
        match step.kind:
            case Kind.MESSAGE:
                await websocket.send(orjson.dumps(data), text=not self._binary)
            case Kind.TEXT | Kind.BINARY:
                await websocket.send(data)
            case Kind.CLOSE:
                await websocket.close(data["code"], data["reason"])

    async def _expect(self, websocket: ServerConnection, step: Step) -> None:
        message = await self._receive(websocket)
        while is_sound(message) and not is_sound(step.data):
            message = await self._receive(websocket)
        wrong = difference(step.data, message, self._ids)
        assert wrong is None, f"step {self._at + 1}: the client sent {wrong}"

    async def _receive(self, websocket: ServerConnection) -> Any:
        message = await websocket.recv(decode=False)
        try:
            decoded = orjson.loads(message)
        except orjson.JSONDecodeError:
            decoded = message
        self.received.append(decoded)
        return decoded


def sound_of(message: Any) -> bytes:
    """The audio in a client's message."""
    if isinstance(message, bytes):
        return message[1:]
    if "audio" in message and isinstance(message["audio"], str):
        return base64.b64decode(message["audio"])
    (realtime,) = message.values()
    return base64.b64decode(realtime["audio"]["data"])


__all__ = ["ReplayServer", "sound_of"]
