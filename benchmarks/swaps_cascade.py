"""A cascade on the virtual clock: it makes out the scripted caller's lines, and says a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.audio.pcm import duration_ms
from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import SPEECH_RATE_HZ
from crossfade.offline.responder import Reply, ToolRequest
from crossfade.offline.voice import chunks, sentences
from crossfade.processors.cascade import Cascade
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.tools import Tool

from .continuity_check import Heard
from .continuity_voice import NoisyBackend

_FINISH_S = 0.08
_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is answered to what."""

    answers: Mapping[str, str | ToolRequest]
    """By the caller's words."""
    results: Callable[[Sequence[tuple[str, str]]], str]
    """What is said of results, given as (tool, output)."""


@dataclass
class _Words:
    text: str


class _Utterance:
    def __init__(self, ear: "ScriptedEar") -> None:
        self._ear = ear
        self._pcm = bytearray()
        self.partial = ""

    async def feed(self, pcm: bytes) -> None:
        self._pcm += pcm

    async def finish(self) -> _Words:
        await asyncio.sleep(_FINISH_S)
        return _Words(self._ear.heard_all(bytes(self._pcm)))

    def abandon(self) -> None:
        self._ear.heard_part(bytes(self._pcm))


class ScriptedEar:
    """A recogniser that knows what the caller says, and keeps what it is given.

    Args:
        words: Tells which of the lines some sound holds.
    """

    def __init__(self, words: Callable[[bytes], str]) -> None:
        self._words = words
        self._pcm = b""
        self._turns: list[tuple[bytes, bool]] = []

    @property
    def heard(self) -> Heard:
        """All that it was given."""
        return Heard(pcm=self._pcm, turns=self._turns)

    def utterance(self, rate_hz: int) -> _Utterance:
        return _Utterance(self)

    def heard_all(self, pcm: bytes) -> str:
        text = self._words(pcm)
        self._pcm += pcm
        self._turns.append((pcm, bool(text)))
        return text

    def heard_part(self, pcm: bytes) -> None:
        self._pcm += pcm


class ScriptedBrain:
    """Answers by the script."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def reply(self, user_text: str, history: Sequence[tuple[str, str]] = ()) -> Reply:
        answer = self._script.answers.get(user_text, "I beg your pardon.")
        if isinstance(answer, str):
            return Reply(text=answer)
        return Reply(tool_calls=(answer,))

    def after_tools(self, results: Sequence[tuple[str, str]]) -> Reply:
        return Reply(text=self._script.results(results))

    def sentences(self) -> list[str]:
        return list(self._script.answers)


class NoisyVoice:
    """Hums sentences, each rendered anew, so many times faster than they sound."""

    def __init__(self, backend: NoisyBackend, speed: float) -> None:
        self.rate_hz = SPEECH_RATE_HZ
        self._dialogue = backend.dialogue()
        self._speed = speed

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        for sentence in sentences(text):
            for pcm in chunks(await self._dialogue.render(sentence), self.rate_hz):
                await asyncio.sleep(duration_ms(pcm, self.rate_hz) / 1000 / self._speed)
                yield pcm


def scripted_cascade(
    ear: ScriptedEar,
    script: Script,
    backend: NoisyBackend,
    conversation: Conversation,
    tools: Sequence[Tool],
    *,
    rate_hz: int,
    speed: float,
) -> Cascade:
    """The cascade of these."""

    def brain(_tools: Sequence[Mapping[str, Any]], _instructions: str) -> ScriptedBrain:
        return ScriptedBrain(script)

    return Cascade(
        stt=EmbeddedSTT(ear),
        llm=EmbeddedLLM(brain),
        tts=EmbeddedTTS(NoisyVoice(backend, speed)),
        conversation=conversation,
        tools=[tool.declaration for tool in tools],
        rate_hz=rate_hz,
        speech_rate_hz=SPEECH_RATE_HZ,
    )


__all__ = ["Script", "ScriptedEar", "scripted_cascade"]
