"""RealtimeSession: what callers hold."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolDeclaration, ToolResult
from crossfade.errors import CallerError, CrossfadeError
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
from crossfade.providers.connection import Statistics
from crossfade.providers.continuity.lines import Lines
from crossfade.providers.continuity.one_line import OneLine
from crossfade.providers.continuity.owed import Debt
from crossfade.providers.continuity.serving import Serving
from crossfade.providers.events import AudioChunk, Event
from crossfade.providers.profiles import Profile
from crossfade.providers.session_state import SessionState, may_follow, not_open
from crossfade.providers.sound_format import SoundFormat
from crossfade.providers.validation import check_audio

_MANY_WAITING = 64


_OPENED_BEFORE = "A session is opened once. Connect again for a new one."


class RealtimeSession:
    """A live conversation with a native speech-to-speech model. Made by `connect`.

    It is an async context manager, or is opened and closed by `open` and `close`. Iterated, it
    gives its events, SessionOpened first, to one task. Messages are understood only while that
    iterates; up to 64 MiB of them wait if it does not, and the line stays alive. The iteration
    ends when the session is closed by `close`.

    When a connection dies, is near its end, or its provider fails, the session goes on with
    another: LineLost and SessionContinued tell of it, and what the user said meanwhile is heard
    and answered. When nothing more can be done, or with `continuity=None` when its connection
    dies, the iteration raises what `open` could have raised, once all events are delivered.

    No verb waits for the provider. A verb raises CallerError, and sends nothing, before `open`,
    after `close` and if its argument cannot be used; once the session has ended by itself it
    raises the error that ended it.

    Args:
        lines: Its connections.
        sound: What its caller sends and takes.
    """

    def __init__(self, lines: Lines | OneLine, sound: SoundFormat) -> None:
        self._lines = lines
        self._sound = sound
        self._events: deque[Event] = deque()
        self._state = SessionState.NEW
        self._end: CrossfadeError | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reading = False
        self._user_speaking = False
        self._playing = False

    @property
    def config(self) -> SessionConfig:
        """What was asked for, with all updates that were not refused."""
        return self._lines.config

    @property
    def profile(self) -> Profile:
        """What the model can do. Another one may serve after SessionContinued."""
        return self._lines.profile

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
        return self._lines.on_speech

    @on_speech.setter
    def on_speech(self, hear: Callable[[AudioChunk], bool] | None) -> None:
        self._lines.on_speech = hear

    @property
    def conversation(self) -> Conversation | None:
        """The ledger that a new connection is told from: the one given to `connect`, else one that
        the session writes. None without continuity, unless one was given."""
        return self._lines.conversation

    @property
    def serving(self) -> Serving:
        """Which provider serves, in which of its sessions."""
        return self._lines.serving

    @property
    def playing(self) -> bool:
        """Whether the agent's speech is still being played: no moment to rotate. To be set."""
        return self._playing

    @playing.setter
    def playing(self, playing: bool) -> None:
        if playing is not self._playing:
            self._playing = playing
            self._lines.plays(playing)

    def user_speaking(self, speaks: bool) -> None:
        """Say what the caller's own ear hears: the user begins or stops to speak.

        A hint, and no turn: audio is kept from there, and no rotation disturbs it.
        """
        if speaks is not self._user_speaking:
            self._user_speaking = speaks
            self._lines.user_speaks(speaks)

    def unfinished_audio(self) -> bytes:
        """What the user said that nobody has begun to answer, at `input_rate_hz`."""
        return self._lines.unfinished_audio()

    def rotate(self) -> None:
        """Go on with another connection at the next quiet moment.

        Raises:
            CallerError: The session is not open, or ends with its connection.
        """
        self._check_open()
        self._lines.rotate()

    def statistics(self) -> Statistics:
        """What went through all its connections."""
        return self._lines.statistics()

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

    async def open(self, *, standby: bool = False) -> None:
        """Connect and configure the session. Cancelled, it leaves nothing open.

        Args:
            standby: It is told the conversation only by `take_over`; until then nothing is to be
                asked of it.

        Raises:
            CallerError: It ends with its connection, and so cannot stand by.
            CredentialsRefused: The key was refused.
            ProviderFault: The model or the configuration was refused.
            ConnectionLost: Nothing answers, or nothing that speaks this wire.
            SettingsError: Key, address or configuration cannot be used.
            CallerError: It was opened before, or is closed meanwhile.
        """
        if standby:
            self._lines.stand_by()
        if not self._is(SessionState.NEW):
            opening = self._is(SessionState.OPENING)
            raise CallerError("The session is opening already." if opening else _OPENED_BEFORE)
        self._become(SessionState.OPENING)
        # A task of its own, which `close` can cancel without cancelling the caller.
        self._opening = asyncio.create_task(self._lines.open(), name="provider-open")
        try:
            await self._opening
        except BaseException as error:
            if self._is(SessionState.OPENING):
                await self.close()
                raise
            task = asyncio.current_task()
            if not isinstance(error, asyncio.CancelledError) or (task and task.cancelling()):
                raise
        if not self._is(SessionState.OPENING):
            raise CallerError("The session was closed while it was opening.")
        self._become(SessionState.OPEN)

    def take_over(
        self, *, owed: Debt = Debt.NOTHING, turns: Mapping[str, bool] | None = None
    ) -> None:
        """Serve from now on, in a session that was opened to stand by: it is told the conversation
        as it is now, with the tool calls that are open, and what it owes is asked for.

        Args:
            owed: The answer that is due: to what was said, or the rest of one that was cut.
            turns: Turns of the user that it is going to hear, though the conversation knows them:
                their names in order, and whether they were told to be committed.

        Raises:
            CallerError: The session is not open.
        """
        self._check_open()
        self._lines.take_over(owed, turns or {})

    async def close(self) -> None:
        """End the session, also one that is opening: its `open` raises CallerError then.

        Nothing of it is left on return. Cancelled, it cuts the line instead of saying goodbye.
        """
        if self._state is SessionState.CLOSED:
            return
        self._become(SessionState.CLOSING)
        try:
            if self._opening is not None:
                self._opening.cancel()
                await asyncio.wait([self._opening])
            await self._lines.close()
        finally:
            self._become(SessionState.CLOSED)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._is(SessionState.CLOSING, SessionState.CLOSED):
                raise StopAsyncIteration
            self._check_open()
            if self._reading:
                raise CallerError(
                    "Another task waits for this session's events. Let one task iterate, and have "
                    "it hand on what others need."
                )
            self._reading = True
            try:
                self._events.extend(await self._lines.receive())
            except CrossfadeError as error:
                # Closed while we waited: the caller's own doing.
                if not self._is(SessionState.OPEN):
                    raise StopAsyncIteration from error
                self._become(SessionState.ENDED)
                self._end = error
                self._lines.ended()
                raise
            finally:
                self._reading = False
        return self._events.popleft()

    def send_audio_nowait(
        self, pcm: bytes, *, rate_hz: int | None = None, channels: int = 1
    ) -> None:
        """Send audio of the user, any number of whole samples.

        Where the line takes it, it is sent at once. Else it waits, no more than 10 s of it and no
        more than 10 000 pieces: the oldest is dropped, and counted in `statistics`. While no
        connection serves, it is kept for the next one.

        Args:
            pcm: Mono at `input_rate_hz`: s16le, or G.711 if `SessionConfig.encoding` says so.
            rate_hz: Its rate, to be checked.
            channels: Its channels, to be checked.

        Raises:
            SoundError: No bytes, another rate, several channels, or half a sample.
        """
        self._check_open()
        pcm = check_audio(pcm, self._sound, rate_hz, channels)
        sound, size = self._sound, len(pcm)
        if size <= sound.input_second_bytes:
            if size:
                self._lines.send_audio(pcm, sound.input_ms(size))
            return
        for piece in self._pieces(pcm):
            self._lines.send_audio(piece, sound.input_ms(len(piece)))

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
            flows = flows and await self._lines.let_audio_go()
        self.send_audio_nowait(last)
        await asyncio.sleep(0)

    async def send_text(self, text: str, *, respond: bool = True, call_id: str = "") -> None:
        """Say something as the user, in writing, and have it answered unless `respond` is off.

        Args:
            text: The words.
            respond: Whether they are to be answered.
            call_id: The tool call of which they tell the result, where they do: it is told once.
        """
        await self._send(SendText(text=text, respond=respond, call_id=call_id))

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

        Of an answer that broke off with its connection, and plays on while the next one serves,
        the ledger is shortened alone: the model that serves learns of it at the next handover.

        Args:
            played_ms: For each item that was not wholly played, how much of its audio was; 0 for
                those that wait.
        """
        await self._send(Interrupt(played_ms=played_ms))

    async def start_turn(self, turn_id: str = "") -> None:
        """Begin the user's turn with the audio sent from now on, pre-roll included.

        Args:
            turn_id: A name of the caller's own, to know the turn by once the provider has named
                it, however late. A session that ends with its connection does not repeat it.

        Raises:
            SettingsError: The provider finds the turns (`TurnDetection.SERVER`).
        """
        await self._send(StartTurn(turn_id=turn_id))

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
        self._lines.check(command)
        self._lines.send(command)
        # Who asks for much without a pause does not keep it from being sent.
        if self._lines.waiting_messages > _MANY_WAITING:
            await asyncio.sleep(0)

    def _is(self, *states: SessionState) -> bool:
        return self._state in states

    def _become(self, state: SessionState) -> None:
        assert may_follow(self._state, state), (self._state, state)
        self._state = state

    def _check_open(self) -> None:
        if self._state is SessionState.OPEN:
            return
        if self._end is not None and self._state is SessionState.ENDED:
            raise self._end
        raise not_open(self._state)


__all__ = ["RealtimeSession"]
