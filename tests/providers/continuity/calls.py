"""Calls with the emulators that go on, whatever happens to their connections."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolDeclaration
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.backend import Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults.script import Fault
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.gemini.timing import Timing as GeminiTiming
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai.timing import Timing as OpenAITiming
from crossfade.emulators.server import Emulator
from crossfade.emulators.turn_detection import energy_scorer
from crossfade.emulators.user_audio import UserAudio
from crossfade.errors import CrossfadeError
from crossfade.providers import Continuity, RealtimeSession, SessionConfig, connect
from crossfade.providers.events import Event, ResponseDone, ResponseStatus, TextDelta

OPENAI, GEMINI = "openai:gpt-realtime-2.1", "gemini:gemini-3.8-live"
LOOK_UP = ToolDeclaration(name="look_up", description="Looks something up.")
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="first question", say=(LONG,)),
        Turn(on=Trigger.SPEECH, hear="second question", say=("The second answer.",)),
        Turn(on=Trigger.SPEECH, hear="third question", say=("The third answer.",)),
    )
)
TOOLS = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="look it up", call=(Call(name="look_up", arguments="{}"),)),
        Turn(on=Trigger.TOOL_RESULTS, say=("It says {found}.",)),
        Turn(on=Trigger.SPEECH, hear="second question", say=("The second answer.",)),
    )
)

E = TypeVar("E")


def emulator_of(
    spec: str,
    *,
    faults: Sequence[Fault] = (),
    scenario: Scenario = SCENARIO,
    repeat: bool = False,
    **timing: Any,
) -> OpenAIEmulator | GeminiEmulator:
    common: Any = {"faults": faults, "keep_audio": True, "scorer": energy_scorer}
    backend = ScriptedBackend(replace(scenario, repeat=repeat))
    if spec == OPENAI:
        return OpenAIEmulator(backend, timing=OpenAITiming(**timing), **common)
    return GeminiEmulator(backend, timing=GeminiTiming(**timing), **common)


@dataclass
class Caller:
    """Speaks to a session, and hears what it tells."""

    session: RealtimeSession
    events: list[Event] = field(default_factory=list)
    ended: Exception | None = None
    said: list[bytes] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        try:
            async for event in self.session:
                self.events.append(event)
                self._news.set()
        except CrossfadeError as error:
            self.ended = error
            self._news.set()

    async def until(self, kind: type[E], count: int = 1, timeout_s: float = 60.0) -> E:
        """Wait for the `count`-th event of a kind since the call began."""
        async with asyncio.timeout(timeout_s):
            while len(self.of(kind)) < count:
                if self.ended is not None:
                    raise self.ended
                self._news.clear()
                await self._news.wait()
        return self.of(kind)[count - 1]

    async def until_answered(self, count: int = 1) -> None:
        """Wait until so many responses were completed."""
        done = 1
        while self.ends(ResponseStatus.COMPLETED) < count:
            await self.until(ResponseDone, done)
            done += 1

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def words(self) -> str:
        return "".join(delta.text for delta in self.of(TextDelta))

    @property
    def agent_said(self) -> str:
        """All that the agent said, as the session's own ledger has it."""
        conversation = self.session.conversation
        assert conversation is not None
        told = (item for item in conversation.history() if isinstance(item, Utterance))
        return " ".join(item.text for item in told if item.speaker is Speaker.AGENT)

    def ends(self, status: ResponseStatus) -> int:
        return sum(done.status is status for done in self.of(ResponseDone))

    async def say(self, ms: int = 600, *, hint: bool = True, silence_ms: int = 900) -> bytes:
        """Speak at the pace of speech, then be silent; give the samples that were loud."""
        loud = speech(ms, self.session.input_rate_hz, seed=len(self.said))
        self.said.append(loud)
        if hint:
            self.session.user_speaking(True)
        await self.send(loud)
        if hint:
            self.session.user_speaking(False)
        await self.send(bytes(2 * self.session.input_rate_hz * silence_ms // 1000))
        return loud

    async def send(self, pcm: bytes) -> None:
        frame = self.session.input_rate_hz // 50 * 2
        for at in range(0, len(pcm), frame):
            self.session.send_audio_nowait(pcm[at : at + frame])
            await asyncio.sleep(0.02)


def speech(ms: int, rate_hz: int, *, seed: int = 0) -> bytes:
    """Loud samples, of which no two stretches are alike."""
    random = np.random.default_rng(seed)
    samples = random.integers(-12_000, 12_000, ms * rate_hz // 1000)
    return samples.astype("<i2").tobytes()


@asynccontextmanager
async def calling(
    spec: str,
    emulator: Emulator[Any],
    config: SessionConfig | None = None,
    continuity: Continuity | None = None,
    **options: Any,
) -> AsyncIterator[Caller]:
    """A call with a service; nothing of it is left at its end."""
    session = connect(
        spec,
        config,
        base_url=emulator.url,
        continuity=continuity or Continuity(),
        **{"api_key": "key", **options},
    )
    async with session:
        caller = Caller(session)
        listening = asyncio.create_task(caller.listen())
        try:
            yield caller
        finally:
            await session.close()
            await listening
    left = {task.get_name() for task in asyncio.all_tasks()}
    assert not any(name.startswith("provider") for name in left), left


def audio_of(emulator: OpenAIEmulator | GeminiEmulator) -> list[UserAudio]:
    """What each session heard of the user."""
    sessions: list[Any] = list(emulator.sessions)
    return [session.user_audio for session in sessions]


def answered(emulator: OpenAIEmulator | GeminiEmulator, loud: bytes) -> int:
    """How often the session that has answered last holds these samples, whole, in such a turn."""
    for audio in reversed(audio_of(emulator)):
        turns = [turn for turn in audio.turns if turn.answers]
        if any(loud in turn.pcm for turn in turns):
            return sum(turn.pcm.count(loud) for turn in turns)
    return 0


__all__ = [
    "GEMINI",
    "LONG",
    "LOOK_UP",
    "OPENAI",
    "SCENARIO",
    "TOOLS",
    "Caller",
    "answered",
    "audio_of",
    "calling",
    "emulator_of",
    "speech",
]
