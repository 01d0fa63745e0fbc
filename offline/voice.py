"""What every offline voice offers."""

import re
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Protocol

from crossfade.audio.pcm import bytes_for

_CHUNK_MS = 40
_LONGEST_PIECE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A spoken word and where in the sound it begins."""

    text: str
    at_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A text as sound: mono PCM and its words, in order."""

    pcm: bytes
    rate_hz: int
    words: tuple[Word, ...]


class Voice(Protocol):
    """Speaks text: `Synthesiser`, or `ToneVoice` where a machine or a test has none."""

    @property
    def rate_hz(self) -> int:
        """The sample rate of what it speaks."""

    def speak(self, text: str) -> AsyncIterator[bytes]:
        """Mono PCM in chunks of up to 40 ms, as fast as it is made."""

    async def render(self, text: str) -> Spoken:
        """The whole text at once, with the times of its words."""


def chunks(pcm: bytes, rate_hz: int) -> Iterator[bytes]:
    """Cut sound into chunks of 40 ms; the last may be shorter."""
    size = bytes_for(_CHUNK_MS, rate_hz)
    for at in range(0, len(pcm), size):
        yield pcm[at : at + size]


def sentences(text: str) -> list[str]:
    """Cut a text after each sentence, and longer ones at spaces into up to 300 characters."""
    found = re.split(r"(?<=[.!?…])\s+", text.strip())
    return [piece for sentence in found for piece in textwrap.wrap(sentence, _LONGEST_PIECE)]
