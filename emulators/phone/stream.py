"""One stream: the call's sound over a WebSocket of the application, 20 ms a message."""

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .playback import FRAME_BYTES, Playback

FRAME_S = 0.02
SILENCE = b"\xff" * FRAME_BYTES
_OPEN_S = 5.0


Content = dict[str, Any]
"""A message."""


class Wire(Protocol):
    """A company's messages."""

    def begin(self) -> list[Content]:
        """What the application is told first."""

    def media(self, number: int, at_ms: int, sound: bytes) -> Content:
        """The caller's sound, µ-law."""

    def key(self, digit: str) -> Content:
        """The caller pressed a key."""

    def played(self, name: str) -> Content:
        """A mark was passed."""

    def stop(self) -> Content | None:
        """The stream ends; None where nothing is told."""

    def numbered(self, content: Content, number: int) -> Content:
        """A message with its number in the stream."""

    def take(self, content: Content, playback: Playback) -> list[Content]:
        """Do what a message of the application says, and answer it."""


class MediaStream:
    """Runs until one of the two ends it.

    Args:
        wire: How its messages look.
        microphone: Gives the caller's next 20 ms, µ-law.
        loudspeaker: Takes what the caller hears, with the loop's time.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        microphone: Callable[[], bytes],
        loudspeaker: Callable[[float, bytes], None],
    ) -> None:
        self._wire = wire
        self.received: list[str] = []
        """The events that the application sent, in order, one after the other of a kind as one."""
        self._microphone = microphone
        self._loudspeaker = loudspeaker
        self._playback = Playback()
        self._socket: ClientConnection | None = None
        self._numbers = itertools.count(1)
        self._stopped = asyncio.Event()

    async def run(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
        opened: Callable[[], None],
    ) -> None:
        """Open it, and play and speak until the application closes it, or `stop` is called."""
        try:
            async with (
                asyncio.timeout(_OPEN_S) as opening,
                connect(
                    url,
                    compression=None,
                    ssl=tls if url.startswith("wss:") else None,
                    additional_headers=dict(headers),
                    proxy=None,
                ) as socket,
            ):
                opening.reschedule(None)
                self._socket = socket
                await self._serve(socket, opened)
        except (OSError, TimeoutError, WebSocketException):
            # The company goes on with the call, whatever became of the stream.
            return
        finally:
            self._socket = None

    def stop(self) -> None:
        """End it: the call is hung up, or goes elsewhere."""
        self._stopped.set()

    def cut(self) -> None:
        """End it as a dead line does, without a word."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def press(self, digit: str) -> None:
        """A key of the phone."""
        await self._send(self._wire.key(digit))

    async def _serve(self, socket: ClientConnection, opened: Callable[[], None]) -> None:
        for content in self._wire.begin():
            await self._send(content)
        opened()
        pieces = asyncio.create_task(self._pace())
        heard = asyncio.create_task(self._receive(socket))
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([pieces, heard, stopped], return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.is_set() and (last := self._wire.stop()) is not None:
                await self._send(last)
        finally:
            for task in (pieces, heard, stopped):
                task.cancel()
            results = await asyncio.gather(pieces, heard, stopped, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
                raise result

    async def _pace(self) -> None:
        """Send the caller's sound and play the application's, each 20 ms."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for count in itertools.count(1):
            sound = self._microphone() or SILENCE
            at_ms = round((count - 1) * FRAME_S * 1000)
            await self._send(self._wire.media(count, at_ms, sound))
            played, passed = self._playback.play()
            if played:
                self._loudspeaker(loop.time(), played)
            for name in passed:
                await self._send(self._wire.played(name))
            await asyncio.sleep(max(0.0, began_s + count * FRAME_S - loop.time()))

    async def _receive(self, socket: ClientConnection) -> None:
        async for message in socket:
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                # What is not understood is passed over.
                await self._take(json.loads(message))

    async def _take(self, content: Any) -> None:
        event = content["event"]
        answers = self._wire.take(content, self._playback)
        if not self.received or self.received[-1] != event:
            self.received.append(event)
        for answer in answers:
            await self._send(answer)

    async def _send(self, content: Content) -> None:
        if self._socket is None:
            return
        numbered = self._wire.numbered(content, next(self._numbers))
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(json.dumps(numbered))


__all__ = ["SILENCE", "Content", "MediaStream", "Wire"]
