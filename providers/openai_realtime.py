"""The wire of OpenAI Realtime, as generally available since 2025.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events and
https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.errors import ProviderFault, SettingsError
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
from crossfade.providers.events import (
    Event,
    Interruption,
    ProviderError,
    SessionOpened,
    Severity,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.openai_errors import (
    ACTIVE_RESPONSE,
    as_fault,
    classify,
    classify_close,
    malformed,
)
from crossfade.providers.openai_items import Items
from crossfade.providers.openai_output import Output
from crossfade.providers.openai_requests import (
    append_audio,
    cancel_response,
    clear_audio,
    commit_audio,
    create_item,
    create_response,
    delete_item,
    out_of_band_response,
    truncate_item,
    update_session,
)
from crossfade.providers.openai_responses import Responses
from crossfade.providers.openai_transcripts import Transcripts
from crossfade.providers.profiles import Profile, openai_profile
from crossfade.providers.protocol import ConnectRequest
from crossfade.providers.wire_json import JsonObject, child, children, decode, string, whole

_URL = "wss://api.openai.com/v1/realtime"
_SAMPLE_BYTES = 2
# The service refuses to commit less.
_SHORTEST_TURN_MS = 100


class _State(Enum):
    CONFIGURING = "configuring"
    OPEN = "open"


class OpenAIRealtimeProtocol:
    """One session with an OpenAI Realtime model. Implements `WireProtocol`.

    Args:
        model: Name of the model.
        profile: What it can do; looked up by its name if not given.
    """

    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    text_frames: ClassVar[bool] = True

    def __init__(self, model: str, profile: Profile | None = None) -> None:
        self._model = model
        self._profile = profile or openai_profile(model)
        self._state = _State.CONFIGURING
        self._service_finds_turns = True
        self._turn_bytes = 0
        self._responses = Responses()
        self._items = Items()
        self._output = Output(self._responses, self._items)
        self._transcripts = Transcripts()

    @property
    def model(self) -> str:
        return self._model

    @property
    def profile(self) -> Profile:
        return self._profile

    def connect_request(self, base_url: str | None, api_key: str) -> ConnectRequest:
        url = urlsplit(base_url or _URL)
        query = parse_qsl(url.query, keep_blank_values=True)
        if not any(name == "model" for name, _ in query):
            query.append(("model", self._model))
        return ConnectRequest(
            url=urlunsplit(url._replace(query=urlencode(query), fragment="")),
            headers={"Authorization": f"Bearer {api_key}"},
        )

    def start(self, config: SessionConfig, history: Sequence[HistoryItem] = ()) -> list[bytes]:
        self._service_finds_turns = config.turn_detection is TurnDetection.SERVER
        return [update_session(config, self._profile), *map(self._create_item, history)]

    def append_audio(self, pcm: bytes) -> bytes:
        self._turn_bytes += len(pcm)
        return append_audio(pcm)

    def send(self, command: Command) -> list[bytes]:
        match command:
            case SendText(text=text):
                return [self._create_item(Utterance(speaker=Speaker.USER, text=text))]
            case SendToolResult(result=result):
                return [self._create_item(result)]
            case Respond():
                self._responses.ask()
            case Say(text=text):
                self._responses.ask(out_of_band_response(text))
            case Interrupt(played_ms=played_ms):
                return self._interrupt(played_ms)
            case StartTurn():
                return self._start_turn()
            case EndTurn():
                return self._end_turn()
        return self._next_response()

    def receive(self, message: str | bytes) -> list[Event]:
        fields = decode(message)
        if fields is None:
            return [malformed("a message that is no JSON object")]
        kind = string(fields, "type")
        read = _READERS.get(kind)
        return self._output.receive(kind, fields) if read is None else read(self, fields)

    def replies(self) -> list[bytes]:
        return self._output.replies() + self._next_response()

    def closed(self, close_code: int) -> ProviderError | None:
        return classify_close(close_code)

    def fault(self, error: ProviderError) -> ProviderFault:
        return as_fault(error, self._model, self.key_variable)

    def _create_item(self, item: HistoryItem) -> bytes:
        message = create_item(item)
        self._responses.item_sent()
        return message

    def _start_turn(self) -> list[bytes]:
        self._check_caller_marks_turns()
        self._responses.user_speaks()
        self._turn_bytes = 0
        return [clear_audio()]

    def _end_turn(self) -> list[bytes]:
        self._check_caller_marks_turns()
        self._responses.floor_free()
        messages = []
        if self._turn_bytes * 1000 >= _SHORTEST_TURN_MS * self._bytes_per_s_in:
            messages.append(commit_audio())
            self._responses.ask()
        self._turn_bytes = 0
        return messages + self._next_response()

    def _check_caller_marks_turns(self) -> None:
        if self._service_finds_turns:
            raise SettingsError(
                "The provider finds the user's turns in this session. To mark them yourself, "
                "use SessionConfig(turn_detection=TurnDetection.CALLER)."
            )

    def _interrupt(self, played_ms: Mapping[str, float]) -> list[bytes]:
        messages = [cancel_response(response.id) for response in self._responses.interrupt()]
        if not self._profile.truncation:
            return messages
        for item_id, played in played_ms.items():
            item = self._items.get(item_id)
            # What was said outside the conversation is no item of it.
            if item is None or item.injected or item.settled:
                continue
            received = item.received_ms(self._profile.output_rate_hz)
            if item.done and played >= received:
                continue
            heard_ms = int(min(max(0.0, played), received))
            messages.append(truncate_item(item_id, heard_ms) if heard_ms else delete_item(item_id))
            item.settled = True
        return messages

    def _next_response(self) -> list[bytes]:
        request = self._responses.next_request()
        return [] if request is None else [create_response(request.event_id, request.body)]

    @property
    def _bytes_per_s_in(self) -> int:
        return _SAMPLE_BYTES * self._profile.input_rate_hz

    # Messages about the session and the user; Output reads those about the agent

    def _on_session_updated(self, fields: JsonObject) -> list[Event]:
        if self._state is _State.OPEN:
            return []
        self._state = _State.OPEN
        session = child(fields, "session")
        return [
            SessionOpened(
                session_id=string(session, "id"),
                model=string(session, "model") or self._model,
                expires_at=float(whole(session, "expires_at")) or None,
            )
        ]

    def _on_error(self, fields: JsonObject) -> list[Event]:
        body = child(fields, "error")
        error = classify(body)
        self._responses.refuse(string(body, "event_id"), active=error.code == ACTIVE_RESPONSE)
        if error.severity is not Severity.HARMLESS:
            self._responses.answer_doubtful()
        return [error]

    def _on_speech_started(self, fields: JsonObject) -> list[Event]:
        events: list[Event] = [
            SpeechStarted(item_id=string(fields, "item_id"), at_ms=whole(fields, "audio_start_ms"))
        ]
        if self._service_finds_turns:
            self._responses.user_speaks()
            for response in self._responses:
                # The service cuts what belongs to the conversation, and nothing else.
                if not response.cut and not response.injected:
                    response.cut = True
                    events.append(Interruption(response_id=response.id))
        return events

    def _on_speech_stopped(self, fields: JsonObject) -> list[Event]:
        if self._service_finds_turns:
            self._responses.answer_due()
        return [
            SpeechStopped(item_id=string(fields, "item_id"), at_ms=whole(fields, "audio_end_ms"))
        ]

    def _on_committed(self, fields: JsonObject) -> list[Event]:
        if self._service_finds_turns:
            self._responses.answer_due()
        return [UserTurnCommitted(item_id=string(fields, "item_id"))]

    def _on_cleared(self, fields: JsonObject) -> list[Event]:
        if self._service_finds_turns:
            self._responses.floor_free()
        return []

    def _on_item_added(self, fields: JsonObject) -> list[Event]:
        item = child(fields, "item")
        part = next(iter(children(item, "content")), {})
        # What the user spoke and what the agent says are items too, but not sent by us.
        if string(item, "type") == "function_call_output" or string(part, "type") == "input_text":
            self._responses.item_arrived()
        return []

    def _on_transcription_delta(self, fields: JsonObject) -> list[Event]:
        item_id = string(fields, "item_id")
        text = self._transcripts.add(item_id, string(fields, "delta"))
        return [UserTranscript(item_id=item_id, text=text, final=False)] if text else []

    def _on_transcription_completed(self, fields: JsonObject) -> list[Event]:
        return self._final_transcript(fields, string(fields, "transcript").strip())

    def _on_transcription_failed(self, fields: JsonObject) -> list[Event]:
        return [*self._final_transcript(fields, ""), classify(child(fields, "error"))]

    def _final_transcript(self, fields: JsonObject, text: str) -> list[Event]:
        item_id = string(fields, "item_id")
        self._transcripts.forget(item_id)
        return [UserTranscript(item_id=item_id, text=text, final=True)]


_TRANSCRIPTION = "conversation.item.input_audio_transcription"
_READERS: Mapping[str, Callable[[OpenAIRealtimeProtocol, JsonObject], list[Event]]] = {
    "session.updated": OpenAIRealtimeProtocol._on_session_updated,
    "error": OpenAIRealtimeProtocol._on_error,
    "input_audio_buffer.speech_started": OpenAIRealtimeProtocol._on_speech_started,
    "input_audio_buffer.speech_stopped": OpenAIRealtimeProtocol._on_speech_stopped,
    "input_audio_buffer.committed": OpenAIRealtimeProtocol._on_committed,
    "input_audio_buffer.cleared": OpenAIRealtimeProtocol._on_cleared,
    "conversation.item.added": OpenAIRealtimeProtocol._on_item_added,
    f"{_TRANSCRIPTION}.delta": OpenAIRealtimeProtocol._on_transcription_delta,
    f"{_TRANSCRIPTION}.completed": OpenAIRealtimeProtocol._on_transcription_completed,
    f"{_TRANSCRIPTION}.failed": OpenAIRealtimeProtocol._on_transcription_failed,
}

__all__ = ["OpenAIRealtimeProtocol"]
