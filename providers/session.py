"""RealtimeSession: what callers hold."""

import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Self

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.tools import ToolResult
from crossfade.errors import CallerError, CrossfadeError, SettingsError, SoundError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    Say,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.connection import Connection, Statistics
from crossfade.providers.events import Event
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.tap import WireTap

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
        _check(config, protocol.profile, history)
        self._protocol = protocol
        self._config = config
        self._api_key = api_key
        self._base_url = base_url
        self._history = history
        self._connection = Connection(protocol, tap)
        self._events: deque[Event] = deque()
        self._state = _State.NEW
        self._end: CrossfadeError | None = None

    @property
    def config(self) -> SessionConfig:
        """What was asked for."""
        return self._config

    @property
    def profile(self) -> Profile:
        """What the model can do."""
        return self._protocol.profile

    @property
    def input_rate_hz(self) -> int:
        """Sample rate of `send_audio`."""
        return self.profile.input_rate_hz

    @property
    def output_rate_hz(self) -> int:
        """Sample rate of AudioChunk."""
        return self.profile.output_rate_hz

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
        self._events.extend(await self._connection.open(request, self._config, self._history))
        self._state = _State.OPEN

    async def close(self) -> None:
        """End the session. Does nothing if it has never been opened or is closed already."""
        if self._state in (_State.OPEN, _State.ENDED):
            self._state = _State.CLOSED
            await self._connection.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._events:
            if self._state is _State.CLOSED:
                raise StopAsyncIteration
            self._check_open()
            try:
                self._events.extend(await self._connection.receive())
            except CrossfadeError as error:
                # Closed while we waited: the caller's own doing.
                if self._state is not _State.OPEN:
                    raise StopAsyncIteration from error
                self._state, self._end = _State.ENDED, error
                raise
        return self._events.popleft()

    def send_audio_nowait(self, pcm: bytes) -> None:
        """Send audio of the user: s16le mono at `input_rate_hz`, any number of whole samples.

        It is queued; of what waits longer than 10 s the oldest is dropped and counted in
        `statistics`.

        Raises:
            SoundError: Half a sample.
        """
        self._check_open()
        if len(pcm) % 2:
            raise SoundError(f"Audio is 16-bit samples; {len(pcm)} bytes end in half of one.")
        if pcm:
            self._connection.send_audio(pcm)

    async def send_audio(self, pcm: bytes) -> None:
        """As `send_audio_nowait`."""
        self.send_audio_nowait(pcm)

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Say something as the user, in writing, and have it answered unless `respond` is off."""
        _check_words(text)
        self._send(SendText(text=text))
        if respond:
            self._send(Respond())

    async def send_tool_response(
        self, call_id: str, output: Any, *, is_error: bool = False
    ) -> None:
        """Answer a tool call. The model speaks of it after `respond`.

        Answer all calls of one response, then ask once to respond.

        Args:
            call_id: `ToolCall.id`.
            output: Anything JSON can say; text goes as it is.
            is_error: Whether the call failed and `output` says why.
        """
        self._send(
            SendToolResult(result=ToolResult(call_id=call_id, output=output, is_error=is_error))
        )

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
        if not self.profile.out_of_band:
            raise SettingsError(
                f"{self.profile.model} cannot speak outside the conversation. "
                "See `profile.out_of_band`."
            )
        _check_words(text)
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
        self._connection.send(command)

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
        if not key or not (key.isascii() and key.isprintable()):
            raise SettingsError(
                f"The API key is empty or holds characters that no key has. "
                f"Check {self._protocol.key_variable} or the api_key given."
            )
        return key


def _check(config: SessionConfig, profile: Profile, history: Sequence[HistoryItem]) -> None:
    """Find what the model cannot do before anything is sent."""
    if config.turn_detection is TurnDetection.SERVER and not profile.server_vad:
        raise SettingsError(f"{profile.model} does not find the user's turns by itself.")
    if config.tools and not profile.tools:
        raise SettingsError(f"{profile.model} calls no tools.")
    if history and not profile.history:
        raise SettingsError(f"{profile.model} cannot be told what was said before.")
    names = [tool.name for tool in config.tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"These tools are declared more than once: {', '.join(twice)}.")


def _check_words(text: str) -> None:
    if not text.strip():
        raise SettingsError("There are no words in the text to send.")


__all__ = ["ApiKey", "RealtimeSession"]
