"""RealtimeSession: what callers hold."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Self

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.tools import ToolDeclaration, ToolResult
from crossfade.errors import CallerError, CrossfadeError
from crossfade.providers.api_key import ApiKey, resolve_key
from crossfade.providers.commands import (
    Command,
    Delivery,
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import Modality, SessionConfig, choice
from crossfade.providers.connection import Connection, Statistics
from crossfade.providers.events import AudioChunk, Event, SessionExpiring, SessionOpened
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.sound_format import sound_format
from crossfade.providers.tap import WireTap
from crossfade.providers.validation import check_audio, check_command, check_config

_EXPIRY_WARNING_S = 60.0
_MANY_WAITING = 64


class _State(Enum):
    NEW = "new"
    OPENING = "opening"
    OPEN = "open"
    ENDED = "ended"
    """By itself: the connection died, or the provider ended it."""
    CLOSING = "closing"
    CLOSED = "closed"
    """By the caller, or because it could not be opened."""


_NEXT: Mapping[_State, Sequence[_State]] = {
    _State.NEW: (_State.OPENING, _State.CLOSING),
    _State.OPENING: (_State.OPEN, _State.CLOSING),
    _State.OPEN: (_State.ENDED, _State.CLOSING),
    _State.ENDED: (_State.CLOSING,),
    _State.CLOSING: (_State.CLOSING, _State.CLOSED),
    _State.CLOSED: (_State.CLOSED,),
}
_NOT_OPEN: Mapping[_State, str] = {
    _State.NEW: "The session is not open yet.",
    _State.OPENING: "The session is still opening; wait for `open`.",
    _State.CLOSING: "The session is closed.",
    _State.CLOSED: "The session is closed.",
}
_OPENED_BEFORE = "A session is opened once. Connect again for a new one."


class RealtimeSession:
    """A live conversation with a native speech-to-speech model. Made by `connect`.

    It is an async context manager, or is opened and closed by `open` and `close`. Iterated, it
    gives its events, SessionOpened first, to one task. Messages are understood only while that
    iterates; up to 64 MiB of them wait if it does not, and the line stays alive. The iteration
    ends when the session is closed by `close`. When the connection dies, it raises what `open`
    could have raised, once all events are delivered.

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
        self._opening: asyncio.Task[None] | None = None
        self._reading = False
        self._updated = False

    @property
    def config(self) -> SessionConfig:
        """What was asked for, with all updates that were not refused."""
        return self._protocol.config if self._updated else self._config

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

    @property
    def on_speech(self) -> Callable[[AudioChunk], bool] | None:
        """Called with speech as soon as it comes, where all before it has been iterated and the
        next is waited for; speech that it takes is not iterated. It neither blocks nor raises."""
        return self._connection.on_speech

    @on_speech.setter
    def on_speech(self, hear: Callable[[AudioChunk], bool] | None) -> None:
        self._connection.on_speech = hear

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
        """Connect and configure the session. Cancelled, it leaves nothing open.

        Raises:
            CredentialsRefused: The key was refused.
            ProviderFault: The model or the configuration was refused.
            ConnectionLost: Nothing answers, or nothing that speaks this wire.
            SettingsError: Key, address or configuration cannot be used.
            CallerError: It was opened before, or is closed meanwhile.
        """
        if not self._is(_State.NEW):
            opening = self._is(_State.OPENING)
            raise CallerError("The session is opening already." if opening else _OPENED_BEFORE)
        self._become(_State.OPENING)
        # A task of its own, which `close` can cancel without cancelling the caller.
        self._opening = asyncio.create_task(self._open(), name="provider-open")
        try:
            await self._opening
        except BaseException as error:
            if self._is(_State.OPENING):
                await self.close()
                raise
            task = asyncio.current_task()
            if not isinstance(error, asyncio.CancelledError) or (task and task.cancelling()):
                raise
        if not self._is(_State.OPENING):
            raise CallerError("The session was closed while it was opening.")
        self._become(_State.OPEN)
        self._watch_expiry()

    async def close(self) -> None:
        """End the session, also one that is opening: its `open` raises CallerError then.

        Nothing of it is left on return. Cancelled, it cuts the line instead of saying goodbye.
        """
        if self._state is _State.CLOSED:
            return
        self._become(_State.CLOSING)
        self._forget_expiry()
        try:
            if self._opening is not None:
                self._opening.cancel()
                await asyncio.wait([self._opening])
            await self._connection.close()
        finally:
            self._become(_State.CLOSED)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._is(_State.CLOSING, _State.CLOSED):
                raise StopAsyncIteration
            self._check_open()
            if self._reading:
                raise CallerError(
                    "Another task waits for this session's events. Let one task iterate, and have "
                    "it hand on what others need."
                )
            self._reading = True
            try:
                self._events.extend(await self._connection.receive())
            except CrossfadeError as error:
                # Closed while we waited: the caller's own doing.
                if not self._is(_State.OPEN):
                    raise StopAsyncIteration from error
                self._become(_State.ENDED)
                self._end = error
                self._forget_expiry()
                raise
            finally:
                self._reading = False
        return self._events.popleft()

    def send_audio_nowait(
        self, pcm: bytes, *, rate_hz: int | None = None, channels: int = 1
    ) -> None:
        """Send audio of the user, any number of whole samples.

        Where the line takes it, it is sent at once. Else it waits, no more than 10 s of it and no
        more than 10 000 pieces: the oldest is dropped, and counted in `statistics`.

        Args:
            pcm: Mono at `input_rate_hz`: s16le, or G.711 if `SessionConfig.encoding` says so.
            rate_hz: Its rate, to be checked.
            channels: Its channels, to be checked.

        Raises:
            SoundError: No bytes, another rate, several channels, or half a sample.
        """
        self._check_open()
        pcm = check_audio(pcm, self._sound, rate_hz, channels)
        for piece in self._pieces(pcm):
            self._connection.send_audio(piece, self._sound.input_ms(len(piece)))

    async def send_audio(
        self, pcm: bytes, *, rate_hz: int | None = None, channels: int = 1
    ) -> None:
        """As `send_audio_nowait`, and let what waits be sent.

        Much audio at once is sent at the pace of the line, as long as the line takes any.
        """
        pcm = check_audio(pcm, self._sound, rate_hz, channels)
        *earlier, last = self._pieces(pcm) or [b""]
        flows = True
        for piece in earlier:
            self.send_audio_nowait(piece)
            flows = flows and await self._connection.let_audio_go()
        self.send_audio_nowait(last)
        await asyncio.sleep(0)

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Say something as the user, in writing, and have it answered unless `respond` is off."""
        await self._send(SendText(text=text, respond=respond))

    async def send_image(self, data: bytes, media_type: str) -> None:
        """Show something as the user. The model speaks of it in its next answer.

        Args:
            data: The file.
            media_type: image/jpeg or image/png.

        Raises:
            SettingsError: The model sees no images, or not of this kind.
        """
        await self._send(SendImage(data=data, media_type=media_type))

    async def send_tool_response(
        self,
        call_id: str,
        output: Any,
        *,
        is_error: bool = False,
        final: bool = True,
        delivery: Delivery = Delivery.WHEN_IDLE,
    ) -> None:
        """Answer a tool call. The model speaks of it after `respond`.

        Answer all calls of one response, then ask once to respond.

        Args:
            call_id: `ToolCall.id`.
            output: Anything JSON can say; text goes as it is.
            is_error: Whether the call failed and `output` says why.
            final: Off for a part of the result, with more to follow.
            delivery: When the model speaks of it, where it talks on while the tool runs.

        Raises:
            SettingsError: JSON cannot say it, or the model takes no partial results, cannot be
                cut by a result, or waits for it and so cannot keep silent about it.
        """
        delivery = choice(Delivery, delivery, "delivery")
        result = ToolResult(call_id=call_id, output=output, is_error=is_error)
        await self._send(SendToolResult(result=result, final=final, delivery=delivery))

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
        await self._send(update)
        self._updated = True

    async def respond(self) -> None:
        """Have the agent answer, when no other response is in the way any more.

        Nor while the user speaks, or is to be answered by the provider anyway. Who asks a second
        time waits for nothing of this but a response that is still alive.
        """
        await self._send(Respond())

    async def respond_aside(
        self,
        instructions: str,
        *,
        text: str | None = None,
        modality: Modality | None = None,
        label: str = "",
    ) -> None:
        """Have the agent answer out of band: the conversation never learns of it.

        It runs at once, beside whatever else is said or waits, and no interruption ends it: for
        summaries and checks in writing, and for phrases that are kept to be played later. Its
        response is marked as injected and carries the label.

        Args:
            instructions: What it shall do, instead of the session's instructions.
            text: What it knows: the conversation so far if None, nothing if empty.
            modality: Whether it is spoken or written; as the session's if None.
            label: What its ResponseStarted is to be known by.

        Raises:
            SettingsError: The model cannot answer outside the conversation, or in writing.
        """
        if modality is not None:
            modality = choice(Modality, modality, "modality")
        wish = RespondAside(instructions=instructions, text=text, modality=modality, label=label)
        await self._send(wish)

    async def say(self, text: str, *, label: str = "") -> None:
        """Have the agent say these words outside the conversation, when nothing is in the way.

        Its response is marked as injected. An interruption, or the answer to the user's next
        turn, drops it while it waits.

        Args:
            text: The words.
            label: What its ResponseStarted is to be known by.

        Raises:
            SettingsError: The model cannot speak outside the conversation.
        """
        await self._send(Say(text=text, label=label))

    async def interrupt(self, played_ms: Mapping[str, float]) -> None:
        """End the running response, and tell the model what the user heard of it.

        To be called when the user interrupts, also after Interruption and in the playout's tail,
        when no response runs any more. What comes of the response is dropped from now on.

        Args:
            played_ms: For each item that was not wholly played, how much of its audio was; 0 for
                those that wait.
        """
        await self._send(Interrupt(played_ms=played_ms))

    async def start_turn(self) -> None:
        """Begin the user's turn with the audio sent from now on, pre-roll included.

        Raises:
            SettingsError: The provider finds the turns (`TurnDetection.SERVER`).
        """
        await self._send(StartTurn())

    async def end_turn(self) -> None:
        """End the user's turn and have it answered. One too short for the provider is dropped.

        Raises:
            SettingsError: The provider finds the turns (`TurnDetection.SERVER`).
        """
        await self._send(EndTurn())

    def _pieces(self, pcm: bytes) -> list[bytes]:
        """Cut audio into seconds: messages that every provider takes, and that can be dropped."""
        size = self._sound.input_second_bytes
        if len(pcm) <= size:
            return [pcm] if pcm else []
        return [pcm[at : at + size] for at in range(0, len(pcm), size)]

    async def _send(self, command: Command) -> None:
        self._check_open()
        check_command(command, self._config, self.profile)
        self._connection.send(command)
        # Who asks for much without a pause does not keep it from being sent.
        if self._connection.waiting_messages > _MANY_WAITING:
            await asyncio.sleep(0)

    async def _open(self) -> None:
        key = await resolve_key(self._api_key, self._protocol.key_variables)
        request = self._protocol.connect_request(self._base_url, key)
        self._events.extend(
            await self._connection.open(request, self._config, self._history, secret=key)
        )

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
        # The provider knows better than its profile.
        if self._connection.end_announced:
            return
        self._events.append(SessionExpiring(in_s=in_s))
        self._connection.wake()

    def _is(self, *states: _State) -> bool:
        return self._state in states

    def _become(self, state: _State) -> None:
        assert state in _NEXT[self._state], (self._state, state)
        self._state = state

    def _check_open(self) -> None:
        if self._state is _State.OPEN:
            return
        if self._end is not None and self._state is _State.ENDED:
            raise self._end
        raise CallerError(_NOT_OPEN[self._state])


__all__ = ["ApiKey", "RealtimeSession"]
