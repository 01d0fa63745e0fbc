"""One connection of a session: to which provider, configured how, with whose sound."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from crossfade.conversation.history import HistoryItem, Recording
from crossfade.conversation.tools import ToolCall
from crossfade.providers.api_key import ApiKey, resolve_key
from crossfade.providers.commands import Command
from crossfade.providers.config import SessionConfig
from crossfade.providers.connection import Connection
from crossfade.providers.continuity.item_names import UserEvent
from crossfade.providers.continuity.rotation import Handles
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.serving import Serving
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseStarted,
    ResumptionHandle,
    SessionOpened,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    UserTurnCommitted,
)
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.sound_format import SoundFormat, sound_format
from crossfade.providers.tap import WireTap

_CLOCKS_AGREE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One provider of the route, ready to be dialled."""

    endpoint: Endpoint
    api_key: ApiKey
    protocol: Callable[[str | None], WireProtocol]
    """Makes the protocol of one connection; given the handle of the session to take up."""

    def config(self, asked: SessionConfig) -> SessionConfig:
        """What the session shall be with this provider."""
        return replace(asked, **self.endpoint.changes)


class Line:
    """Opened once, closed once.

    Args:
        leg: To whom.
        place: Of that leg in the route, from 0.
        protocol: Of this connection.
        config: What the session shall be, with the leg's changes.
        sound: What the session's caller sends and takes.
        tap: Sees every message.
        resumes: Whether it takes up an earlier session of the provider.
    """

    def __init__(
        self,
        leg: Leg,
        place: int,
        protocol: WireProtocol,
        config: SessionConfig,
        sound: SoundFormat,
        *,
        tap: WireTap | None = None,
        resumes: bool = False,
    ) -> None:
        self.leg = leg
        self.place = place
        self.protocol = protocol
        self.connection = Connection(protocol, tap)
        self.resumes = resumes
        self.ended = False
        """Whether it was given up."""
        self.seeded = False
        """Whether it waits to be told what was said before."""
        self.updated = False
        """Whether what it is configured to be was changed since."""
        self.began_bytes = 0
        """Where in the session's audio its own begins."""
        self.opened_s = 0.0
        self.ends_s: float | None = None
        """When the provider will end it, on the loop's clock."""
        self.end_is_sure = False
        """Whether the provider's clock and ours agree on it."""
        self.told_to_go = False
        """Whether the provider has said that it ends it."""
        self.handles = Handles()
        self.last_turn_s: float | None = None
        """When anything last came into the conversation."""
        self.session_id = ""
        self.expires_at: float | None = None
        self._config = config
        self._sound = sound
        theirs = sound_format(config.encoding, protocol.profile)
        self._bridge = None
        self.send_audio: Callable[[bytes, float], None] = self.connection.send_audio
        """Sends audio of the user, as `Connection.send_audio` does."""
        if theirs != sound:
            # It needs numpy, which takes long to load.
            from crossfade.providers.continuity.sound_bridge import SoundBridge

            self._bridge = SoundBridge(sound, theirs)
            self.send_audio = self._send_converted

    @property
    def config(self) -> SessionConfig:
        """What it was asked to be, with all changes that were not refused."""
        return self.protocol.config if self.updated else self._config

    @property
    def profile(self) -> Profile:
        return self.protocol.profile

    @property
    def serving(self) -> Serving:
        return Serving(
            provider=self.leg.endpoint.spec,
            session_id=self.session_id,
            handle="" if self.handles.latest is None else self.handles.latest.token,
            expires_at=self.expires_at,
        )

    def hear(self, take: Callable[[AudioChunk], bool]) -> None:
        """Hand on speech as soon as it comes, where it needs no conversion."""
        if self._bridge is None:
            self.connection.on_speech = take

    async def open(
        self, history: Sequence[HistoryItem] = (), *, seeded: bool = False
    ) -> list[Event]:
        """Connect, as `Connection.open` does; `seeded` says that the history is told later."""
        self.seeded = seeded
        key = await resolve_key(self.leg.api_key, self.protocol.key_variables)
        request = self.protocol.connect_request(self.leg.endpoint.base_url, key)
        events = await self.connection.open(
            request, self._config, history, seeded=seeded, secret=key
        )
        self._opened(next(event for event in events if isinstance(event, SessionOpened)))
        for event in events:
            self.note(event, self.opened_s)
        return events

    async def receive(self) -> list[Event]:
        """Wait for the next events, as `Connection.receive` does."""
        events = await self.connection.receive()
        return events if self._bridge is None else self._bridge.down(events)

    def drain(self) -> list[Event]:
        """Give all that has arrived, for nothing more is to be received."""
        events = self.connection.drain()
        return events if self._bridge is None else self._bridge.down(events)

    def replay_audio(self, audio: bytes) -> None:
        if self._bridge is not None:
            audio = self._bridge.up(audio)
        if audio:
            self.connection.replay_audio(audio)

    def _send_converted(self, audio: bytes, duration_ms: float) -> None:
        assert self._bridge is not None
        if audio := self._bridge.up(audio):
            self.connection.send_audio(audio, duration_ms)

    def send(self, command: Command) -> None:
        self.connection.send(command)

    def seed(self, history: Sequence[HistoryItem]) -> None:
        self.connection.seed([self._heard(item) for item in history])

    def _heard(self, item: HistoryItem) -> HistoryItem:
        """Give an item as this provider hears it."""
        if self._bridge is None or not isinstance(item, Recording):
            return item
        return replace(item, audio=self._bridge.whole(item.audio))

    def in_session(self, event: UserEvent) -> UserEvent:
        """Give an event with its time in the session's audio instead of this connection's."""
        if self.began_bytes and isinstance(event, SpeechStarted | SpeechStopped):
            return replace(
                event, at_ms=round(self._sound.input_ms(self.session_bytes(event.at_ms)))
            )
        return event

    def session_bytes(self, at_ms: float) -> int:
        """Where in the session's audio a position of this connection's is."""
        sample_bytes, rate_hz = self._sound.sample_bytes, self._sound.input_rate_hz
        return self.began_bytes + round(at_ms * rate_hz / 1000) * sample_bytes

    def ends_in(self, seconds: float | None) -> None:
        """The provider said that it will end it, and when, if it said so."""
        self.told_to_go = True
        self._ends_in(seconds)

    def _ends_in(self, seconds: float | None) -> None:
        self.ends_s = asyncio.get_running_loop().time() + (seconds or 0.0)

    def note(self, event: Event, now_s: float) -> None:
        """Note what tells how its session can be taken up."""
        match event:
            case ResumptionHandle():
                self.handles.told(event, now_s)
            case (
                SpeechStarted() | UserTurnCommitted() | ResponseStarted() | TextDelta() | ToolCall()
            ):
                self.last_turn_s = now_s

    def _opened(self, event: SessionOpened) -> None:
        self.opened_s = asyncio.get_running_loop().time()
        self.session_id = event.session_id
        self.expires_at = event.expires_at
        left_s = self.profile.session_limit_s
        # Who says when it ends says by the same clock what time it is: ours may be another.
        theirs = self.connection.their_time
        now_s = theirs or time.time()
        self.end_is_sure = theirs is not None and abs(theirs - time.time()) < _CLOCKS_AGREE_S
        # A clock that puts the end of a new session into the past is not believed, nor one that
        # has it live for longer than any.
        if event.expires_at is not None and event.expires_at > now_s:
            left_s = min(event.expires_at - now_s, left_s or math.inf)
        if left_s is not None:
            self._ends_in(left_s)


__all__ = ["Leg", "Line"]
