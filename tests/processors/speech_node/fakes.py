"""A recogniser, a brain and a voice that do as they are told, on any clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.audio.pcm import duration_ms
from crossfade.offline.responder import Reply, ToolRequest
from crossfade.offline.tone_voice import ToneVoice

HEARD = "what is the weather in tokyo"
FAILS = "(out of order)"
"""A brain that comes to this line fails."""


@dataclass(frozen=True)
class Calls:
    """An answer that calls tools."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]


Line = str | Calls


@dataclass
class Recognised:
    text: str


class Utterance:
    """Makes out some of the words at first, and all of them at the end."""

    def __init__(self, text: str, finish_s: float) -> None:
        self._text = text
        self._finish_s = finish_s
        self.heard = b""

    @property
    def partial(self) -> str:
        return self._text.partition(" ")[0] if self.heard else ""

    async def feed(self, pcm: bytes) -> None:
        self.heard += pcm

    async def finish(self) -> Recognised:
        await asyncio.sleep(self._finish_s)
        return Recognised(self._text)

    def abandon(self) -> None:
        self._text = ""


class Recogniser:
    """Hears one text after another, and then the last one again."""

    def __init__(self, *texts: str, finish_s: float = 0.05) -> None:
        self._texts = list(texts) or [HEARD]
        self._finish_s = finish_s
        self.utterances: list[Utterance] = []

    def utterance(self, rate_hz: int) -> Utterance:
        text = self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]
        self.utterances.append(Utterance(text, self._finish_s))
        return self.utterances[-1]


class Brain:
    """Says one line after another."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = list(lines)
        self.asked: list[tuple[str, Sequence[tuple[str, str]]]] = []
        self.results: list[Sequence[tuple[str, str]]] = []

    def reply(self, user_text: str, history: Sequence[tuple[str, str]] = ()) -> Reply:
        self.asked.append((user_text, history))
        return self._next()

    def after_tools(self, results: Sequence[tuple[str, str]]) -> Reply:
        self.results.append(results)
        return self._next()

    def sentences(self) -> list[str]:
        return [HEARD]

    def _next(self) -> Reply:
        line = self._lines.pop(0) if self._lines else "Well."
        if line == FAILS:
            raise RuntimeError("It is out of order.")
        if isinstance(line, str):
            return Reply(text=line)
        return Reply(tool_calls=tuple(ToolRequest(n, dict(a)) for n, a in line.calls))


class PacedVoice:
    """Hums text so many times faster than it sounds."""

    def __init__(self, speed: float = 4.0, rate_hz: int = 24000) -> None:
        self.rate_hz = rate_hz
        self._speed = speed
        self._tone = ToneVoice(rate_hz)
        self.said: list[str] = []

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        self.said.append(text)
        async for pcm in self._tone.speak(text):
            await asyncio.sleep(duration_ms(pcm, self.rate_hz) / 1000 / self._speed)
            yield pcm


def made_by(brain: Brain) -> Callable[[Sequence[Mapping[str, Any]], str], Brain]:
    return lambda _tools, _instructions: brain
