"""One WebSocket around one protocol."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from crossfade.conversation.history import HistoryItem
from crossfade.errors import ConnectionLost, CrossfadeError, ProviderFault
from crossfade.providers.address import host_and_port
from crossfade.providers.commands import Command, EndTurn, StartTurn
from crossfade.providers.config import SessionConfig
from crossfade.providers.dial import dial
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    SessionExpiring,
    SessionOpened,
    Severity,
)
from crossfade.providers.protocol import ConnectRequest, WireProtocol
from crossfade.providers.send_queue import SendQueue, SendQueueFull
from crossfade.providers.tap import (
    ConnectionTap,
    ConnectionTaps,
    KeylessTap,
    WireDirection,
    WireTap,
)
from crossfade.providers.websocket import MessageSocket

_SETUP_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0
# Anything shorter is no key, and may be part of a word.
_SHORTEST_SECRET = 8
# RFC 6455, 7.1.5: what a connection without a close frame is said to have.
_NO_CLOSE_FRAME = 1006
# Of much that waits to be read, so many messages are read before others may run.
_MESSAGES_AT_ONCE = 32
# Of long audio the next piece waits until less waits before it, unless the line stands still.
_MUCH_AUDIO_MS = 5_000.0
_LINE_STANDS_STILL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What went through a connection so far, and what waits."""

    sent_messages: int
    received_messages: int
    waiting_messages: int
    waiting_audio_ms: float
    dropped_audio_ms: float
    """User audio that waited too long: to be sent, or for a tool that the model waits for."""
    unread_bytes: int
    """What has arrived and waits for the caller to iterate."""
    reconnects: int = 0
    """How often another connection took the place of one that had died."""
    rotations: int = 0
    """How often another connection took the place of one that was near its end."""
    failovers: int = 0
    """How often another provider took over, returns included."""


class Connection:
    """Opened once, closed once. Messages are understood only inside `open` and `receive`."""

    def __init__(self, protocol: WireProtocol, tap: WireTap | None = None) -> None:
        self._protocol = protocol
        self._tap = tap
        self._own_tap: ConnectionTap | None = None
        self._address = ""
        self._websocket: MessageSocket | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._dialled_s = self._last_sent_s = 0.0
        self._queue = SendQueue()
        self._secret = ""
        self._failure: Exception | None = None
        self._understood: deque[Event] = deque()
        self._last_error: ProviderError | None = None
        self._sent = 0
        self._received = 0
        self._end_announced = False
        self.on_speech: Callable[[AudioChunk], bool] | None = None
        """Given speech that comes while `receive` waits; whether it took it."""

    @property
    def end_announced(self) -> bool:
        """Whether the provider has said when it will end the session."""
        return self._end_announced

    @property
    def their_time(self) -> float | None:
        """Unix time now, by the provider's own clock as it was told at the handshake; None if it
        was not."""
        websocket = self._websocket
        if websocket is None or websocket.answered_at is None:
            return None
        return websocket.answered_at + websocket.loop.time() - self._dialled_s

    @property
    def dead(self) -> bool:
        """Whether the line has ended, whatever of it waits to be received."""
        return self._websocket is not None and self._websocket.state is State.CLOSED

    @property
    def unread_bytes(self) -> int:
        """What has arrived and was not received."""
        return 0 if self._websocket is None else self._websocket.unread_bytes

    @property
    def waiting_messages(self) -> int:
        return len(self._queue)

    def statistics(self) -> Statistics:
        return Statistics(
            sent_messages=self._sent,
            received_messages=self._received,
            waiting_messages=len(self._queue),
            waiting_audio_ms=self._queue.waiting_audio_ms,
            dropped_audio_ms=self._queue.dropped_audio_ms + self._protocol.dropped_audio_ms,
            unread_bytes=self.unread_bytes,
        )

    async def open(
        self,
        request: ConnectRequest,
        config: SessionConfig,
        history: Sequence[HistoryItem] = (),
        *,
        seeded: bool = False,
        secret: str = "",
    ) -> list[Event]:
        """Connect and wait until the provider accepts the session. Cancelled, it cuts the line.

        Args:
            request: Where to connect.
            config: What the session shall be.
            history: What was said before.
            seeded: Whether that is told later, by `seed`.
            secret: The key; where the provider quotes it, it is left out.

        Returns:
            The events until then; SessionOpened is among them.

        Raises:
            CredentialsRefused: The key was refused.
            ProviderFault: The model or the configuration was refused.
            ConnectionLost: Nothing answers, or nothing that speaks this wire.
            SettingsError: The address or the configuration cannot be used.
        """
        if (prepare := self._protocol.preparation()) is not None:
            await asyncio.to_thread(prepare)
        first_messages = self._protocol.start(config, seeded=seeded or bool(history))
        if history:
            first_messages += self._protocol.seed(history)
        self._address = host_and_port(request.url)
        self._secret = secret
        if isinstance(self._tap, ConnectionTaps):
            self._tap = self._own_tap = self._tap.connection(self._address)
        if self._tap is not None and len(secret) >= _SHORTEST_SECRET:
            self._tap = KeylessTap(self._tap, secret)
        try:
            websocket = self._websocket = await dial(request, self._protocol.key_variables)
        except ProviderFault as fault:
            self._tell_closed(int(fault.code or 0), "")
            raise
        except ConnectionLost:
            self._tell_closed(0, "")
            raise
        self._dialled_s = websocket.loop.time()
        try:
            async with asyncio.timeout(_SETUP_TIMEOUT_S):
                # Who is refused is told before the line is closed: read on.
                with contextlib.suppress(ConnectionClosed):
                    for message in first_messages:
                        await self._write(websocket, message)
                self._begin_sending(websocket)
                return await self._until_opened()
        except asyncio.CancelledError:
            websocket.transport.abort()
            await self.close()
            raise
        except TimeoutError as error:
            await self.close()
            raise self._never_opened() from error
        except BaseException:
            await self.close()
            raise

    def send_audio(self, audio: bytes, duration_ms: float) -> None:
        """Send audio, or queue it; of what waits too long the oldest is dropped, and counted."""
        message = self._protocol.append_audio(audio)
        if not message:
            return
        websocket = self._websocket
        # Who waits for something to send need not be woken for what the line takes at once.
        if (
            websocket is not None
            and self._queue.starving
            and websocket.write(message, text=self._protocol.text_frames)
        ):
            self._count_sent(websocket, message)
        else:
            self._queue.put_audio(message, duration_ms)

    def seed(self, history: Sequence[HistoryItem]) -> None:
        """Tell what was said before; once, and before anything else."""
        self._put_control(self._protocol.seed(history))

    def replay_audio(self, audio: bytes) -> None:
        """Send audio that was kept: none of it is dropped, and it goes before what comes after.

        Raises:
            ConnectionLost: The provider has stopped reading, or the line is dead.
        """
        if message := self._protocol.append_audio(audio):
            self._put_control([message])

    async def let_audio_go(self) -> bool:
        """Let waiting audio be sent while the line takes it, until little waits; whether it did."""
        await asyncio.sleep(0)
        while (waiting_ms := self._queue.waiting_audio_ms) > _MUCH_AUDIO_MS:
            await asyncio.sleep(_LINE_STANDS_STILL_S)
            if self._queue.waiting_audio_ms >= waiting_ms:
                return False
        return True

    def send(self, command: Command) -> None:
        """Queue a command. It goes before waiting audio, unless it marks a place there.

        Raises:
            SettingsError: The session is not configured for it, or it cannot be said.
            ConnectionLost: The provider has stopped reading, or the line is dead.
        """
        messages = self._protocol.send(command)
        self._put_control(messages, after_audio=isinstance(command, StartTurn | EndTurn))

    async def receive(self) -> list[Event]:
        """Wait for the next events; there may be none, as after `wake`.

        Raises:
            CredentialsRefused: The key was refused in the middle.
            ProviderFault: The provider ended the session for good.
            ConnectionLost: The connection died.
        """
        websocket = self._websocket
        assert websocket is not None
        if self._understood or self._failure is not None:
            return self._understood_at_once()
        if not self._received % _MESSAGES_AT_ONCE:
            await asyncio.sleep(0)
        message = websocket.take()
        if message is None:
            if websocket.ended:
                self._failure = self._cause_of_end(websocket)
                code = int(websocket.close_code or _NO_CLOSE_FRAME)
                self._tell_closed(code, self._redacted(websocket.close_reason or ""))
                return self._last_events(self._failure)
            await websocket.wait()
            if self._understood:
                return self._understood_at_once()
            message = websocket.take()
        return [] if message is None else self._understand(message)

    def drain(self) -> list[Event]:
        """Give all that has arrived, for nothing more is to be received; never raises."""
        events = list(self._understood)
        self._understood.clear()
        while self._websocket is not None and (message := self._websocket.take()) is not None:
            # Nothing is sent any more, so it does not matter that nothing can be.
            with contextlib.suppress(ConnectionLost):
                events += self._understand(message)
        return events + self._protocol.ended()

    def wake(self) -> None:
        """Have `receive` return."""
        if self._websocket is not None:
            self._websocket.wake()

    async def close(self) -> None:
        """Close the connection. What waits to be sent is dropped. Cancelled, it cuts the line."""
        for task in self._tasks:
            task.cancel()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            if self._websocket is not None:
                await _hang_up(self._websocket)

    async def _until_opened(self) -> list[Event]:
        events: list[Event] = []
        while not any(isinstance(event, SessionOpened) for event in events):
            new = await self.receive()
            events += new
            for event in new:
                if not isinstance(event, ProviderError):
                    continue
                if event.severity is Severity.FATAL:
                    raise self._protocol.fault(event)
                # It may tell why nothing comes of the opening.
                self._last_error = event
        self._last_error = None
        return events

    def _last_events(self, failure: Exception) -> list[Event]:
        """Give what is left to be told before the end, or raise what ended the line."""
        if events := self._protocol.ended():
            return events
        raise failure

    def _take_at_once(self, message: bytes) -> None:
        """Understand what comes while `receive` waits, and wake it for all but speech."""
        try:
            events = self._understand(message)
            while events and isinstance(speech := events[0], AudioChunk):
                if self.on_speech is None or not self.on_speech(speech):
                    break
                del events[0]
        except Exception as error:
            self._failure = self._failure or error
            self.wake()
        else:
            if events:
                self._understood += events
                self.wake()

    def _understood_at_once(self) -> list[Event]:
        """Give what came while `receive` waited, or raise what failed then."""
        if self._understood:
            events = list(self._understood)
            self._understood.clear()
            return events
        assert self._failure is not None
        return self._last_events(self._failure)

    def _understand(self, message: bytes) -> list[Event]:
        self._received += 1
        if self._tap is not None:
            self._tap.message(WireDirection.RECEIVED, message)
        events = self._protocol.receive(message)
        for index, event in enumerate(events):
            if type(event) is AudioChunk:
                continue
            match event:
                case ProviderError():
                    event = events[index] = replace(event, message=self._redacted(event.message))
                    if event.severity in (Severity.RETRY, Severity.FATAL):
                        self._last_error = event
                case ResponseStarted():
                    # Who answers again did not mean to end the session.
                    self._last_error = None
                case SessionExpiring():
                    self._end_announced = True
                case ResponseDone(reason=str(reason)):
                    events[index] = replace(event, reason=self._redacted(reason))
        if replies := self._protocol.replies():
            self._put_control(replies)
        return events

    def _cause_of_end(self, websocket: MessageSocket) -> CrossfadeError:
        """Say why the line is dead: by its close code, or by the error that came before."""
        # The library gives members of an enum for some.
        code = int(websocket.close_code or _NO_CLOSE_FRAME)
        reason = self._redacted(websocket.close_reason or "")
        error = self._protocol.closed(code, reason)
        if error is None or error.severity is not Severity.FATAL:
            error = self._last_error or error
        if error is not None and error.severity is Severity.FATAL:
            return self._protocol.fault(error)
        why = reason or (error.message if error is not None else "")
        return ConnectionLost(
            f"The connection to {self._address} ended (close code {code}"
            f"{': ' + why.rstrip('.') if why else ''}). Open a new session to go on.",
            close_code=code,
            code=None if error is None else error.code,
            reason=why,
        )

    def _tell_closed(self, code: int, reason: str) -> None:
        if self._own_tap is not None:
            self._own_tap.closed(code, reason)

    def _never_opened(self) -> ConnectionLost:
        said = self._last_error
        why = "Either it is busy, or it speaks another protocol than this provider's."
        return ConnectionLost(
            f"{self._address} accepted the connection, but no session began within "
            f"{_SETUP_TIMEOUT_S:g} s. {why if said is None else f'It said: {said.message}'}",
            code=None if said is None else said.code,
            reason="" if said is None else said.message,
        )

    def _redacted(self, text: str) -> str:
        if len(self._secret) < _SHORTEST_SECRET:
            return text
        return text.replace(self._secret, "[key]")

    def _put_control(self, messages: list[bytes], *, after_audio: bool = False) -> None:
        try:
            self._queue.put_control(messages, after_audio=after_audio)
        except SendQueueFull as error:
            websocket = self._websocket
            assert websocket is not None
            if websocket.state is State.CLOSED:
                # Nobody iterates, and so nobody was told; what came before the end still waits.
                raise self._cause_of_end(websocket) from error
            self._failure = ConnectionLost(
                f"{self._address} has stopped reading. Open a new session to go on.",
                close_code=_NO_CLOSE_FRAME,
            )
            websocket.transport.abort()
            raise self._failure from error

    def _begin_sending(self, websocket: MessageSocket) -> None:
        websocket.at_once = self._take_at_once
        self._start(websocket, self._send_queued(websocket), "provider-send")
        idle_s = self._protocol.keepalive_s
        if idle_s is not None:
            self._last_sent_s = websocket.loop.time()
            self._start(websocket, self._keep_alive(idle_s), "provider-keepalive")

    def _start(
        self, websocket: MessageSocket, work: Coroutine[None, None, None], name: str
    ) -> None:
        self._tasks.append(asyncio.create_task(self._told(websocket, work), name=name))

    async def _told(self, websocket: MessageSocket, work: Coroutine[None, None, None]) -> None:
        """Work until the line ends; what else ends it is told to who iterates."""
        try:
            await work
        except ConnectionClosed:
            # `receive` meets the same end and says why.
            return
        except Exception as error:
            self._failure = self._failure or error
            await _hang_up(websocket)

    async def _send_queued(self, websocket: MessageSocket) -> None:
        while True:
            await self._write(websocket, await self._queue.get())

    async def _keep_alive(self, idle_s: float) -> None:
        """Keep the line open: a task of its own, so that no message pays for a timer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._last_sent_s + idle_s - loop.time())
            if loop.time() >= self._last_sent_s + idle_s:
                self._last_sent_s = loop.time()
                self._put_control(self._protocol.keepalive())

    async def _write(self, websocket: MessageSocket, message: bytes) -> None:
        text = self._protocol.text_frames
        if not websocket.write(message, text=text):
            await websocket.send(message, text=text)
        self._count_sent(websocket, message)

    def _count_sent(self, websocket: MessageSocket, message: bytes) -> None:
        self._sent += 1
        if self._protocol.keepalive_s is not None:
            self._last_sent_s = websocket.loop.time()
        if self._tap is not None:
            self._tap.message(WireDirection.SENT, message)


async def _hang_up(websocket: MessageSocket) -> None:
    """Say goodbye and close the socket; cut the line of who does not answer in time."""
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await websocket.close()
    finally:
        websocket.transport.abort()
    await websocket.wait_closed()


__all__ = ["Connection", "Statistics"]
