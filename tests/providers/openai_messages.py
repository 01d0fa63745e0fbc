"""Messages of an OpenAI Realtime server, for tests of the protocol."""

import base64
from collections.abc import Iterable
from typing import Any

import orjson

from crossfade.providers.commands import Command
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import Event
from crossfade.providers.openai_dialects import find_dialect
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol

Message = dict[str, Any]

MS_BYTES = 48
"""24 kHz, 16 bits."""


class Wire:
    """A protocol in an open session, with its messages as objects."""

    def __init__(
        self,
        config: SessionConfig | None = None,
        model: str = "gpt-realtime-2.1",
        dialect: str | None = None,
    ) -> None:
        self.protocol = OpenAIRealtimeProtocol(model, find_dialect(dialect))
        self.first = loads(self.protocol.start(config or SessionConfig()))
        self.receive(session_updated())

    def receive(self, *messages: Message) -> list[Event]:
        """The events of all messages; what is due to be sent then is kept in `replies`."""
        events: list[Event] = []
        self.replies: list[Message] = []
        for message in messages:
            events += self.protocol.receive(orjson.dumps(message))
            self.replies += loads(self.protocol.replies())
        return events

    def send(self, command: Command) -> list[Message]:
        return loads(self.protocol.send(command))


def loads(messages: Iterable[bytes]) -> list[Message]:
    return [orjson.loads(message) for message in messages]


def kinds(messages: Iterable[Message]) -> list[str]:
    return [message["type"] for message in messages]


def session_updated(**session: Any) -> Message:
    fields = {"id": "sess_1", "model": "gpt-realtime-2.1", "expires_at": 1785217650, **session}
    return {"type": "session.updated", "event_id": "event_1", "session": fields}


def speech_started(item_id: str = "user_1", at_ms: int = 100) -> Message:
    kind = "input_audio_buffer.speech_started"
    return {"type": kind, "item_id": item_id, "audio_start_ms": at_ms}


def speech_stopped(item_id: str = "user_1", at_ms: int = 900) -> Message:
    kind = "input_audio_buffer.speech_stopped"
    return {"type": kind, "item_id": item_id, "audio_end_ms": at_ms}


def committed(item_id: str = "user_1", after: str | None = None) -> Message:
    return {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": after}


def transcribed(text: str, item_id: str = "user_1") -> Message:
    kind = "conversation.item.input_audio_transcription.completed"
    return {"type": kind, "item_id": item_id, "content_index": 0, "transcript": text}


def item_added(**item: Any) -> Message:
    return {"type": "conversation.item.added", "item": item, "previous_item_id": None}


def created(response_id: str = "resp_1", metadata: Message | None = None) -> Message:
    response: Message = {
        "id": response_id,
        "status": "in_progress",
        "output": [],
        "metadata": metadata,
    }
    return {"type": "response.created", "response": response}


def done(response_id: str = "resp_1", status: str = "completed", **response: Any) -> Message:
    return {
        "type": "response.done",
        "response": {"id": response_id, "status": status, "output": [], **response},
    }


def _piece(kind: str, response_id: str, item_id: str, **fields: Any) -> Message:
    return {
        "type": kind,
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
        **fields,
    }


def audio(pcm: bytes, item_id: str = "item_1", response_id: str = "resp_1") -> Message:
    delta = base64.b64encode(pcm).decode()
    return _piece("response.output_audio.delta", response_id, item_id, delta=delta)


def audio_ms(ms: int, item_id: str = "item_1", response_id: str = "resp_1") -> Message:
    return audio(bytes(ms * MS_BYTES), item_id, response_id)


def words(text: str, item_id: str = "item_1", response_id: str = "resp_1") -> Message:
    return _piece("response.output_audio_transcript.delta", response_id, item_id, delta=text)


def written(text: str, item_id: str = "item_1", response_id: str = "resp_1") -> Message:
    return _piece("response.output_text.delta", response_id, item_id, delta=text)


def spoken_item(text: str, item_id: str = "item_1", status: str = "completed") -> Message:
    content = [{"type": "output_audio", "transcript": text}]
    return {"id": item_id, "type": "message", "status": status, "content": content}


def item_done(item: Message, response_id: str = "resp_1") -> Message:
    return {"type": "response.output_item.done", "response_id": response_id, "item": item}


def call_item(call_id: str, name: str, arguments: str, status: str = "completed") -> Message:
    return {
        "id": f"item_{call_id}",
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def arguments_done(
    call_id: str, name: str | None, arguments: str, response_id: str = "resp_1"
) -> Message:
    kind = "response.function_call_arguments.done"
    fields = {"call_id": call_id, "name": name, "arguments": arguments}
    return _piece(kind, response_id, f"item_{call_id}", **fields)


def error(code: str | None, message: str = "Something.", event_id: str | None = None) -> Message:
    body = {"type": "invalid_request_error", "code": code, "message": message}
    return {"type": "error", "event_id": "event_9", "error": {**body, "event_id": event_id}}
