"""RealtimeSession: what callers hold."""

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Self

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.tools import ToolDeclaration, ToolResult
from crossfade.errors import CallerError, CrossfadeError, SettingsError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import SessionConfig
from crossfade.providers.connection import Connection, Statistics
from crossfade.providers.events import Event, SessionExpiring, SessionOpened
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.sound_format import sound_format
from crossfade.providers.tap import WireTap
from crossfade.providers.validation import check_audio, check_command, check_config

_EXPIRY_WARNING_S = 60.0

ApiKey = str | Callable[[], str | Awaitable[str]]
"""A key, or what gives one when a connection is opened."""


class _State(Enum):
    NEW = "new"
    OPEN = "open"
    ENDED = "ended"
    CLOSED = "closed"


class RealtimeSession:
    """A live conversation with a native speech-to-speech model. Made by `connect`.

    It is an async context manager, or is opened and closed by `open` and `close`. Iterated, it
    gives its events, SessionOpened first; messages are read only while someone iterates. The
    iteration ends when the session is closed by `close`. When the connection dies, or after a
    fatal ProviderError, it raises what `open` could have raised, once all events are delivered.

    No verb waits for the provider. A verb raises CallerError, and sends nothing, before `open`,
    after `close` and if its argument cannot be used; once the session has ended by itself it
    raises the error that ended it.
    """

    def __init__(
        self,
        protocol: WireProtocol,
        config: SessionConfig,
        *,
        api_key: ApiKey,
        base_url: str | None = None,
        history: Sequence[HistoryItem] = (),
        tap: WireTap | None = None,
    ) -> None:
        check_config(config, protocol.profile, history)
        self._protocol = protocol
        self._config = config
        self._api_key = api_key
        self._base_url = base_url
        self._history = history
        self._sound = sound_format(config.encoding, protocol.profile)
        self._connection = Connection(protocol, tap)
        self._events: deque[Event] = deque()
        self._state = _State.NEW
        self._end: CrossfadeError | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._woken = False

    @property
    def config(self) -> SessionConfig:
        """What was asked for, updates included."""
        return self._config

    @property
    def profile(self) -> Profile:
        """What the model can do."""
        return self._protocol.profile

    @property
    def input_rate_hz(self) -> int:
        """Sample rate of `send_audio`; 8000 for G.711."""
        return self._sound.input_rate_hz

    @property
    def output_rate_hz(self) -> int:
        """Sample rate of AudioChunk; 8000 for G.711."""
        return self._sound.output_rate_hz

    def statistics(self) -> Statistics:
        return self._connection.statistics()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect and configure the session.

        Raises:
            CredentialsRefused: The key was refused.
            ProviderFault: The model or the configuration was refused.
            ConnectionLost: Nothing answers, or nothing that speaks this wire.
            SettingsError: Key, address or configuration cannot be used.
        """
        if self._state is not _State.NEW:
            raise CallerError("A session is opened once. Connect again for a new one.")
        key = await self._resolve_key()
        self._state = _State.CLOSED
        request = self._protocol.connect_request(self._base_url, key)
        self._events.extend(
            await self._connection.open(request, self._config, self._history, secret=key)
        )
        self._state = _State.OPEN
        self._watch_expiry()

    async def close(self) -> None:
        """End the session. Does nothing if it has never been opened or is closed already."""
        self._forget_expiry()
        if self._state in (_State.OPEN, _State.ENDED):
            self._state = _State.CLOSED
            await self._connection.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._state is _State.CLOSED:
                raise StopAsyncIteration
            self._check_open()
            try:
                self._events.extend(await self._receive())
            except CrossfadeError as error:
                # Closed while we waited: the caller's own doing.
                if self._state is not _State.OPEN:
                    raise StopAsyncIteration from error
                self._state, self._end = _State.ENDED, error
                self._forget_expiry()
                raise
        return self._events.popleft()

    def send_audio_nowait(
        self, pcm: bytes, *, rate_hz: int | None = None, channels: int = 1
    ) -> None:
        """Send audio of the user, any number of whole samples.

        It is queued; of what waits longer than 10 s the oldest is dropped and counted in
        `statistics`.

        Args:
            pcm: Mono at `input_rate_hz`: s16le, or G.711 if `SessionConfig.encoding` says so.
            rate_hz: Its rate, to be checked.
            channels: Its channels, to be checked.

        Raises:
            SoundError: Another rate, several channels, or half a sample.
        """
        self._check_open()
        check_audio(pcm, self._sound, rate_hz, channels)
        if pcm:
            self._connection.send_audio(pcm, self._sound.input_ms(len(pcm)))

    async def send_audio(
        self, pcm: bytes, *, rate_hz: int | None = None, channels: int = 1
    ) -> None:
        """As `send_audio_nowait`, and let what waits be sent."""
        self.send_audio_nowait(pcm, rate_hz=rate_hz, channels=channels)
        await asyncio.sleep(0)

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Say something as the user, in writing, and have it answered unless `respond` is off."""
        self._send(SendText(text=text, respond=respond))

    async def send_image(self, data: bytes, media_type: str) -> None:
        """Show something as the user. The model speaks of it in its next answer.

        Args:
            data: The file.
            media_type: image/jpeg or image/png.

        Raises:
            SettingsError: The model sees no images, or not of this kind.
        """
        self._send(SendImage(data=data, media_type=media_type))

    async def send_tool_response(
        self, call_id: str, output: Any, *, is_error: bool = False, final: bool = True
    ) -> None:
        """Answer a tool call. The model speaks of it after `respond`.

        Answer all calls of one response, then ask once to respond.

        Args:
            call_id: `ToolCall.id`.
            output: Anything JSON can say; text goes as it is.
            is_error: Whether the call failed and `output` says why.
            final: Off for a part of the result, with more to follow.

        Raises:
            SettingsError: JSON cannot say it, or the model takes no partial results.
        """
        result = ToolResult(call_id=call_id, output=output, is_error=is_error)
        self._send(SendToolResult(result=result, final=final))

    async def update(
        self,
        *,
        instructions: str | None = None,
        tools: Sequence[ToolDeclaration] | None = None,
        voice: str | None = None,
    ) -> None:
        """Change the session from the next answer on; what is None stays as it is.

        Raises:
            SettingsError: The model cannot change this any more, or not at all.
        """
        update = Update(instructions=instructions, tools=tools, voice=voice)
        self._send(update)
        self._config = update.applied_to(self._config)

    async def respond(self) -> None:
        """Have the agent answer, when no other response is in the way any more."""
        self._send(Respond())

    async def say(self, text: str) -> None:
        """Have the agent say these words outside the conversation, when nothing is in the way.

        Its response is marked as injected. An interruption, or the answer to the user's next
        turn, drops it while it waits.

        Raises:
            SettingsError: The model cannot speak outside the conversation.
        """
        self._send(Say(text=text))

    async def interrupt(self, played_ms: Mapping[str, float]) -> None:
        """End the running response, and tell the model what the user heard of it.

        To be called when the user interrupts, also after Interruption and in the playout's tail,
        when no response runs any more. What comes of the response is dropped from now on.

        Args:
            played_ms: For each item that was not wholly played, how much of its audio was; 0 for
                those that wait.
        """
        self._send(Interrupt(played_ms=played_ms))

    async def start_turn(self) -> None:
        """Begin the user's turn with the audio sent from now on, pre-roll included.

        Raises:
            SettingsError: The provider finds the turns (`TurnDetection.SERVER`).
        """
        self._send(StartTurn())

    async def end_turn(self) -> None:
        """End the user's turn and have it answered. One too short for the provider is dropped.

        Raises:
            SettingsError: The provider finds the turns (`TurnDetection.SERVER`).
        """
        self._send(EndTurn())

    def _send(self, command: Command) -> None:
        self._check_open()
        check_command(command, self._config, self.profile)
        self._connection.send(command)

    async def _receive(self) -> list[Event]:
        """Wait for the next events; nothing if the session's end is near instead."""
        # What asyncio.timeout does, without its cost: every message comes this way.
        task = self._waiting = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        try:
            return await self._connection.receive()
        except asyncio.CancelledError:
            woken, self._woken = self._woken, False
            if not woken or task.uncancel() > cancelled_before:
                raise
            return []
        finally:
            self._waiting = None

    def _watch_expiry(self) -> None:
        opened = next(event for event in self._events if isinstance(event, SessionOpened))
        left_s = self.profile.session_limit_s
        # A clock that puts the end of a new session into the past is not believed.
        if opened.expires_at is not None and opened.expires_at > time.time():
            left_s = opened.expires_at - time.time()
        if left_s is not None:
            warn_in_s = max(0.0, left_s - _EXPIRY_WARNING_S)
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(warn_in_s, self._expires, left_s - warn_in_s)

    def _forget_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()

    def _expires(self, in_s: float) -> None:
        self._events.append(SessionExpiring(in_s=in_s))
        if self._waiting is not None:
            self._woken = True
            self._waiting.cancel()

    def _check_open(self) -> None:
        if self._state is _State.OPEN:
            return
        if self._end is not None and self._state is _State.ENDED:
            raise self._end
        state = "not open yet" if self._state is _State.NEW else "closed"
        raise CallerError(f"The session is {state}.")

    async def _resolve_key(self) -> str:
        key = self._api_key() if callable(self._api_key) else self._api_key
        if inspect.isawaitable(key):
            key = await key
        key = key.strip()
        variables = self._protocol.key_variables
        if (variables and not key) or not (key.isascii() and key.isprintable()):
            raise SettingsError(
                "The API key is empty or holds characters that no key has. "
                f"Check {' or '.join((*variables, 'the api_key given'))}."
            )
        return key


__all__ = ["ApiKey", "RealtimeSession"]
