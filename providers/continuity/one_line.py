"""A session that lives and ends with its connection."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.ledger import Conversation
from crossfade.errors import CallerError
from crossfade.providers.commands import Command, Update
from crossfade.providers.config import SessionConfig
from crossfade.providers.connection import Statistics
from crossfade.providers.continuity.line import Line
from crossfade.providers.continuity.owed import Debt
from crossfade.providers.continuity.serving import Serving
from crossfade.providers.events import AudioChunk, Event, ResumptionHandle, SessionExpiring
from crossfade.providers.profiles import Profile
from crossfade.providers.validation import check_command

_EXPIRY_WARNING_S = 60.0


class OneLine:
    """Tells when its provider will end it, and does nothing about it.

    Args:
        line: The connection, to be opened.
        history: What was said before.
        conversation: Whoever holds the session may want it there.
    """

    def __init__(
        self,
        line: Line,
        history: Sequence[HistoryItem] = (),
        conversation: Conversation | None = None,
    ) -> None:
        self.conversation = conversation
        self._line = line
        self._connection = line.connection
        self._history = history
        self._told: deque[Event] = deque()
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def config(self) -> SessionConfig:
        return self._line.config

    @property
    def profile(self) -> Profile:
        return self._line.profile

    @property
    def serving(self) -> Serving:
        return self._line.serving

    @property
    def on_speech(self) -> Callable[[AudioChunk], bool] | None:
        return self._connection.on_speech

    @on_speech.setter
    def on_speech(self, hear: Callable[[AudioChunk], bool] | None) -> None:
        self._connection.on_speech = hear

    @property
    def waiting_messages(self) -> int:
        return self._connection.waiting_messages

    def statistics(self) -> Statistics:
        return self._connection.statistics()

    async def open(self) -> None:
        """Connect and configure the session, as `Connection.open` does."""
        self._told.extend(await self._line.open(self._history))
        if self._line.ends_s is not None:
            loop = asyncio.get_running_loop()
            warn_at_s = max(loop.time(), self._line.ends_s - _EXPIRY_WARNING_S)
            left_s = self._line.ends_s - warn_at_s
            self._expiry = loop.call_at(warn_at_s, self._expires, left_s)

    async def receive(self) -> list[Event]:
        """Wait for the next events, as `Connection.receive` does."""
        if not self._told:
            events = await self._line.receive()
            for event in events:
                if isinstance(event, ResumptionHandle):
                    self._line.note(event, asyncio.get_running_loop().time())
            return events
        events = [*self._told]
        self._told.clear()
        return events

    def ended(self) -> None:
        """The iteration ended: nothing more is told."""
        if self._expiry is not None:
            self._expiry.cancel()

    async def close(self) -> None:
        self.ended()
        await self._connection.close()

    def send_audio(self, audio: bytes, duration_ms: float) -> None:
        self._connection.send_audio(audio, duration_ms)

    async def let_audio_go(self) -> bool:
        return await self._connection.let_audio_go()

    def check(self, command: Command) -> None:
        """Find what the provider cannot do, as `check_command`."""
        check_command(command, self.config, self.profile)

    def send(self, command: Command) -> None:
        self._connection.send(command)
        if isinstance(command, Update):
            self._line.updated = True

    def user_speaks(self, speaks: bool) -> None:
        pass

    def plays(self, playing: bool) -> None:
        pass

    def stand_by(self) -> None:
        raise CallerError(
            "This session ends with its connection, so it cannot stand by. Connect with "
            "`continuity=Continuity()`."
        )

    def take_over(self, owed: Debt, turns: Mapping[str, bool]) -> None:
        self.stand_by()

    def rotate(self) -> None:
        raise CallerError(
            "This session ends with its connection, so it cannot rotate. Connect with "
            "`continuity=Continuity()`."
        )

    def unfinished_audio(self) -> bytes:
        return b""

    def _expires(self, in_s: float) -> None:
        # The provider knows better than its profile.
        if not self._connection.end_announced:
            self._told.append(SessionExpiring(in_s=in_s))
            self._connection.wake()


__all__ = ["OneLine"]
