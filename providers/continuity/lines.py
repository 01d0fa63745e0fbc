"""A session's connections, one after the other: moves its streams from each to the next."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.ledger import Conversation
from crossfade.errors import ConnectionLost, CrossfadeError, SettingsError
from crossfade.providers.commands import Command, Respond, Update
from crossfade.providers.config import SessionConfig
from crossfade.providers.connection import Statistics
from crossfade.providers.continuity.causes import ends_of, line_lost, refusal_among
from crossfade.providers.continuity.counts import Counts
from crossfade.providers.continuity.floor import Floor
from crossfade.providers.continuity.keeper import Keeper
from crossfade.providers.continuity.line import Leg, Line
from crossfade.providers.continuity.owed import Debt
from crossfade.providers.continuity.rotation import Moment, Situation
from crossfade.providers.continuity.serving import Serving
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.continuity.talk import Talk
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Handover,
    ProviderError,
    RateLimits,
    ResumptionHandle,
    SessionContinued,
    SessionExpiring,
)
from crossfade.providers.profiles import Profile
from crossfade.providers.sound_format import SoundFormat
from crossfade.providers.tap import WireTap
from crossfade.providers.validation import check_command, check_config

# Whoever writes the ledger from the events has done so then.
_FILED_S = 0.02
_READ_S = 1.0
# What a provider tells that does not answer.
_HOUSEKEEPING = (ProviderError, RateLimits, ResumptionHandle, SessionExpiring)


class Lines:
    """Serves as one connection would, until none can be had any more.

    Args:
        legs: The route.
        config: What the session shall be.
        sound: What its caller sends and takes.
        first: The connection to be opened first.
        settings: When to reconnect, to rotate and to give up.
        history: What was said before.
        conversation: The ledger, if somebody else writes it.
        unfinished: Audio of the user that was not answered.
        tap: Sees every message.
    """

    def __init__(
        self,
        legs: Sequence[Leg],
        config: SessionConfig,
        sound: SoundFormat,
        first: Line,
        *,
        settings: Continuity,
        history: Sequence[HistoryItem] = (),
        conversation: Conversation | None = None,
        unfinished: bytes = b"",
        tap: WireTap | None = None,
    ) -> None:
        self.talk = Talk(settings, sound, history, conversation)
        self.on_speech: Callable[[AudioChunk], bool] | None = None
        self._legs = tuple(legs)
        self._asked = config
        self._sound = sound
        self._tap = tap
        self._unfinished = unfinished
        self._last = first
        self._serving: Line | None = None
        self._keeper = Keeper(self, settings, len(self._legs))
        self._told: deque[Event] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._read: asyncio.Future[None] | None = None
        self._end: Exception | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        self._missed: list[Update] = []
        self._unserved_since_s = 0.0
        self._floor = Floor(settings.silent_s)
        self._unfiled = False
        self._stands_by = False
        self._counts = Counts()

    # What the session's caller does

    @property
    def conversation(self) -> Conversation:
        return self.talk.conversation

    @property
    def config(self) -> SessionConfig:
        return self.config_for(self._last.place)

    @property
    def profile(self) -> Profile:
        return self._last.profile

    @property
    def serving(self) -> Serving:
        return self._last.serving

    @property
    def waiting_messages(self) -> int:
        return 0 if self._serving is None else self._serving.connection.waiting_messages

    def statistics(self) -> Statistics:
        return self._counts.with_line(self._serving)

    async def open(self) -> None:
        """Connect to the first of the route that serves.

        Raises:
            CrossfadeError: The last one does not serve either; as `Connection.open`.
        """
        history = () if self._stands_by else self.talk.whole_history()
        for place in range(len(self._legs)):
            try:
                line = self._last if place == 0 else self.line(place)
                told = line.profile.history
                events = await line.open(history if told else (), seeded=told and self._stands_by)
                break
            except Exception as error:
                if place == len(self._legs) - 1:
                    raise
                self._keeper.refused(place, error)
        self._last = self._serving = line
        line.hear(self._hear)
        self.talk.begin(line, self._unfinished)
        self._told.extend(self._understood(line, events))
        self._keeper.start()

    def stand_by(self) -> None:
        """The session is told the conversation when it takes over, and not when it is opened."""
        self._stands_by = True

    def take_over(self, owed: Debt, turns: Mapping[str, bool]) -> None:
        """Tell the line that serves what was said, and what it is to answer."""
        self.talk.take_over(owed, turns)
        self._stir()
        line, stands_by, self._stands_by = self._serving, self._stands_by, False
        if line is None:
            # Whoever follows is told.
            return
        if stands_by:
            _, errors = self.talk.hand_over(line, None)
            self._told.extend(errors)
            self._wake()
        else:
            # It follows one that died, and was told what had been said by then.
            self._keeper.rotate()
        if owed is not Debt.NOTHING:
            self._keeper.asked(Respond(), self._stir())

    async def receive(self) -> list[Event]:
        """Wait for the next events; there may be none.

        Raises:
            CrossfadeError: The session is over, and all was told before.
        """
        if not self._told:
            if self._end is not None:
                raise self._end
            await self._more()
        events = [*self._told]
        self._told.clear()
        if self._read is not None and not self._read.done():
            self._read.set_result(None)
        return events

    def ended(self) -> None:
        """The iteration ended: nothing more is told."""

    async def close(self) -> None:
        """Close all connections. Cancelled, it cuts them."""
        await self._keeper.stop()
        line, self._serving = self._serving or self._last, None
        if not line.ended:
            self.farewell(line)
        line.connection.wake()
        self._wake()
        if self._farewells:
            await asyncio.gather(*self._farewells)

    def send_audio(self, audio: bytes, duration_ms: float) -> None:
        if self.talk.uplink.add(audio) and (told := self._counts.lost(self._lost_ms)):
            self._told.extend(told)
            self._wake()
        if self._serving is not None:
            self._serving.send_audio(audio, duration_ms)

    async def let_audio_go(self) -> bool:
        return self._serving is None or await self._serving.connection.let_audio_go()

    def check(self, command: Command) -> None:
        """Find what neither the provider that serves nor the one that is preferred can do.

        Raises:
            SettingsError: As `check_command`.
        """
        try:
            check_command(command, self.config, self.profile)
        except SettingsError:
            if self._last.place == 0:
                raise
            first = self._legs[0]
            check_command(command, first.config(self._asked), first.protocol(None).profile)

    def send(self, command: Command) -> None:
        """Send a command, or keep it for the next connection. The second result of a call is
        passed over.

        Raises:
            SettingsError: The session is not configured for it, or it cannot be said.
            ConnectionLost: None serves, and too much is kept already.
        """
        if self.talk.answered_before(command):
            return
        if not self._sent(command):
            self.talk.hold(command)
            if isinstance(command, Update):
                self._missed.append(command)
        now_s = self._stir()
        if isinstance(command, Update):
            self._asked = command.applied_to(self._asked)
        self.talk.asked(command, now_s)
        self._keeper.asked(command, now_s)

    def user_speaks(self, speaks: bool) -> None:
        """The caller's own ear hears the user begin or stop to speak."""
        now_s = self._stir()
        self._floor.user_speaks(speaks, now_s)
        self.talk.user_speaks(speaks, now_s)
        self._keeper.user_speaks(speaks, now_s)

    def plays(self, playing: bool) -> None:
        self._floor.playing = playing
        self._stir()
        self._keeper.nudge()

    def rotate(self) -> None:
        self._keeper.rotate()

    def unfinished_audio(self) -> bytes:
        return self.talk.uplink.unfinished()

    # What the keeper does

    @property
    def line_serving(self) -> Line | None:
        return self._serving

    @property
    def last(self) -> Line:
        """The line that serves, or did last."""
        return self._last

    @property
    def quiet_since_s(self) -> float | None:
        """Since when nobody speaks, nothing plays and nothing is owed; None if that is not so."""
        return self._floor.quiet_since_s(self.talk.owed, self.talk.uplink)

    @property
    def user_has_floor(self) -> bool:
        """Whether the user speaks: by the caller's own ear, if it ever told."""
        return self._floor.is_users(self.talk.owed)

    def situation(self, moment: Moment) -> Situation:
        """How the conversation stands, for who decides how to move it."""
        owed, line = self.talk.owed, self._last
        speaks = self.user_has_floor or owed.user_speaks
        return Situation(
            moment=moment,
            now_s=asyncio.get_running_loop().time(),
            utterance=speaks or self.talk.uplink.owes or owed.debt is Debt.TURN,
            open_calls=bool(owed.calls),
            handle=line.handles.latest,
            last_turn_s=line.last_turn_s,
        )

    def config_for(self, place: int) -> SessionConfig:
        """What the session is to be, by all updates that were not refused, with this provider."""
        if place != self._last.place:
            return self._legs[place].config(self._asked)
        config = self._last.config
        for update in self._missed:
            config = update.applied_to(config)
        return self._legs[place].config(config) if self._missed else config

    def line(self, place: int, handle: str = "") -> Line:
        """Make a connection to a provider of the route, to be opened.

        Raises:
            SettingsError: The provider cannot be what the session is.
        """
        leg, config = self._legs[place], self.config_for(place)
        protocol = leg.protocol(handle or None)
        check_config(config, protocol.profile, ())
        return Line(leg, place, protocol, config, self._sound, tap=self._tap, resumes=bool(handle))

    def retire(self, lost: CrossfadeError | None = None) -> None:
        """The line that serves does so no more.

        Args:
            lost: What it died of; None if it is well.
        """
        line, self._serving = self._serving, None
        assert line is not None
        self._unserved_since_s = asyncio.get_running_loop().time()
        events = self._understood(line, line.drain())
        if lost is not None:
            events.append(line_lost(lost))
        ends = self.talk.cut(self._unserved_since_s, well=lost is None)
        self._unfiled = bool(ends) and not self.talk.written_here
        self._told.extend([*events, *ends])
        line.connection.wake()
        self._wake()
        self.farewell(line)

    async def filed(self) -> None:
        """Wait until whoever writes the ledger knows of the ends that were told."""
        if not self._unfiled:
            return
        loop = asyncio.get_running_loop()
        self._read = loop.create_future()
        if self._told:
            await asyncio.wait([self._read], timeout=_READ_S)
        await asyncio.sleep(_FILED_S)
        self._unfiled = False

    def serve(self, line: Line, why: Handover) -> None:
        """Let a line that is open serve from now on."""
        now_s = self._stir()
        gap_ms = (now_s - self._unserved_since_s) * 1000
        wanted = self.config_for(line.place)
        update = None
        if wanted != line.config:
            update = Update(
                instructions=wanted.instructions, tools=wanted.tools, voice=wanted.voice
            )
        replayed_ms, errors = self.talk.hand_over(line, update)
        self._stands_by = False
        self._missed.clear()
        self._last = self._serving = line
        line.hear(self._hear)
        self._counts.handed_over(why)
        continued = SessionContinued(
            why=why,
            provider=line.leg.endpoint.spec,
            session_id=line.session_id,
            resumed=line.resumes,
            open_calls=line.profile.open_calls and not line.resumes,
            gap_ms=gap_ms,
            replayed_ms=replayed_ms,
            expires_at=line.expires_at,
        )
        lost = self._counts.lost(self._lost_ms, at_once=True)
        self._told.extend([continued, *errors, *lost])
        self._wake()

    def ask_withheld(self) -> bool:
        """Ask the line that serves for what it was not asked for at the handover, if anything."""
        commands = self.talk.ask_withheld()
        return all(self._sent(command) for command in commands) and bool(commands)

    def end(self, error: Exception) -> None:
        """Nothing serves any more, nor will."""
        self._end = error
        self._wake()

    def farewell(self, line: Line) -> None:
        """Close a connection behind the session's back."""
        line.ended = True
        line.connection.on_speech = None
        self._counts.ended(line)
        task = asyncio.create_task(line.connection.close(), name="provider-farewell")
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    # What the providers do

    async def _more(self) -> None:
        line = self._serving
        if line is None:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
            return
        try:
            events = await line.receive()
        except CrossfadeError as error:
            if line is self._serving:
                self._keeper.lost(error)
            return
        if line is self._serving:
            self._tell(line, events)

    def _tell(self, line: Line, events: Sequence[Event]) -> None:
        """Tell events; a provider that will answer nobody is left like a line that died, and what
        it did not begin to answer is still owed."""
        refusal = refusal_among(events)
        if refusal is None:
            self._told.extend(self._understood(line, events))
            return
        ends = ends_of(refusal, events)
        ends = [end for end in ends if not self.talk.owed.has_begun(end.response_id)]
        self._told.extend(self._understood(line, [one for one in events if one not in ends]))
        self._keeper.lost(line.protocol.fault(refusal))
        if self._end is not None:
            self._told.extend(self._understood(line, ends))

    def _hear(self, chunk: AudioChunk) -> bool:
        """Take speech that comes while the caller waits."""
        if self.on_speech is None or self._told or not self.on_speech(chunk):
            return False
        self.talk.speech(chunk)
        self._keeper.heard()
        return True

    def _understood(self, line: Line, events: Sequence[Event]) -> list[Event]:
        """Give the events as the caller shall have them, with all that follows from them noted."""
        told: list[Event] = []
        answers = False
        for event in events:
            if not answers and not isinstance(event, _HOUSEKEEPING):
                answers = True
                self._keeper.heard()
            if isinstance(event, AudioChunk):
                self.talk.speech(event)
                told.append(event)
                continue
            now_s = self._stir()
            if isinstance(event, SessionExpiring):
                line.ends_in(event.in_s)
                self._keeper.nudge()
                continue
            line.note(event, now_s)
            if (shown := self.talk.told(line, event, now_s)) is not None:
                told.append(shown)
            self._keeper.told(event, now_s)
        return told

    def _sent(self, command: Command) -> bool:
        """Send a command, if a line takes it."""
        line = self._serving
        if line is None:
            return False
        fitting = self.talk.fitting(command)
        try:
            if fitting is not None:
                if line.place > 0:
                    check_command(fitting, line.config, line.profile)
                line.send(fitting)
                line.updated |= isinstance(command, Update)
                line.last_turn_s = asyncio.get_running_loop().time()
        except SettingsError:
            # It is for the provider that is preferred.
            return False
        except ConnectionLost:
            # Whoever reads meets the same end.
            return False
        return True

    @property
    def _lost_ms(self) -> float:
        """User audio that no connection took in time, ever."""
        return self._sound.input_ms(self.talk.uplink.lost_bytes)

    def _stir(self) -> float:
        now_s = asyncio.get_running_loop().time()
        self._floor.stirred(now_s)
        return now_s

    def _wake(self) -> None:
        """Have who waits for events look again."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if self._serving is not None:
            self._serving.connection.wake()


__all__ = ["Lines"]
