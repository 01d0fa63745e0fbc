"""One client's session: its events in, one method each, and the ends of its connection."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import orjson

from ..backends.backend import Dialogue
from ..faults.moments import State
from ..faults.script import Fault
from ..line import Line
from ..received import Received
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory
from .answers import Answers
from .configuration import Configuration
from .conversation import Conversation
from .errors import (
    RequestRefused,
    SessionRefused,
    error_event,
    invalid_value,
)
from .identifiers import Identifiers
from .items import decoded_audio
from .outbox import Outbox
from .response_settings import ResponseSettings, check_response
from .timing import Timing
from .user_turns import UserTurns
from .validation import (
    Check,
    anything,
    integer,
    mapping,
    nullable,
    record,
    text,
)

logger = logging.getLogger(__name__)

APPEND_LIMIT_BYTES = 15 * 1024 * 1024
_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011

ClientEvent = dict[str, Any]


def _event(required: dict[str, Check] | None = None, **optional: Check) -> Check:
    fields = {"type": text, "event_id": text, **(required or {}), **optional}
    return record(fields, required=list(required or ()))


CLIENT_EVENTS: dict[str, Check] = {
    # What lies under `session` and `item` is checked where it is used.
    "session.update": _event({"session": mapping}),
    "input_audio_buffer.append": _event({"audio": text}),
    "input_audio_buffer.commit": _event(),
    "input_audio_buffer.clear": _event(),
    "conversation.item.create": _event({"item": anything}, previous_item_id=nullable(text)),
    "conversation.item.retrieve": _event({"item_id": text}),
    "conversation.item.truncate": _event(
        {"item_id": text, "content_index": integer(0), "audio_end_ms": integer(0)}
    ),
    "conversation.item.delete": _event({"item_id": text}),
    "response.create": _event(response=nullable(check_response)),
    "response.cancel": _event(response_id=nullable(text)),
}
"""The events of a client, each with the check of its fields."""


class Session:
    """The service's side of one connection.

    Args:
        line: Where it sends.
        configuration: What the session starts with.
        dialogue: Who hears and answers.
        identifiers: Makes ids.
        timing: The pace.
        scorer: Makes the speech scorer of a turn detector.
    """

    def __init__(
        self,
        line: Line,
        configuration: Configuration,
        dialogue: Dialogue,
        *,
        identifiers: Identifiers,
        timing: Timing,
        scorer: ScorerFactory,
    ) -> None:
        self.line = line
        self.configuration = configuration
        self.failure: BaseException | None = None
        """The error of the emulator itself that ended the session, if one did."""
        self.conversation = Conversation(identifiers)
        self._dialogue = dialogue
        self._timing = timing
        self._expiry: asyncio.TimerHandle | None = None
        self._outbox = Outbox(line, identifiers)
        self._tasks = OwnedTasks(self._fail)
        self._turns = UserTurns(
            self.conversation,
            dialogue,
            identifiers=identifiers,
            outbox=self._outbox,
            tasks=self._tasks,
            timing=timing,
            scorer=scorer,
            interrupted=self._interrupt,
            answer=self._answer_turn,
            settled=self._settle,
        )
        self._answers = Answers(
            self.conversation,
            dialogue,
            self._turns.heard,
            identifiers=identifiers,
            outbox=self._outbox,
            tasks=self._tasks,
            timing=timing,
            settled=self._settle,
        )
        self._handlers: dict[str, Callable[[ClientEvent], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": lambda _: self._turns.commit(),
            "input_audio_buffer.clear": lambda _: self._turns.clear(),
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "conversation.item.delete": self._delete_item,
            "response.create": self._create_response,
            "response.cancel": lambda event: self._answers.cancel(event.get("response_id")),
        }

    @property
    def id(self) -> str:
        return str(self.configuration.session["id"])

    @property
    def received(self) -> Received:
        """What the client sent, in order."""
        return self.line.received

    def start(self) -> None:
        self._turns.configure(self.configuration)
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(self._timing.session_seconds, self._expire)
        self._tell_configuration("session.created")

    async def close(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        await self._tasks.cancel()
        await self._dialogue.close()

    def suffer(self, fault: Fault) -> None:
        raise NotImplementedError(fault)

    def receive(self, message: str | bytes) -> None:
        """Handle one message of the client; what is wrong with it becomes an error event."""
        event_id = None
        try:
            event = _decoded(message)
            event_id = event.get("event_id")
            self._handle(event, len(message))
        except SessionRefused as refusal:
            self._refuse(refusal)
        except RequestRefused as refusal:
            self._tell_error(refusal, event_id if isinstance(event_id, str) else None)
        except Exception as error:
            self._fail(error)

    def _handle(self, event: ClientEvent, size_bytes: int) -> None:
        type = event["type"]
        self._note(str(type), event, size_bytes)
        if not isinstance(type, str) or type not in CLIENT_EVENTS:
            raise invalid_value("type", type, list(CLIENT_EVENTS))
        CLIENT_EVENTS[type]("", event)
        self._handlers[type](event)

    def _note(self, type: str, event: ClientEvent, size_bytes: int) -> None:
        audio_bytes = 0
        if type == "input_audio_buffer.append" and isinstance(event.get("audio"), str):
            # Without its padding, base64 is four characters for three bytes.
            audio_bytes = len(event["audio"].rstrip("=")) * 3 // 4
            event = {name: value for name, value in event.items() if name != "audio"}
        self.line.note(type, event, size_bytes=size_bytes, audio_bytes=audio_bytes)

    def _tell_error(self, refusal: RequestRefused, event_id: str | None) -> None:
        event = error_event(
            refusal.message, code=refusal.code, param=refusal.param, event_id=event_id
        )
        self._outbox.send([event])

    def _refuse(self, refusal: SessionRefused) -> None:
        self._tell_error(refusal, None)
        self.line.finish(refusal.close_code, refusal.close_reason)

    def _expire(self) -> None:
        minutes = self._timing.session_seconds / 60
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        self._refuse(
            SessionRefused(
                message, code="session_expired", close_code=_GOING_AWAY, close_reason=message
            )
        )

    def _fail(self, error: BaseException) -> None:
        """The emulator itself is at fault: the session ends, the server goes on."""
        logger.error("session %s failed", self.id, exc_info=error)
        if self.failure is None:
            self.failure = error
        message = "The server had an error while processing your request."
        self._outbox.send([error_event(message, type="server_error")])
        self.line.finish(_INTERNAL_ERROR, "server_error")

    def _tell_configuration(self, type: str) -> None:
        self._outbox.send([{"type": type, "session": self.configuration.session}])

    def _update(self, event: ClientEvent) -> None:
        self.configuration = self.configuration.updated(
            event["session"], voice_locked=self.conversation.has_assistant_audio
        )
        self._turns.configure(self.configuration)
        if "tools" in event["session"]:
            self._dialogue.configure(self.configuration.tools)
        self._tell_configuration("session.updated")

    def _append(self, event: ClientEvent) -> None:
        pcm = decoded_audio("audio", event["audio"])
        if len(pcm) > APPEND_LIMIT_BYTES:
            raise RequestRefused(
                f"Invalid 'audio': expected at most {APPEND_LIMIT_BYTES} bytes, got {len(pcm)}.",
                code="invalid_value",
                param="audio",
            )
        self._turns.append(pcm)

    def _create_item(self, event: ClientEvent) -> None:
        _, events = self.conversation.create(event["item"], event.get("previous_item_id"))
        self._outbox.send(events)

    def _retrieve_item(self, event: ClientEvent) -> None:
        self._outbox.send(self.conversation.retrieve(event["item_id"]))

    def _truncate_item(self, event: ClientEvent) -> None:
        id, index, end_ms = event["item_id"], event["content_index"], event["audio_end_ms"]
        self._outbox.send(self.conversation.truncate(id, index, end_ms))

    def _delete_item(self, event: ClientEvent) -> None:
        self._outbox.send(self.conversation.delete(event["item_id"]))

    def _create_response(self, event: ClientEvent) -> None:
        request = event.get("response") or {}
        self._answers.create(ResponseSettings.of(self.configuration.session, request))

    def _settle(self) -> None:
        """Nothing is being generated, and nothing shall be by itself."""
        if self._turns.speaking or self._answers.active:
            return
        pending = self.conversation.pending_calls()
        self.line.enter(State.TOOL_PENDING if pending else State.IDLE)

    def _interrupt(self) -> None:
        self._answers.interrupt()

    def _answer_turn(self) -> None:
        """Answer the user's turn that the detector found to be over."""
        try:
            self._answers.create(ResponseSettings.of(self.configuration.session, {}))
        except RequestRefused as refusal:
            self._tell_error(refusal, None)


def _decoded(message: str | bytes) -> ClientEvent:
    """The event of a message.

    Raises:
        RequestRefused: The message is no JSON object with a type.
    """
    if isinstance(message, bytes):
        raise RequestRefused(
            "Expected a text WebSocket message; binary frames are not supported.",
            code="invalid_event",
        )
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise RequestRefused(
            "Invalid event: failed to parse JSON value.", code="invalid_json"
        ) from error
    if not isinstance(event, dict) or "type" not in event:
        raise RequestRefused("The 'type' field is missing.", code="invalid_event")
    return event
