"""Messages as Gemini writes them, and a protocol that is open already."""

import base64
import random
from typing import Any

import orjson

from crossfade.conversation.history import HistoryItem
from crossfade.providers.commands import Command
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import Event
from crossfade.providers.gemini_address import Service
from crossfade.providers.gemini_live import GeminiLiveProtocol

Message = dict[str, Any]

LIVE = "gemini-3.8-live"
THINKING = "gemini-3.8-live-extended-thinking"
FLASH = "gemini-3.1-flash-live-preview"
NATIVE = "gemini-2.5-flash-native-audio-preview-12-2025"

OPENED: Message = {"setupComplete": {}}


def content(**fields: Any) -> Message:
    return {"serverContent": fields}


def sound(pcm: bytes = b"\x01\x02\x03\x04") -> Message:
    data = base64.b64encode(pcm).decode()
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}
    return content(modelTurn={"parts": [part]})


def words(text: str) -> Message:
    return content(outputTranscription={"text": text})


def heard(text: str) -> Message:
    return content(inputTranscription={"text": text})


def call(*names: str, ids: tuple[str, ...] = ()) -> Message:
    calls = [{"name": name, "args": {}} for name in names]
    for entry, call_id in zip(calls, ids, strict=False):
        entry["id"] = call_id
    return {"toolCall": {"functionCalls": calls}}


GENERATED = content(generationComplete=True)
COMPLETE = content(turnComplete=True)
INTERRUPTED = content(interrupted=True)


def loads(messages: list[bytes]) -> list[Message]:
    return [orjson.loads(message) for message in messages]


class Wire:
    """A protocol and what went through it."""

    def __init__(
        self,
        model: str = LIVE,
        config: SessionConfig | None = None,
        history: tuple[HistoryItem, ...] = (),
        *,
        service: Service | None = None,
        resume: str | None = None,
        opened: bool = True,
    ) -> None:
        self.protocol = GeminiLiveProtocol(
            model, service=service, resume=resume, randomness=random.Random(1)
        )
        seeded = bool(history)
        (first,) = loads(self.protocol.start(config or SessionConfig(), seeded=seeded))
        self.setup: Message = first["setup"]
        if seeded:
            assert self.protocol.seed(history) == []
        self.replies: list[Message] = []
        if opened:
            self.receive(OPENED)

    def receive(self, *messages: Message) -> list[Event]:
        events: list[Event] = []
        for message in messages:
            events += self.protocol.receive(orjson.dumps(message))
            self.replies += loads(self.protocol.replies())
        return events

    def send(self, *commands: Command) -> list[Message]:
        return [message for command in commands for message in loads(self.protocol.send(command))]
