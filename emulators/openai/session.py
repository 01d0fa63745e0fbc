"""One client's session: its events in, one method each, and the ends of its connection."""

import asyncio
import logging
from collections.abc import Callable

from ..backends.backend import Dialogue
from ..faults.moments import State
from ..faults.script import Fault
from ..line import Line
from ..received import Received
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory
from ..user_audio import UserAudio
from .answers import Answers
from .behaviour import Behaviour
from .client_events import CLIENT_EVENTS, ClientEvent, decoded, without_media
from .configuration import Configuration, reasons
from .context import ContextWindow
from .conversation import Conversation, told_by
from .dialect import Dialect
from .errors import RequestRefused, SessionRefused, error_event, invalid_value
from .faults import general_fault
from .identifiers import Identifiers
from .item_checks import decoded_audio
from .items import Item
from .outbox import Outbox
from .response import Response
from .response_settings import ResponseSettings
from .sound_formats import PCM
from .suffering import Sufferer
from .timing import Timing
from .transcripts import Transcripts
from .user_turns import UserTurns

logger = logging.getLogger(__name__)

APPEND_LIMIT_BYTES = 15 * 1024 * 1024
_APPEND = "input_audio_buffer.append"
_APPENDED = {"type": _APPEND}
_LISTING = ("in_progress", "failed")
_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011


class Session:
    """The service's side of one connection.

    Args:
        line: Where it sends.
        configuration: What the session starts with.
        dialogue: Who hears and answers.
        identifiers: Makes ids.
        dialect: What the client speaks.
        timing: The pace.
        behaviour: Which of its ways the service takes.
        scorer: Makes the speech scorer of a turn detector.
        keep_audio: Keep what the user says, for tests to look at.
    """

    def __init__(
        self,
        line: Line,
        configuration: Configuration,
        dialogue: Dialogue,
        *,
        identifiers: Identifiers,
        dialect: Dialect,
        timing: Timing,
        behaviour: Behaviour,
        scorer: ScorerFactory,
        keep_audio: bool = False,
    ) -> None:
        self.line = line
        self.configuration = configuration
        self.failure: BaseException | None = None
        """The error of the emulator itself that ended the session, if one did."""
        self.conversation = Conversation(identifiers)
        self.user_audio = UserAudio(PCM.rate_hz) if keep_audio else None
        """What the user said, if it is kept; of 24 kHz, where that is what was sent."""
        self._dialogue = dialogue
        self._identifiers = identifiers
        self._dialect = dialect
        self._timing = timing
        self._expiry: asyncio.TimerHandle | None = None
        self._kept_bytes = 0
        self._outbox = Outbox(line, identifiers, dialect)
        self._tasks = OwnedTasks(self._fail)
        self._transcripts = Transcripts(
            self.conversation,
            dialogue,
            identifiers=identifiers,
            outbox=self._outbox,
            tasks=self._tasks,
            timing=timing,
            behaviour=behaviour,
        )
        self._turns = UserTurns(
            self.conversation,
            self._transcripts,
            identifiers=identifiers,
            outbox=self._outbox,
            tasks=self._tasks,
            behaviour=behaviour,
            scorer=scorer,
            interrupted=self._interrupt,
            answer=self.answer_turn,
            settled=self._settle,
            audio=self.user_audio,
        )
        self._answers = Answers(
            self.conversation,
            dialogue,
            self._transcripts.heard,
            identifiers=identifiers,
            outbox=self._outbox,
            tasks=self._tasks,
            timing=timing,
            behaviour=behaviour,
            window=ContextWindow(large=reasons(configuration.model)),
            began=self._turns.end_idling,
            ended=self._response_ended,
            answered=None if self.user_audio is None else self.user_audio.answered,
        )
        self._sufferer = Sufferer(
            self._answers,
            self._transcripts,
            self._outbox,
            steal=self.answer_turn,
            expire=self._expire,
        )
        self._handlers: dict[str, Callable[[ClientEvent], None]] = {
            "session.update": self._update,
            _APPEND: self._append,
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

    @property
    def kept_bytes(self) -> int:
        return self._kept_bytes + (0 if self.user_audio is None else self.user_audio.size_bytes)

    def start(self) -> None:
        self._turns.configure(self.configuration)
        if self.configuration.tools:
            self._dialogue.configure(self.configuration.tools)
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(self._timing.session_seconds, self._expire)
        self._tell_configuration("session.created")
        if self._dialect.announces_conversation:
            conversation = {"id": self.conversation.id, "object": "realtime.conversation"}
            self._outbox.send([{"type": "conversation.created", "conversation": conversation}])
        self._list_mcp_tools(self.configuration.mcp_servers)
        self.line.enter(State.IDLE)

    async def close(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._turns.close()
        await self._tasks.cancel()
        await self._dialogue.close()
        self.conversation.close()
        self._kept_bytes = self.received.size_bytes + self.conversation.size_bytes

    def suffer(self, fault: Fault) -> None:
        general = general_fault(fault, self._dialect.type_of("response.output_audio.delta"))
        if general is not None:
            self.line.inject(general)
        else:
            self._sufferer.suffer(fault)

    def receive(self, message: str | bytes) -> None:
        """Handle one message of the client; what is wrong with it becomes an error event."""
        event_id = None
        try:
            event = decoded(message)
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
        if len(event) == 2 and type == _APPEND and isinstance(audio := event.get("audio"), str):
            # Most of what comes; it takes the shortest way.
            sound_bytes = len(audio.rstrip("=")) * 3 // 4
            self.line.note(_APPEND, _APPENDED, size_bytes=size_bytes, audio_bytes=sound_bytes)
            self._append(event)
            return
        noted, audio_bytes = without_media(event)
        self.line.note(str(type), noted, size_bytes=size_bytes, audio_bytes=audio_bytes)
        if not isinstance(type, str) or type not in CLIENT_EVENTS:
            raise invalid_value("type", type, list(CLIENT_EVENTS))
        event = self._dialect.incoming(event)
        try:
            CLIENT_EVENTS[type]("", event)
            self._handlers[type](event)
        except RequestRefused as refused:
            raise self._dialect.refusal(refused) from refused

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
        known = self.configuration.mcp_servers
        self.configuration = self.configuration.updated(
            event["session"], voice_locked=self.conversation.has_assistant_audio
        )
        self._turns.configure(self.configuration)
        if "tools" in event["session"]:
            self._dialogue.configure(self.configuration.tools)
        self._tell_configuration("session.updated")
        new = [name for name in self.configuration.mcp_servers if name not in known]
        self._list_mcp_tools(new)

    def _list_mcp_tools(self, servers: list[str]) -> None:
        """Say of each MCP server that its tools cannot be listed: nobody here reaches it."""
        for server in servers:
            id = self._identifiers.new("mcpl")
            item = Item({"id": id, "type": "mcp_list_tools", "server_label": server, "tools": []})
            added = self.conversation.append(item)
            listing = [{"type": f"mcp_list_tools.{end}", "item_id": id} for end in _LISTING]
            self._outbox.send([added, *listing, self.conversation.done(item)])

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
        item, events = self.conversation.create(
            event["item"], event.get("previous_item_id"), self.configuration.input_format
        )
        for who, text in told_by(item):
            self._dialogue.told(who, text)
        self._outbox.send(events)

    def _retrieve_item(self, event: ClientEvent) -> None:
        self._outbox.send(self.conversation.retrieve(event["item_id"]))

    def _truncate_item(self, event: ClientEvent) -> None:
        id, index, end_ms = event["item_id"], event["content_index"], event["audio_end_ms"]
        self._outbox.send(self.conversation.truncate(id, index, end_ms))

    def _delete_item(self, event: ClientEvent) -> None:
        self._outbox.send(self.conversation.delete(event["item_id"]))

    def _create_response(self, event: ClientEvent) -> None:
        if self.configuration.transcribes_only:
            raise RequestRefused(
                "A transcription session makes no responses.", code="invalid_value", param="type"
            )
        request = event.get("response") or {}
        self.configuration.check_model(request, "response")
        self.configuration.check_voice(request, voice_locked=self.conversation.has_assistant_audio)
        settings = ResponseSettings.of(self.configuration.session, request)
        self._answers.create(settings, self.configuration)

    def _response_ended(self, response: Response) -> None:
        """No response of the conversation runs any more."""
        self._turns.idle_after(response.spoken_ms)
        self._settle()

    def _settle(self) -> None:
        """Nothing is being generated, and nothing shall be by itself."""
        if self._turns.speaking or self._answers.active:
            return
        pending = self.conversation.pending_calls()
        self.line.enter(State.TOOL_PENDING if pending else State.IDLE)

    def _interrupt(self) -> None:
        self._answers.interrupt()

    def answer_turn(self) -> None:
        """Answer what the user said last, without being asked by the client."""
        settings = ResponseSettings.of(self.configuration.session, {})
        try:
            self._answers.create(settings, self.configuration)
        except RequestRefused as refusal:
            self._tell_error(refusal, None)
