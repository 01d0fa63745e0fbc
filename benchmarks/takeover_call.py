"""One call whose server is killed, and what its caller noticed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import resample
from crossfade.errors import CrossfadeError
from crossfade.transports.websocket_client import CallClient

MICROPHONE_HZ = 16000
PROVIDER_HZ = 24000
BUFFERED_S = 0.1
"""Sound that comes so soon after the kill was on its way already."""
_BLOCK_MS = 100
_LIKE = 0.97
_LEAST_BLOCKS = 5
_PATIENCE_S = 20.0
_LEAD_MS = 300
"""Of a question, before and behind it, where the detection of turns may cut."""


class Moment(Enum):
    """When the server is killed."""

    ANSWER = "in mid-answer"
    QUESTION = "in mid-question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill."""

    silence_ms: float
    """From the kill, or the end of the question if that is later, to the agent's sound."""
    attached_ms: float
    """From the kill to the next attachment."""
    lost_ms: float = 0.0
    """Of the caller's question, as the provider heard it in the end."""
    doubled_ms: float = 0.0
    repeated_ms: float = 0.0
    """Of the answer, heard before the kill and again after it."""
    missing_ms: float = 0.0
    """Of the answer, heard neither before nor after."""


@dataclass(eq=False)
class Caller:
    """What a client heard and was told, with times of the loop."""

    sounds: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    responses: dict[str, str] = field(default_factory=dict)
    question_id: str = ""
    _sounded: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, at_s: float, pcm: bytes) -> None:
        self.sounds.append(at_s)
        self._sounded.set()

    def note(self, message: Mapping[str, Any]) -> None:
        match message.get("type"):
            case "ready":
                self.ready.append(asyncio.get_running_loop().time())
            case "transcript" if message["role"] == "user":
                self.question_id = message["item_id"]
            case "transcript":
                response = message["response_id"]
                self.responses[response] = self.responses.get(response, "") + message["text"]

    async def sound_after(self, at_s: float) -> float:
        """Wait for the first sound after a moment; gives when it was.

        Raises:
            CrossfadeError: There is none for 20 s.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not self.sounds or self.sounds[-1] <= at_s:
                    self._sounded.clear()
                    await self._sounded.wait()
        except TimeoutError as error:
            told = f"a caller heard nothing for {_PATIENCE_S:g} s; is the machine busy?"
            raise CrossfadeError(told) from error
        return next(sound for sound in self.sounds if sound > at_s)


def client(caller: Caller, urls: Sequence[str]) -> CallClient:
    return CallClient(urls, on_sound=caller.hear, on_message=caller.note)


def compare(question: bytes, heard: bytes) -> tuple[float, float]:
    """How much of a question is missing in what was heard, and how much is there twice, in ms.

    Blocks of the question are found in what was heard; where two that follow one another are
    further apart than they were, something came between, and where they are closer, it is missing.

    Args:
        question: As the caller spoke it, s16le at `MICROPHONE_HZ`.
        heard: As the provider took it, s16le at `PROVIDER_HZ`.
    """
    spoken = _samples(resample(question, MICROPHONE_HZ, PROVIDER_HZ))
    taken = _samples(heard)
    block, lead = PROVIDER_HZ * _BLOCK_MS // 1000, PROVIDER_HZ * _LEAD_MS // 1000
    offsets = []
    for start in range(lead, len(spoken) - lead - block, block):
        piece = spoken[start : start + block]
        at, likeness = _find(piece, taken)
        # A block in which something is missing is like nothing; its neighbours tell how much.
        if likeness > _LIKE:
            offsets.append(at - start)
    if len(offsets) < _LEAST_BLOCKS:
        return len(question) / SAMPLE_BYTES * 1000 / MICROPHONE_HZ, 0.0
    jumps = np.diff(offsets) * 1000 / PROVIDER_HZ
    return float(abs(jumps[jumps < 0].sum())), float(jumps[jumps > 0].sum())


def _find(piece: npt.NDArray[np.float64], taken: npt.NDArray[np.float64]) -> tuple[int, float]:
    """Where a piece lies, and how like it what lies there is: 1 for the same."""
    size = 1 << (len(piece) + len(taken) - 1).bit_length()
    spectrum = np.fft.rfft(taken, size) * np.conj(np.fft.rfft(piece, size))
    likeness = np.fft.irfft(spectrum, size)[: len(taken) - len(piece) + 1]
    sums = np.concatenate(([0.0], np.cumsum(taken * taken)))
    energy = sums[len(piece) :] - sums[: -len(piece)]
    likeness /= np.sqrt(np.maximum(energy * (piece * piece).sum(), 1.0))
    best = int(np.argmax(likeness))
    return best, float(likeness[best])


def _samples(pcm: bytes) -> npt.NDArray[np.float64]:
    whole = pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES]
    return np.frombuffer(whole, dtype="<i2").astype(np.float64)


def overlap(heard_ms: float, rest: str, whole: str, whole_ms: float) -> tuple[float, float]:
    """How much of an answer the caller heard twice, and how much never, in ms.

    Args:
        heard_ms: How much of it was heard before the kill.
        rest: The words that came after it.
        whole: The words of the answer as it should be.
        whole_ms: How long it is.
    """
    at = whole.find(rest.strip())
    if not rest.strip() or at < 0:
        return 0.0, whole_ms - heard_ms
    goes_on_ms = whole_ms * at / len(whole)
    return max(0.0, heard_ms - goes_on_ms), max(0.0, goes_on_ms - heard_ms)


__all__ = [
    "BUFFERED_S",
    "MICROPHONE_HZ",
    "PROVIDER_HZ",
    "Caller",
    "Kill",
    "Moment",
    "client",
    "compare",
    "overlap",
]
