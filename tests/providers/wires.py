"""The wires that a session can speak, each with its replayed sessions."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.tools import ToolDeclaration
from crossfade.providers import RealtimeSession, SessionConfig, connect
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    TextDelta,
    ToolCall,
    UserTranscript,
)
from crossfade.providers.profiles import Profile
from tests.providers.replay.server import ReplayServer
from tests.providers.replay.session_file import load

SESSIONS = Path(__file__).parent / "sessions"
KEY = "sk-heron-nest"

LAKES = ToolDeclaration(
    name="depth_of_lake",
    description="Depth of a lake in metres.",
    parameters={
        "type": "object",
        "properties": {"lake": {"type": "string"}},
        "required": ["lake"],
    },
)

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A wire, as the tests name it."""

    name: str
    """Also its folder in sessions/."""
    spec: str
    binary: bool = False
    """Whether its service sends JSON in binary frames."""

    @property
    def profile(self) -> Profile:
        """What its model can do."""
        return connect(self.spec, api_key=KEY).profile

    @property
    def config(self) -> SessionConfig:
        """What every scenario asks for, as far as the model takes it."""
        profile = self.profile
        return SessionConfig(
            instructions="Answer briefly." if profile.instructions else "",
            tools=[LAKES] if profile.tools else [],
        )

    def server(self, scenario: str) -> ReplayServer:
        """The service in one of the sessions written for it."""
        return ReplayServer(load(SESSIONS / self.name / f"{scenario}.yaml"), binary=self.binary)

    @asynccontextmanager
    async def session(
        self,
        scenario: str,
        history: Sequence[HistoryItem] = (),
        config: SessionConfig | None = None,
    ) -> AsyncIterator[RealtimeSession]:
        """A session with that service."""
        async with (
            self.server(scenario) as server,
            connect(
                self.spec,
                config or self.config,
                base_url=server.url,
                api_key=KEY,
                history=history,
                continuity=None,
            ) as session,
        ):
            yield session


OPENAI = Wire(name="openai", spec="openai:gpt-realtime-2.1")
GEMINI = Wire(name="gemini", spec="gemini:gemini-3.8-live", binary=True)
MOSHI = Wire(name="moshi", spec="moshi:")
WIRES = (OPENAI, GEMINI, MOSHI)


class Heard:
    """What a session told, from one point on."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def until(self, session: RealtimeSession, kind: type[E], count: int = 1) -> E:
        """Listen until the `count`-th event of this kind, and give it."""
        async for event in session:
            self.events.append(event)
            if isinstance(event, kind):
                count -= 1
                if not count:
                    return event
        raise AssertionError(f"the session ended without {kind.__name__}: {self.events}")

    def of(self, *kinds: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def words(self) -> str:
        """What the agent said or wrote."""
        return "".join(delta.text for delta in self.of(TextDelta))

    @property
    def sound(self) -> bytes:
        return b"".join(chunk.pcm for chunk in self.of(AudioChunk))

    @property
    def user_words(self) -> str:
        """The final transcript of the user's last turn."""
        finals = [event.text for event in self.of(UserTranscript) if event.final]
        return finals[-1] if finals else ""

    @property
    def calls(self) -> list[ToolCall]:
        return self.of(ToolCall)

    @property
    def awaits_tools(self) -> bool:
        """What the last response said of tools when it ended."""
        return bool(self.of(ResponseDone)[-1].awaits_tools)

    @property
    def errors(self) -> list[ProviderError]:
        return self.of(ProviderError)

    def check_order(self) -> None:
        """Each response begins once, ends at most once, and what comes of it lies between."""
        running: set[str] = set()
        ended: set[str] = set()
        for event in self.events:
            match event:
                case ResponseStarted(response_id=name):
                    assert name not in running | ended
                    running.add(name)
                case ResponseDone(response_id=name):
                    running.remove(name)
                    ended.add(name)
                case AudioChunk() | TextDelta() | ToolCall():
                    assert event.response_id in running
            if isinstance(event, AudioChunk):
                assert event.pcm
                assert len(event.pcm) % 2 == 0


async def speak(session: RealtimeSession, pieces: int = 5) -> None:
    """Say something: so many pieces of 20 ms."""
    for _ in range(pieces):
        await session.send_audio(b"\x10\x01" * (session.input_rate_hz // 50))


async def ask(session: RealtimeSession, text: str) -> None:
    """Ask in writing, or aloud where the model does not read."""
    if session.profile.text_input:
        await session.send_text(text)
    else:
        await speak(session)


__all__ = ["GEMINI", "KEY", "LAKES", "MOSHI", "OPENAI", "WIRES", "Heard", "Wire", "ask", "speak"]
