"""One WebSocket around one protocol."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Subprotocol

from crossfade.conversation.history import HistoryItem
from crossfade.errors import (
    ConnectionLost,
    CredentialsRefused,
    CrossfadeError,
    ProviderFault,
    SettingsError,
)
from crossfade.providers.address import host_and_port, is_loopback
from crossfade.providers.commands import Command, EndTurn, StartTurn
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import Event, ProviderError, ResponseDone, SessionOpened, Severity
from crossfade.providers.protocol import ConnectRequest, WireProtocol
from crossfade.providers.send_queue import SendQueue, SendQueueFull
from crossfade.providers.tap import WireDirection, WireTap

# At DEBUG the library logs the headers, and the key with them.
_websocket_logger = logging.getLogger(f"{__name__}.websocket")
_websocket_logger.setLevel(logging.INFO)

_CONNECT_TIMEOUT_S = 10.0
_SETUP_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0
# Anything shorter is no key, and may be part of a word.
_SHORTEST_SECRET = 8
_PING_TIMEOUT_S = 20.0
# Twice the largest message that a provider takes.
_LARGEST_MESSAGE_BYTES = 32 * 2**20
# RFC 6455, 7.1.5: what a connection without a close frame is said to have.
_NO_CLOSE_FRAME = 1006


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What went through a connection so far, and what waits."""

    sent_messages: int
    received_messages: int
    waiting_messages: int
    waiting_audio_ms: float
    dropped_audio_ms: float
    """User audio that waited too long to be sent."""


class _Dial(connect):
    """Follows no redirect: keys in headers of their own would go along to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Connection:
    """Opened once, closed once. Messages are read only inside `open` and `receive`."""

    def __init__(self, protocol: WireProtocol, tap: WireTap | None = None) -> None:
        self._protocol = protocol
        self._tap = tap
        self._address = ""
        self._websocket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last_sent_s = 0.0
        self._queue = SendQueue()
        self._secret = ""
        self._failure: Exception | None = None
        self._sent = 0
        self._received = 0

    def statistics(self) -> Statistics:
        return Statistics(
            sent_messages=self._sent,
            received_messages=self._received,
            waiting_messages=len(self._queue),
            waiting_audio_ms=self._queue.waiting_audio_ms,
            dropped_audio_ms=self._queue.dropped_audio_ms,
        )

    async def open(
        self,
        request: ConnectRequest,
        config: SessionConfig,
        history: Sequence[HistoryItem] = (),
        *,
        secret: str = "",
    ) -> list[Event]:
        """Connect and wait until the provider accepts the session.

        Args:
            request: Where to connect.
            config: What the session shall be.
            history: What was said before.
            secret: The key; where the provider quotes it, it is left out.

        Returns:
            The events until then; SessionOpened is among them.

        Raises:
            CredentialsRefused: The key was refused.
            ProviderFault: The model or the configuration was refused.
            ConnectionLost: Nothing answers, or nothing that speaks this wire.
            SettingsError: The address or the configuration cannot be used.
        """
        first_messages = self._protocol.start(config, history)
        self._address = host_and_port(request.url)
        self._secret = secret
        websocket = self._websocket = await self._dial(request)
        try:
            async with asyncio.timeout(_SETUP_TIMEOUT_S):
                # Who is refused is told before the line is closed: read on.
                with contextlib.suppress(ConnectionClosed):
                    for message in first_messages:
                        await self._write(websocket, message)
                self._begin_sending(websocket)
                return await self._until_opened(websocket)
        except TimeoutError as error:
            await self.close()
            raise ConnectionLost(
                f"{self._address} accepted the connection, but no session began within "
                f"{_SETUP_TIMEOUT_S:g} s. Either it is busy, or it speaks another protocol "
                "than this provider's."
            ) from error
        except BaseException:
            await self.close()
            raise

    def send_audio(self, audio: bytes, duration_ms: float) -> None:
        """Queue audio; of what waits too long the oldest is dropped, and counted."""
        if message := self._protocol.append_audio(audio):
            self._queue.put_audio(message, duration_ms)

    def send(self, command: Command) -> None:
        """Queue a command. It goes before waiting audio, unless it marks a place there.

        Raises:
            SettingsError: The session is not configured for it, or it cannot be said.
            ConnectionLost: The provider has stopped reading.
        """
        messages = self._protocol.send(command)
        self._put_control(messages, after_audio=isinstance(command, StartTurn | EndTurn))

    async def receive(self) -> list[Event]:
        """Wait for the next events.

        Raises:
            CredentialsRefused: The key was refused in the middle.
            ProviderFault: The provider ended the session for good.
            ConnectionLost: The connection died.
        """
        assert self._websocket is not None
        while self._failure is None:
            events = await self._read(self._websocket)
            if events:
                return events
        raise self._failure

    async def close(self) -> None:
        """Close the connection. What waits to be sent is dropped."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._websocket is not None:
            await self._websocket.close()

    async def _dial(self, request: ConnectRequest) -> ClientConnection:
        try:
            return await _Dial(
                request.url,
                additional_headers=dict(request.headers),
                subprotocols=[Subprotocol(name) for name in request.subprotocols] or None,
                compression=None,
                proxy=None if is_loopback(request.url) else True,
                open_timeout=_CONNECT_TIMEOUT_S,
                close_timeout=_CLOSE_TIMEOUT_S,
                ping_interval=request.ping_interval_s,
                ping_timeout=_PING_TIMEOUT_S,
                max_size=_LARGEST_MESSAGE_BYTES,
                logger=_websocket_logger,
            )
        except (OSError, InvalidHandshake, InvalidURI, InvalidProxy, UnicodeError) as error:
            self._fail_to_connect(error)

    def _fail_to_connect(self, error: Exception) -> NoReturn:
        where = self._address
        match error:
            case InvalidStatus():
                raise self._refused_upgrade(error.response.status_code) from error
            case InvalidHandshake():
                raise ConnectionLost(f"{where} does not speak WebSocket.") from error
            case InvalidURI() | InvalidProxy() | UnicodeError():
                # The cause quotes the address, in which there may be a password or a key.
                raise SettingsError(
                    f"The address of {where}, or of the proxy before it, cannot be used."
                ) from None
            case ssl.SSLError():
                raise ConnectionLost(
                    f"No secure connection to {where}: {error.reason or 'TLS failed'}. "
                    "Check whether it shall be ws:// or wss://, and its certificate."
                ) from error
            case TimeoutError():
                raise ConnectionLost(
                    f"{where} did not answer within {_CONNECT_TIMEOUT_S:g} s."
                ) from error
        raise ConnectionLost(
            f"Nothing answers at {where}. Check the address and the network."
        ) from error

    def _refused_upgrade(self, status: int) -> ProviderFault:
        if status in (401, 403):
            return CredentialsRefused(
                f"{self._address} refused the key (HTTP {status}). "
                f"Check {' or '.join(self._protocol.key_variables) or 'the address'}.",
                code=str(status),
            )
        return ProviderFault(
            f"{self._address} refused the connection (HTTP {status}). "
            "Check that the address is the provider's realtime endpoint.",
            code=str(status),
        )

    async def _until_opened(self, websocket: ClientConnection) -> list[Event]:
        events: list[Event] = []
        while not any(isinstance(event, SessionOpened) for event in events):
            if self._failure is not None:
                raise self._failure
            new = await self._read(websocket)
            events += new
            for event in new:
                if isinstance(event, ProviderError) and event.severity is Severity.REQUEST:
                    raise ProviderFault(
                        f"{self._address} refused the session: {event.message}", code=event.code
                    )
        return events

    async def _read(self, websocket: ClientConnection) -> list[Event]:
        """Read one message. A fatal error it holds is raised by the next call of `receive`."""
        try:
            message = await websocket.recv(decode=False)
        except ConnectionClosed as closed:
            if self._failure is None:
                self._failure = self._cause_of(closed)
            # The cause quotes the close reason, which may quote the key.
            raise self._failure from None
        self._received += 1
        if self._tap is not None:
            self._tap.message(WireDirection.RECEIVED, message)
        events = self._protocol.receive(message)
        for index, event in enumerate(events):
            if isinstance(event, ProviderError):
                event = events[index] = replace(event, message=self._redacted(event.message))
                if event.severity is Severity.FATAL:
                    self._failure = self._protocol.fault(event)
            elif isinstance(event, ResponseDone) and event.reason is not None:
                events[index] = replace(event, reason=self._redacted(event.reason))
        if replies := self._protocol.replies():
            self._put_control(replies)
        return events

    def _cause_of(self, closed: ConnectionClosed) -> CrossfadeError:
        code = closed.rcvd.code if closed.rcvd is not None else _NO_CLOSE_FRAME
        reason = self._redacted(closed.rcvd.reason) if closed.rcvd is not None else ""
        error = self._protocol.closed(code, reason)
        if error is not None and error.severity is Severity.FATAL:
            return self._protocol.fault(error)
        return ConnectionLost(
            f"The connection to {self._address} ended (close code {code}"
            f"{': ' + reason if reason else ''}). Open a new session to go on.",
            close_code=code,
        )

    def _redacted(self, text: str) -> str:
        if len(self._secret) < _SHORTEST_SECRET:
            return text
        return text.replace(self._secret, "[key]")

    def _put_control(self, messages: list[bytes], *, after_audio: bool = False) -> None:
        try:
            self._queue.put_control(messages, after_audio=after_audio)
        except SendQueueFull as error:
            self._failure = ConnectionLost(f"{self._address} has stopped reading.")
            if self._websocket is not None:
                self._websocket.transport.abort()
            raise self._failure from error

    def _begin_sending(self, websocket: ClientConnection) -> None:
        self._tasks.append(asyncio.create_task(self._send_queued(websocket), name="provider-send"))
        idle_s = self._protocol.keepalive_s
        if idle_s is not None:
            self._last_sent_s = websocket.loop.time()
            self._tasks.append(
                asyncio.create_task(self._keep_alive(idle_s), name="provider-keepalive")
            )

    async def _send_queued(self, websocket: ClientConnection) -> None:
        try:
            while True:
                await self._write(websocket, await self._queue.get())
        except ConnectionClosed:
            # `receive` meets the same end and says why.
            return
        except Exception as error:
            self._failure = error
            await websocket.close()

    async def _keep_alive(self, idle_s: float) -> None:
        """Keep the line open: a task of its own, so that no message pays for a timer."""
        loop = asyncio.get_running_loop()
        # Who has stopped reading is told to the caller by the next verb.
        with contextlib.suppress(ConnectionLost):
            while True:
                await asyncio.sleep(self._last_sent_s + idle_s - loop.time())
                if loop.time() >= self._last_sent_s + idle_s:
                    self._last_sent_s = loop.time()
                    self._put_control(self._protocol.keepalive())

    async def _write(self, websocket: ClientConnection, message: bytes) -> None:
        await websocket.send(message, text=self._protocol.text_frames)
        self._sent += 1
        self._last_sent_s = websocket.loop.time()
        if self._tap is not None:
            self._tap.message(WireDirection.SENT, message)


__all__ = ["Connection", "Statistics"]
