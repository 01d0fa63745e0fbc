"""The wire of OpenAI Realtime, as generally available since 2025.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events and
https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import ClassVar

from crossfade.conversation.history import HistoryItem, Recording, Speaker, Utterance
from crossfade.conversation.tools import ToolResult
from crossfade.errors import ProviderFault, SettingsError
from crossfade.providers.awaited_tools import AwaitedTools
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
from crossfade.providers.config import Modality, SessionConfig
from crossfade.providers.events import Event, ProviderError, SessionOpened, Severity
from crossfade.providers.malformed import malformed
from crossfade.providers.openai_changes import Changes
from crossfade.providers.openai_dialects import Dialect, find_dialect
from crossfade.providers.openai_endpoint import check_endpoint, connect_request
from crossfade.providers.openai_errors import (
    as_fault,
    classify,
    classify_close,
    may_concern_response,
    may_concern_session,
    meets_active,
    meets_none,
    names_item,
    refuses_session,
)
from crossfade.providers.openai_input import Input
from crossfade.providers.openai_items import Items
from crossfade.providers.openai_output import AUDIO_DELTA, Output
from crossfade.providers.openai_playout import Playout
from crossfade.providers.openai_requests import (
    OWN_IDS,
    append_audio,
    cancel_response,
    cancelled_response,
    clear_audio,
    commit_audio,
    conversation_item,
    create_item,
    create_response,
    delete_item,
    image_item,
    out_of_band_response,
    partial_result_item,
    truncate_item,
)
from crossfade.providers.openai_responses import Responses
from crossfade.providers.openai_retold import Retold, is_retold
from crossfade.providers.openai_seed import open_calls, seed_items
from crossfade.providers.openai_sent_items import SentItems
from crossfade.providers.openai_session import CONFIGURES, change, configure, listen, recogniser
from crossfade.providers.openai_speech import SpeechLike
from crossfade.providers.openai_usage import read_limits
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import ConnectRequest
from crossfade.providers.sound_format import sound_format
from crossfade.providers.wire_json import JsonObject, child, decode, string, whole

# The service refuses to commit less.
_SHORTEST_TURN_MS = 100


class _State(Enum):
    CONFIGURING = "configuring"
    OPEN = "open"


class OpenAIRealtimeProtocol:
    """One session with a model behind OpenAI's protocol. Implements `WireProtocol`.

    Args:
        model: Name of the model, or of its deployment.
        dialect: How the server spells the protocol; OpenAI's own if not given.
    """

    text_frames: ClassVar[bool] = True
    keepalive_s: ClassVar[float | None] = None

    def __init__(self, model: str, dialect: Dialect | None = None) -> None:
        self._model = model
        self._dialect = dialect or find_dialect(None)
        self._profile = self._dialect.profile(model)
        self._state = _State.CONFIGURING
        self._changes = Changes()
        self._sound = sound_format(self.config.encoding, self._profile)
        self._turn_from_bytes = 0
        self._sent_items = SentItems()
        self._responses = Responses(self._sent_items)
        self._items = Items(self._sound)
        self._playout = Playout(self._sound)
        self._retold = Retold()
        self._input = Input(self._responses, self._sent_items, self._playout, self._retold)
        self._tools = AwaitedTools()
        self._output = Output(
            self._responses,
            self._items,
            self._playout,
            self._tools,
            deletes=self._profile.truncation,
        )
        self._speech = SpeechLike()

    @property
    def key_variables(self) -> Sequence[str]:
        return self._dialect.key_variables

    @property
    def model(self) -> str:
        return self._model

    @property
    def profile(self) -> Profile:
        return self._profile

    @property
    def config(self) -> SessionConfig:
        return self._changes.config

    @property
    def dropped_audio_ms(self) -> float:
        return 0.0

    def preparation(self) -> None:
        return None

    def connect_request(self, base_url: str | None, api_key: str) -> ConnectRequest:
        return connect_request(self._dialect, self._model, base_url, api_key)

    def start(self, config: SessionConfig, *, seeded: bool = False) -> list[bytes]:
        self._changes.begin(config)
        sound = sound_format(config.encoding, self._profile)
        self._sound = self._items.sound = self._playout.sound = sound
        self._input.configure(config, recogniser(config, self._dialect))
        return [configure(config, self._profile, self._dialect)]

    def seed(self, history: Sequence[HistoryItem]) -> list[bytes]:
        items = seed_items(history, self._profile)
        for call_id in open_calls(items):
            self._tools.call(call_id)
        if not self.config.transcribe or not any(is_retold(item, self._sound) for item in items):
            return [self._create_item(item) for item in items]
        messages = [self._listen(turns=False)]
        for item in items:
            if isinstance(item, Recording) and is_retold(item, self._sound):
                messages += self._retold.send(item, self._sound)
            else:
                messages.append(self._create_item(item))
        self._retold.end(self._changes.next_name)
        return [*messages, self._listen(turns=True)]

    def append_audio(self, pcm: bytes) -> bytes:
        self._playout.heard_bytes += len(pcm)
        return append_audio(pcm)

    def send(self, command: Command) -> list[bytes]:
        match command:
            case SendText(text=text, respond=respond):
                message = self._create_item(Utterance(speaker=Speaker.USER, text=text))
                if not respond:
                    return [message]
                self._responses.user_writes()
                self._responses.ask()
                return [message, *self._next_response()]
            case SendImage(data=data, media_type=media_type):
                return [self._send_item(image_item(data, media_type))]
            case SendToolResult():
                return [self._answer_call(command)]
            case Update():
                return self._change(command)
            case Respond():
                self._responses.ask()
            case Say(text=text, label=label):
                self._responses.ask(self._aside(f'Say exactly: "{text}"', ""), label=label)
            case RespondAside(label=label):
                body = self._aside(command.instructions, command.text, command.modality)
                request = self._responses.ask_aside(body, label)
                return [create_response(request.event_id, body)]
            case Interrupt(played_ms=played_ms):
                return self._interrupt(played_ms)
            case StartTurn():
                return self._start_turn()
            case EndTurn():
                return self._end_turn()
        return self._next_response()

    def receive(self, message: str | bytes) -> list[Event]:
        if type(message) is bytes and (sound := self._speech.sound(message)) is not None:
            events = self._output.speak_on(self._speech.response_id, self._speech.item_id, sound)
            if events is not None:
                return events
        fields = decode(message)
        if fields is None:
            return [malformed("a message that is no JSON object")]
        kind = string(fields, "type")
        kind = self._dialect.event_names.get(kind, kind)
        if kind == AUDIO_DELTA:
            if type(message) is bytes:
                self._speech.learn(message, fields)
            return self._output.receive(kind, fields)
        if kind == "session.updated":
            return self._on_session_updated(fields)
        if kind == "error":
            return self._on_error(fields)
        if kind == "rate_limits.updated":
            return read_limits(fields)
        heard = self._input.receive(kind, fields)
        return self._output.receive(kind, fields) if heard is None else heard

    def replies(self) -> list[bytes]:
        if not (self._output.due or self._responses.held):
            return []
        return self._output.replies() + self._next_response()

    def ended(self) -> list[Event]:
        return self._input.ended()

    def keepalive(self) -> list[bytes]:
        return []

    def closed(self, close_code: int, reason: str) -> ProviderError | None:
        return classify_close(close_code, reason)

    def fault(self, error: ProviderError) -> ProviderFault:
        return as_fault(error, self._model, self._dialect)

    def _listen(self, *, turns: bool) -> bytes:
        message = listen(self.config, self._dialect, self._changes.next_name, turns=turns)
        # It changes nothing that anybody asked for, and is confirmed like all else.
        self._changes.send(Update())
        return message

    def _create_item(self, item: HistoryItem) -> bytes:
        return self._send_item(conversation_item(item, self._dialect))

    def _send_item(self, item: JsonObject) -> bytes:
        message = create_item(item, self._sent_items.next_name)
        self._sent_items.send(item)
        return message

    def _answer_call(self, command: SendToolResult) -> bytes:
        result = command.result
        if not command.final:
            return self._tell_part(result)
        answer = self._create_item(result)
        self._tools.answer(result.call_id, silent=command.delivery is Delivery.SILENT)
        return answer

    def _tell_part(self, result: ToolResult) -> bytes:
        return self._send_item(partial_result_item(result))

    def _aside(
        self, instructions: str, text: str | None, modality: Modality | None = None
    ) -> JsonObject:
        modality = modality or self.config.modality
        return out_of_band_response(instructions, text, modality, self._dialect)

    def _change(self, update: Update) -> list[bytes]:
        """Send what differs: a voice that is named again after it has spoken is refused."""
        now = self.config
        voice = self._profile.own_voice(update.voice)
        if voice is not None and self._items.spoken:
            if voice != self._profile.own_voice(now.voice):
                raise SettingsError(
                    "The voice cannot be changed any more: the agent has spoken in this session."
                )
            update = replace(update, voice=None)
        same = {
            "instructions": update.instructions == now.instructions,
            "tools": list(update.tools or ()) == list(now.tools),
            "voice": voice == self._profile.own_voice(now.voice),
        }
        known = [field for field, holds in same.items() if holds]
        news = replace(
            update, **{field: None for field in known if not self._changes.doubtful(field)}
        )
        if news == Update():
            return []
        message = change(news, self._profile, self._dialect, self._changes.next_name)
        self._changes.send(news)
        return [message]

    def _start_turn(self) -> list[bytes]:
        self._responses.turn_marked()
        self._turn_from_bytes = self._playout.heard_bytes
        return [clear_audio()]

    def _end_turn(self) -> list[bytes]:
        self._responses.floor_free()
        messages = []
        turn_bytes = self._playout.heard_bytes - self._turn_from_bytes
        if self._sound.input_ms(turn_bytes) >= _SHORTEST_TURN_MS:
            messages.append(commit_audio())
            self._responses.ask()
        self._turn_from_bytes += turn_bytes
        return messages + self._next_response()

    def _interrupt(self, played_ms: Mapping[str, float]) -> list[bytes]:
        self._playout.stop()
        messages = [cancel_response(response.id) for response in self._responses.interrupt()]
        if not self._profile.truncation:
            return messages
        for item_id, played in played_ms.items():
            item = self._items.get(item_id)
            # What was said outside the conversation is no item of it.
            if item is None or item.injected or item.settled:
                continue
            received = self._sound.output_ms(item.received_bytes)
            if item.done and played >= received:
                continue
            heard_ms = int(min(max(0.0, played), received))
            messages.append(truncate_item(item_id, heard_ms) if heard_ms else delete_item(item_id))
            item.settled = True
        return messages

    def _next_response(self) -> list[bytes]:
        request = self._responses.next_request()
        return [] if request is None else [create_response(request.event_id, request.body)]

    def _on_session_updated(self, fields: JsonObject) -> list[Event]:
        if self._state is _State.OPEN:
            self._retold.confirmed(self._changes.confirm())
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
        named = string(body, "event_id")
        if not named.startswith(OWN_IDS):
            named = ""
        self._retold.refused(named)
        if meets_none(error):
            return [error, *self._output.end_cut(cancelled_response(named) or "")]
        if (named or names_item(body)) and self._sent_items.refuse(named):
            return [error]
        if self._state is _State.CONFIGURING:
            refused = named == CONFIGURES or (not named and refuses_session(body, error))
            if refused and error.severity is Severity.REQUEST:
                error = replace(error, severity=Severity.FATAL)
            return [error]
        if named or may_concern_session(body, error):
            self._changes.refuse(named)
        concerns = may_concern_response(body, error)
        if named or concerns:
            self._responses.refuse(named, active=meets_active(error))
        if not named and concerns and not meets_active(error):
            self._responses.answer_doubtful()
        return [error]


def openai_protocol(
    model: str, dialect: str | None, base_url: str | None
) -> OpenAIRealtimeProtocol:
    """Make the protocol for a model, by the names that callers use.

    Raises:
        SettingsError: There is no such dialect, it has no endpoint, or what is asked for was
            shut down.
    """
    spelling = find_dialect(dialect)
    model = model or spelling.family.default_model
    check_endpoint(spelling, model, base_url)
    return OpenAIRealtimeProtocol(model, spelling)


__all__ = ["OpenAIRealtimeProtocol", "openai_protocol"]
