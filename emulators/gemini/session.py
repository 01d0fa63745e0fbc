"""One client's connection: its messages in, one method each, and the ends of it."""

import logging
import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..backends.backend import Dialogue
from ..faults.moments import State
from ..faults.script import Fault, Stall
from ..line import Line
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory
from ..user_audio import UserAudio
from . import faults
from .admission import Admission
from .client_messages import CLIENT_MESSAGE
from .closes import (
    CLOSES,
    DEADLINE,
    INTERNAL,
    INVALID_ARGUMENT,
    INVALID_HANDLE,
    SESSION_NOT_FOUND,
    Close,
    Closed,
)
from .configuration import configured
from .conversation import Conversation
from .handles import Handles
from .incoming import decoded, only, only_sound, without_bytes
from .lifetime import Lifetime
from .outbox import Outbox
from .proto_json import base64, camel, checked
from .talk import Talk
from .timing import Timing
from .user_turns import RATE_HZ

logger = logging.getLogger(__name__)

_SOUND = ("realtimeInput.audio", "realtimeInput.mediaChunks")
_RESUME_CLOSES = {1007: INVALID_HANDLE, 1008: SESSION_NOT_FOUND, 1011: INTERNAL}


class Session:
    """The service's side of one connection.

    Args:
        line: Where it sends.
        admission: What the client came with.
        dialogue: Begins a conversation with the backend.
        handles: The sessions that can be resumed.
        chance: Makes ids and handles.
        models: Models served besides the service's own.
        timing: The pace.
        scorer: Makes the speech scorer of a turn detector.
        binary: Messages go out binary.
        refuse_audio: Sound is refused while the model waits for a function.
        keep_audio: Keep what the user says, for tests to look at.
    """

    def __init__(
        self,
        line: Line,
        admission: Admission,
        *,
        dialogue: Callable[[], Dialogue],
        handles: Handles,
        chance: random.Random,
        models: Collection[str],
        timing: Timing,
        scorer: ScorerFactory,
        binary: bool,
        refuse_audio: bool,
        keep_audio: bool = False,
    ) -> None:
        self.line = line
        self.failure: BaseException | None = None
        self.talk: Talk | None = None
        """What follows the setup; None before it."""
        self.user_audio = UserAudio(RATE_HZ) if keep_audio else None
        """What the user said on this connection, if it is kept; brought to 16 kHz, where it was
        not."""
        self._id = f"{chance.getrandbits(64):016x}"
        self._admission = admission
        self._new_dialogue = dialogue
        self._handles = handles
        self._chance = chance
        self._models = models
        self._timing = timing
        self._scorer = scorer
        self._refuse_audio = refuse_audio
        self._outbox = Outbox(line, binary=binary)
        self._tasks = OwnedTasks(self._fail)
        self._lifetime = Lifetime(timing, self._outbox, self._end)
        self._conversation: Conversation | None = None
        self._consumed = 0
        self._resume_close: Close | None = None
        # Faults that came before the setup.
        self._early: list[Fault] = []

    @property
    def id(self) -> str:
        return self._id

    @property
    def kept_bytes(self) -> int:
        conversation = self._conversation
        remembered = 0 if conversation is None else conversation.context.size_bytes
        kept = 0 if self.user_audio is None else self.user_audio.size_bytes
        return self.line.received.size_bytes + remembered + kept

    @property
    def conversation(self) -> Conversation:
        """What is remembered, over all connections of the session; there is none before setup."""
        assert self._conversation is not None, "the client has set nothing up"
        return self._conversation

    def start(self) -> None:
        self._lifetime.start()
        if self._admission.token is not None:
            self._lifetime.end_at(self._admission.token.seconds_left)

    def receive(self, message: str | bytes) -> None:
        self._lifetime.heard()
        try:
            self._handle(message)
            self._consumed += 1
        except Closed as closed:
            self._end(closed.close)
        except Exception as error:
            self._fail(error)

    def suffer(self, fault: Fault) -> None:
        try:
            self._suffer(fault)
        except Closed as closed:
            self._end(closed.close)

    async def close(self) -> None:
        self._lifetime.stop()
        await self._tasks.cancel()
        # With it goes the sound that is kept; sessions are remembered for tests to look at.
        self.talk = None
        if self._conversation is not None:
            self._conversation.age_s += self._lifetime.age_s
            self._handles.leave(self._conversation, self.line)

    def _end(self, close: Close) -> None:
        self.line.finish(close.code, close.reason)

    def _fail(self, error: BaseException) -> None:
        """The emulator itself is at fault: the session ends, the server goes on."""
        logger.error("session %s failed", self.id, exc_info=error)
        if self.failure is None:
            self.failure = error
        self._end(INTERNAL)

    def _handle(self, message: str | bytes) -> None:
        body = decoded(message)
        if self.talk is not None and (blob := only_sound(body)) is not None:
            # Most of what comes; it takes the shortest way.
            kind = "realtimeInput.audio"
            value: Any = {**blob, "data": base64("realtime_input.audio.data", blob["data"])}
        else:
            kind, value = self._checked(body, len(message))
        self._note(kind, value, len(message))
        if kind == "setup":
            self._set_up(value)
        elif self.talk is None:
            raise Closed(INVALID_ARGUMENT)
        else:
            self.talk.receive(kind, value)

    def _checked(self, body: dict[str, Any], size_bytes: int) -> tuple[str, Any]:
        """A message's one field, with what lies under it where that is a choice again."""
        try:
            fields = checked(CLIENT_MESSAGE, body)
            kind, value = only(fields)
            if kind == "realtimeInput":
                inner, value = only(value)
                kind = f"{kind}.{inner}"
        except Closed:
            name = camel(next(iter(body), "empty"))
            self.line.note(name, {name: "refused"}, size_bytes=size_bytes)
            raise
        return kind, value

    def _note(self, kind: str, value: Any, size_bytes: int) -> None:
        audio_bytes = 0
        if kind in _SOUND:
            chunks = value if isinstance(value, list) else [value]
            audio_bytes = sum(len(chunk.get("data", b"")) for chunk in chunks)
        shown = without_bytes(value)
        for name in reversed(kind.split(".")):
            shown = {name: shown}
        self.line.note(kind, shown, size_bytes=size_bytes, audio_bytes=audio_bytes)

    def _set_up(self, setup: Mapping[str, Any]) -> None:
        if self.talk is not None:
            raise Closed(INVALID_ARGUMENT)
        token, endpoint = self._admission.token, self._admission.endpoint
        if token is not None:
            setup = token.effective(setup)
        configuration = configured(setup, endpoint, self._models)
        if configuration.handle is not None:
            self._conversation = self._resumed(configuration.handle)
        else:
            if token is not None:
                token.open_session()
            self._conversation = Conversation(self._new_dialogue(), self.line)
        self._limit_session(self._conversation, compressed=configuration.compression is not None)
        self.talk = Talk(
            self._conversation,
            configuration,
            outbox=self._outbox,
            tasks=self._tasks,
            chance=self._chance,
            timing=self._timing,
            scorer=self._scorer,
            refuse_audio=self._refuse_audio,
            settled=self._tell_resumable,
            saw_video=self._see_video,
            refuse=lambda closed: self._end(closed.close),
            audio=self.user_audio,
        )
        self._outbox.send({"setupComplete": {"sessionId": self.id} if endpoint.vertex else {}})
        self._lifetime.set_up()
        for fault in self._early:
            self.suffer(fault)
        self.line.enter(State.IDLE)

    def _resumed(self, handle: str) -> Conversation:
        if self._resume_close is not None:
            raise Closed(self._resume_close)
        return self._handles.resume(handle, self.line)

    def _limit_session(self, conversation: Conversation, *, compressed: bool) -> None:
        if not compressed:
            self._lifetime.limit_session(conversation.age_s, video=conversation.saw_video)

    def _see_video(self) -> None:
        assert self._conversation is not None, "video comes after the setup"
        assert self.talk is not None, "video comes after the setup"
        if not self._conversation.saw_video:
            self._conversation.saw_video = True
            compressed = self.talk.configuration.compression is not None
            self._limit_session(self._conversation, compressed=compressed)

    def _tell_resumable(self, resumable: bool) -> None:
        """Give the client a handle, or tell that there is none at the moment."""
        assert self._conversation is not None, "told after the setup"
        assert self.talk is not None, "told after the setup"
        configuration = self.talk.configuration
        if not configuration.resumable or self.line.finished:
            return
        handle = self._handles.give(self._conversation, self._chance) if resumable else ""
        update: dict[str, Any] = {"newHandle": handle, "resumable": resumable}
        if configuration.transparent and resumable:
            # Protobuf writes 64 bits as text.
            update["lastConsumedClientMessageIndex"] = str(self._consumed)
        self._outbox.send({"sessionResumptionUpdate": update})

    def _suffer(self, fault: Fault) -> None:
        match fault:
            case faults.GoAway(time_left_ms=left_ms, then="close"):
                self._lifetime.go_away(left_ms / 1000)
            case faults.GoAway(time_left_ms=left_ms):
                self._lifetime.announce(left_ms / 1000)
                self.line.inject(Stall())
            case faults.Expire():
                self._end(DEADLINE)
            case faults.ServiceClose(name=name):
                self._end(CLOSES[name])
            case faults.ServerError():
                self._end(INTERNAL)
            case faults.RefuseResume(code=code):
                self._resume_close = _RESUME_CLOSES[code]
            case _ if self.talk is None:
                self._early.append(fault)
            case _:
                self.talk.suffer(fault)
