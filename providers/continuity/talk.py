"""What of a session must outlive its connections: what was said, what is owed, what waits.

Knows no clock and awaits nothing.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.retelling import waiting_calls
from crossfade.conversation.seed import seed
from crossfade.conversation.tools import ToolCall
from crossfade.errors import ConnectionLost, SettingsError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import TurnDetection
from crossfade.providers.continuity.item_names import ItemNames
from crossfade.providers.continuity.line import Line
from crossfade.providers.continuity.owed import Debt, Owed
from crossfade.providers.continuity.own_ledger import OwnLedger
from crossfade.providers.continuity.recordings import Recordings
from crossfade.providers.continuity.seeding import GO_ON, as_text, compose
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.continuity.uplink import TurnMark, UplinkBuffer
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseStarted,
    Severity,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.sound_format import SoundFormat
from crossfade.providers.validation import check_command

# As many as may wait to be sent on a connection.
_MOST_HELD = 4096
_MOST_CALLS = 256
# Speech that only the caller's own ear heard outlives two connections that told nothing of it.
_DOUBTS = 4.0


class Talk:
    """Told of all that the caller asks and the provider tells; hands it over to a new connection.

    Args:
        settings: How much is kept, and told again.
        sound: What the session's caller sends and takes.
        history: What was said before the conversation.
        conversation: The ledger, if somebody else writes it.
    """

    def __init__(
        self,
        settings: Continuity,
        sound: SoundFormat,
        history: Sequence[HistoryItem],
        conversation: Conversation | None,
    ) -> None:
        self.conversation = Conversation() if conversation is None else conversation
        self.written_here = conversation is None
        self.owed = Owed()
        self.uplink = UplinkBuffer(
            sound.input_second_bytes,
            sound.sample_bytes,
            settings.keep_s,
            settings.preroll_s,
            doubt_s=_DOUBTS * settings.silent_s,
        )
        self._recordings = Recordings(int(settings.keep_s * sound.input_second_bytes))
        self._words_come = False
        self._withheld = False
        self._ledger = OwnLedger(self.conversation) if self.written_here else None
        self._history = tuple(history)
        self._settings = settings
        self._sound = sound
        self._names = ItemNames()
        self._held: deque[Command] = deque()
        self._calls: OrderedDict[str, ToolCall] = OrderedDict()
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._strangers: set[str] = set()

    @property
    def has_history(self) -> bool:
        """Whether there is anything to tell a new session."""
        return bool(self._said())

    def whole_history(self) -> tuple[HistoryItem, ...]:
        """What the first connection is told."""
        said = self.conversation.history()
        return self._history + seed(said, budget_tokens=self._settings.seed_tokens)

    # What the caller asks for

    def asked(self, command: Command, now_s: float) -> None:
        """Note a command, whether a connection takes it or not."""
        self.owed.asked(command)
        if isinstance(command, StartTurn):
            self.uplink.start_turn(turn_id=command.turn_id)
        elif isinstance(command, EndTurn):
            self.uplink.end_turn()
        if self._ledger is not None:
            self._ledger.asked(command, now_s)

    def user_speaks(self, speaks: bool, now_s: float) -> None:
        """The caller's own ear hears the user begin or stop to speak."""
        self.uplink.hint_started() if speaks else self.uplink.hint_stopped()
        if self._ledger is not None:
            self._ledger.user_speaks(speaks, now_s)

    def answered_before(self, command: Command) -> bool:
        """Whether a command would answer a call that has its result."""
        if not isinstance(command, SendToolResult):
            return False
        call_id = command.result.call_id
        if call_id in self._closed:
            return True
        if command.final:
            self._closed[call_id] = None
            if len(self._closed) > _MOST_CALLS:
                self._closed.popitem(last=False)
        return False

    def hold(self, command: Command) -> None:
        """Keep for the next connection what is not owed or kept in another way.

        Raises:
            ConnectionLost: Too much is held already.
        """
        if isinstance(
            command, Respond | Say | RespondAside | Interrupt | StartTurn | EndTurn | Update
        ):
            return
        if len(self._held) >= _MOST_HELD:
            raise ConnectionLost(
                "No connection serves, and too many requests wait for the next one already. "
                "Ask for less until SessionContinued comes."
            )
        self._held.append(command)

    def fitting(self, command: Command) -> Command | None:
        """Say a command such that the session that serves understands it; None if it cannot."""
        if not isinstance(command, SendToolResult) or command.result.call_id not in self._strangers:
            return command
        if not command.final:
            return None
        call = self._calls.get(command.result.call_id)
        return SendText(text=as_text(command.result, call), respond=False)

    # What the provider tells

    def speech(self, chunk: AudioChunk) -> None:
        """Note speech of the agent."""
        duration_ms = self._sound.output_ms(len(chunk.pcm))
        if self.owed.speech(chunk, duration_ms):
            self._answered()
        if self._ledger is not None:
            self._ledger.speech(chunk, duration_ms)

    def told(self, line: Line, event: Event, now_s: float) -> Event | None:
        """Note any other event; give it as the caller shall have it, None if not at all."""
        if self.owed.told(event):
            self._answered()
        match event:
            case SpeechStarted(at_ms=at_ms):
                self.uplink.speech_started(line.session_bytes(at_ms))
            case SpeechStopped(at_ms=at_ms):
                self.uplink.speech_stopped(line.session_bytes(at_ms))
            case UserTurnCommitted():
                event = replace(event, turn_id=self.uplink.committed())
            case ResponseStarted() | UserTranscript():
                self._recordings.alive()
            case ToolCall():
                self._keep_call(event)
        told: Event | None = event
        if isinstance(event, SpeechStarted | SpeechStopped | UserTurnCommitted | UserTranscript):
            told = self._names.tell(line.in_session(event))
        if isinstance(told, UserTranscript) and told.final and told.text.strip():
            self._recordings.told(told.item_id)
        if told is not None:
            self.file(told, now_s)
        return told

    def file(self, event: Event, now_s: float) -> None:
        """Write an event into the ledger, if nobody else does."""
        if self._ledger is not None:
            self._ledger.told(event, now_s)

    def cut(self, now_s: float, *, well: bool) -> list[Event]:
        """No connection serves: give the ends of what ran; `well` says that the one that did was
        alive until now."""
        self.uplink.unserved(well=well)
        if well:
            self._recordings.alive()
        events = self.owed.cut()
        for event in events:
            self.file(event, now_s)
        return events

    # To another connection

    def begin(self, line: Line, unfinished: bytes) -> None:
        """The first connection serves: it hears what the user said before, and nobody answered.

        Args:
            line: It was told the history.
            unfinished: The user's audio; if the caller marks the turns, of one that goes on.
        """
        self._know(line)
        if not unfinished:
            return
        if line.config.turn_detection is TurnDetection.CALLER:
            self.uplink.start_turn()
        self.uplink.add(unfinished)
        self.uplink.speech_started(0)
        with suppress(ConnectionLost):
            self._replay(line)

    def hand_over(self, line: Line, update: Update | None = None) -> tuple[float, list[Event]]:
        """Tell a connection that is to serve all that it must know, in order.

        What it does not understand is left out, and told as an error.

        Args:
            line: The connection.
            update: How it is to change, for it was opened before the session was changed.

        Returns:
            How much of the user's audio was sent again, in ms; and the events.
        """
        owed, uplink = self.owed, self.uplink
        # What the user has said since is answered, and nothing else.
        self._withheld = uplink.owes and owed.debt in (Debt.REST, Debt.REQUEST)
        debt = Debt.TURN if uplink.owes else owed.debt
        replayed_ms = 0.0
        errors: list[Event] = []
        self._know(line)
        # Of a line that dies again everything stays owed.
        with suppress(ConnectionLost):
            commands = self._seed(line, rest=debt is Debt.REST)
            if update is not None:
                errors += self._send(line, update)
                line.updated = True
            replayed_ms = self._replay(line)
            if debt is not Debt.NOTHING and not uplink.owes:
                commands.append(Respond())
            for command in [*commands, *owed.asides]:
                errors += self._send(line, command)
        self._held.clear()
        retold = () if line.resumes else self._recordings.names
        self._names.hand_over(sent_again=not line.resumes, retold=retold)
        uplink.served()
        return replayed_ms, errors

    def take_over(self, owed: Debt, turns: Mapping[str, bool]) -> None:
        """Take up a conversation that another session, of any kind, was serving until now.

        Args:
            owed: The answer that is due.
            turns: The turns of the user that are going to be heard again, by name, and whether
                they were told to be committed.
        """
        for name, committed in turns.items():
            self._names.expect(name, committed=committed)
        for call in waiting_calls(self.conversation.entries):
            self._keep_call(call)
        self.owed.owe(owed)

    def ask_withheld(self) -> list[Command]:
        """Give what was not asked for at the handover, once: the provider has made nothing of
        what the user said then."""
        withheld, self._withheld = self._withheld, False
        match self.owed.debt:
            case Debt.REST if withheld:
                return [SendText(text=f"[{GO_ON}]", respond=True)]
            case Debt.REQUEST if withheld:
                return [Respond()]
        return []

    def _said(self) -> tuple[HistoryItem, ...]:
        """All that was said, but what is kept as audio."""
        said = self.conversation.history(
            open_calls=True, without=self._names.unanswered, unheard=self._recordings.items()
        )
        return self._history + said

    def _seed(self, line: Line, *, rest: bool) -> list[Command]:
        """Tell what was said; give the commands that remain."""
        profile, held = line.profile, self._held
        self._strangers = set(self._calls)
        if line.resumes or not profile.history:
            return [_unasked(command) for command in held]
        told = compose(
            self._said(),
            held,
            self._calls,
            rest=rest,
            budget_tokens=self._settings.seed_tokens,
        )
        if told.items or line.seeded:
            line.seed(told.items)
            self._recordings.given()
        if profile.open_calls:
            self._strangers -= {item.id for item in told.items if isinstance(item, ToolCall)}
        return [_unasked(command) for command in told.commands]

    def _replay(self, line: Line) -> float:
        """Send the user's audio that is kept; give how much, in ms."""
        line.began_bytes = self.uplink.replay_from_bytes
        replayed_bytes = 0
        audio: list[bytes] = []
        for piece in [*self.uplink.replay(), None]:
            if isinstance(piece, bytes):
                audio.append(piece)
                continue
            replayed_bytes += self._replay_audio(line, b"".join(audio))
            audio.clear()
            if piece is not None:
                line.send(StartTurn() if piece is TurnMark.START else EndTurn())
        return self._sound.input_ms(replayed_bytes)

    def _replay_audio(self, line: Line, audio: bytes) -> int:
        """Send audio in seconds: the pieces in which it came are more than may wait."""
        second = self._sound.input_second_bytes
        for at in range(0, len(audio), second):
            line.replay_audio(audio[at : at + second])
        return len(audio)

    def _send(self, line: Line, command: Command) -> list[Event]:
        try:
            if (fitting := self.fitting(command)) is not None:
                check_command(fitting, line.config, line.profile)
                line.send(fitting)
        except SettingsError as error:
            return [ProviderError(message=str(error), severity=Severity.REQUEST)]
        return []

    def _know(self, line: Line) -> None:
        """Another model serves: what it tells of the user."""
        profile = line.profile
        self._words_come = line.config.transcribe and profile.user_transcripts
        self.owed.knows_calls, self.owed.takes_requests = profile.tools, profile.text_input
        self.uplink.speech_events = self.owed.tells_speech = profile.speech_events
        self.owed.tells_turns = profile.speech_events or profile.user_transcripts

    def _answered(self) -> None:
        names = self._names.without_words if self._words_come else ()
        if any(names):
            # A turn of which the names tell nothing is older than those of which they do.
            turns = reversed(self.uplink.taken_up())
            for name, audio in zip(reversed(names), turns, strict=False):
                if name is not None:
                    self._recordings.keep(name, audio)
        self.uplink.answered()
        self._names.answered()

    def _keep_call(self, call: ToolCall) -> None:
        self._closed.pop(call.id, None)
        self._calls[call.id] = call
        if len(self._calls) > _MOST_CALLS:
            self._strangers.discard(self._calls.popitem(last=False)[0])


def _unasked(command: Command) -> Command:
    """Whether an answer is owed is known apart from the words."""
    return replace(command, respond=False) if isinstance(command, SendText) else command


__all__ = ["Talk"]
