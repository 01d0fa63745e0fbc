"""A session that does as it is told, and the speech node before it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from crossfade.conversation.ledger import Conversation
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.providers import (
    AudioChunk,
    Event,
    Profile,
    RealtimeSession,
    ResponseDone,
    ResponseStatus,
    Serving,
    SessionConfig,
)

PROFILE = Profile(
    model="m", input_rate_hz=16000, output_rate_hz=24000, server_vad=True, out_of_band=True
)


@dataclass
class Statistics:
    dropped_audio_ms: float = 0.0


class Session:
    """Keeps what it is asked, and gives the events it is fed."""

    def __init__(self, config: SessionConfig, profile: Profile = PROFILE) -> None:
        self.config = config
        self.profile = profile
        self.serving = Serving(
            provider=f"loopback:{profile.model}", session_id="s", handle="", expires_at=None
        )
        self.input_rate_hz, self.output_rate_hz = profile.input_rate_hz, profile.output_rate_hz
        self.asked: list[Any] = []
        self.playing = False
        self.conversation = Conversation()
        self._events: asyncio.Queue[Event | Exception] = asyncio.Queue()

    def feed(self, *events: Event | Exception) -> None:
        for event in events:
            self._events.put_nowait(event)

    def statistics(self) -> Statistics:
        return Statistics()

    def __aiter__(self) -> "Session":
        return self

    async def __anext__(self) -> Event:
        event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        return event

    def send_audio_nowait(self, pcm: bytes) -> None:
        self.asked.append(("audio", len(pcm)))

    def user_speaking(self, speaks: bool) -> None:
        self.asked.append(("user speaks", speaks))

    def rotate(self) -> None:
        self.asked.append("rotate")

    async def respond_aside(self, instructions: str, *, text: str, label: str, **_: Any) -> None:
        self.asked.append(("aside", text, label))

    async def send_text(self, text: str, *, respond: bool = True, call_id: str = "") -> None:
        self.asked.append(("text", text))

    async def send_image(self, data: bytes, media_type: str) -> None:
        self.asked.append(("image", data, media_type))

    async def send_tool_response(
        self, call_id: str, output: Any, *, is_error: bool, **_wishes: Any
    ) -> None:
        self.asked.append(("tool", call_id, output, is_error))

    async def respond(self) -> None:
        self.asked.append("respond")

    async def say(self, text: str) -> None:
        self.asked.append(("say", text))

    async def interrupt(self, played_ms: Mapping[str, float]) -> None:
        self.asked.append(("interrupt", dict(played_ms)))

    async def start_turn(self, turn_id: str = "") -> None:
        self.asked.append("start turn")

    async def end_turn(self) -> None:
        self.asked.append("end turn")

    async def close(self) -> None:
        self.asked.append("close")


def node(session: Session, **settings: Any) -> SpeechToSpeech:
    return SpeechToSpeech(cast(RealtimeSession, session), rate_hz=16000, **settings)


def audio(response_id: str) -> AudioChunk:
    return AudioChunk(response_id=response_id, item_id="a", pcm=bytes(960))


def done(response_id: str, status: ResponseStatus = ResponseStatus.COMPLETED) -> ResponseDone:
    return ResponseDone(response_id=response_id, status=status)
