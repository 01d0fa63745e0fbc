"""One Media Stream: the call's sound over a WebSocket of the application, 20 ms a message.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import asyncio
import base64
import binascii
import contextlib
import itertools
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .playback import FRAME_BYTES, Playback
from .webhook import signature

FRAME_S = 0.02
SILENCE = b"\xff" * FRAME_BYTES
_OPEN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamNames:
    """What a stream is called."""

    account_sid: str
    call_sid: str
    stream_sid: str


class MediaStream:
    """Runs until one of the two ends it.

    Args:
        names: Of the call and the stream.
        parameters: Of the TwiML.
        microphone: Gives the caller's next 20 ms, µ-law.
        loudspeaker: Takes what the caller hears, with the loop's time.
    """

    def __init__(
        self,
        names: StreamNames,
        parameters: Mapping[str, str],
        *,
        microphone: Callable[[], bytes],
        loudspeaker: Callable[[float, bytes], None],
    ) -> None:
        self.names = names
        self.received: list[str] = []
        """The events that the application sent, in order, one after the other of a kind as one."""
        self._parameters = parameters
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
        auth_token: str,
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
                    additional_headers={"x-twilio-signature": signature(url, {}, auth_token)},
                    user_agent_header="TwilioMediaGateway",
                ) as socket,
            ):
                opening.reschedule(None)
                self._socket = socket
                await self._serve(socket, opened)
        except (OSError, TimeoutError, WebSocketException):
            # Twilio goes on with the call's TwiML, whatever became of the stream.
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
        await self._send("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def _serve(self, socket: ClientConnection, opened: Callable[[], None]) -> None:
        await socket.send(
            json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        )
        await self._send(
            "start",
            start={
                "accountSid": self.names.account_sid,
                "streamSid": self.names.stream_sid,
                "callSid": self.names.call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(self._parameters),
            },
        )
        opened()
        pieces = asyncio.create_task(self._pace())
        heard = asyncio.create_task(self._receive(socket))
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([pieces, heard, stopped], return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.is_set():
                names = {"accountSid": self.names.account_sid, "callSid": self.names.call_sid}
                await self._send("stop", stop=names)
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
            await self._send(
                "media",
                media={
                    "track": "inbound",
                    "chunk": str(count),
                    "timestamp": str(round((count - 1) * FRAME_S * 1000)),
                    "payload": base64.b64encode(sound).decode(),
                },
            )
            played, passed = self._playback.play()
            if played:
                self._loudspeaker(loop.time(), played)
            for name in passed:
                await self._send("mark", mark={"name": name})
            await asyncio.sleep(max(0.0, began_s + count * FRAME_S - loop.time()))

    async def _receive(self, socket: ClientConnection) -> None:
        async for message in socket:
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                # Twilio passes over what it does not understand, with a warning in its console.
                await self._take(json.loads(message))

    async def _take(self, content: Any) -> None:
        event = content["event"]
        if content["streamSid"] != self.names.stream_sid:
            return
        if not self.received or self.received[-1] != event:
            self.received.append(event)
        match event:
            case "media":
                try:
                    self._playback.add(base64.b64decode(content["media"]["payload"], validate=True))
                except binascii.Error:
                    return
            case "mark":
                self._playback.mark(content["mark"]["name"])
            case "clear":
                for name in self._playback.clear():
                    await self._send("mark", mark={"name": name})

    async def _send(self, event: str, **fields: object) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(
                json.dumps(
                    {
                        "event": event,
                        "sequenceNumber": str(next(self._numbers)),
                        "streamSid": self.names.stream_sid,
                        **fields,
                    }
                )
            )


__all__ = ["MediaStream", "StreamNames"]
