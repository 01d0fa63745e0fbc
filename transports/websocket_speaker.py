"""A client's loudspeaker: plays what came at the pace of sound, and knows how far it is. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.audio.pcm import SAMPLE_BYTES

from .websocket_messages import HeardSpeech

LIMIT_S = 30.0
"""Of sound that came and was not played; what goes beyond is dropped, and counted."""


@dataclass(slots=True)
class _Mark:
    at_sample: int
    response_id: str
    response_ms: float


class Speaker:
    """What the agent says, on its way to the ear.

    Args:
        rate_hz: Rate of the sound, s16le mono.
    """

    def __init__(self, *, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._waiting = bytearray()
        self._marks: deque[_Mark] = deque()
        self._current = _Mark(0, "", 0.0)
        self.stream = 0
        self.played_samples = 0
        """Of this stream."""
        self.dropped_samples = 0

    def begin(self, stream: int) -> None:
        """Another stream begins, after an attachment; what waits is still the old one's, and the
        new one begins with what of it was not heard."""
        self.clear(stream)

    def clear(self, stream: int) -> None:
        """Drop what was not played: the caller interrupted."""
        self._waiting.clear()
        self._marks.clear()
        self._current = _Mark(0, "", 0.0)
        self.stream, self.played_samples = stream, 0

    def mark(self, message: Mapping[str, Any]) -> None:
        """The speech of a response begins, or goes on, at a sample."""
        if message.get("stream") == self.stream:
            self._marks.append(
                _Mark(
                    int(message["at_sample"]),
                    str(message["response_id"]),
                    float(message["response_ms"]),
                )
            )

    def add(self, pcm: bytes) -> None:
        """Sound of the agent."""
        if len(self._waiting) + len(pcm) > LIMIT_S * self.rate_hz * SAMPLE_BYTES:
            self.dropped_samples += len(pcm) // SAMPLE_BYTES
            return
        self._waiting += pcm

    def play(self, samples: int) -> bytes:
        """What sounds next: at most so much."""
        pcm = bytes(self._waiting[: samples * SAMPLE_BYTES])
        del self._waiting[: len(pcm)]
        self.played_samples += len(pcm) // SAMPLE_BYTES
        while self._marks and self._marks[0].at_sample < self.played_samples:
            self._current = self._marks.popleft()
        return pcm

    @property
    def heard(self) -> HeardSpeech:
        """How far it is."""
        within = max(0, self.played_samples - self._current.at_sample)
        return HeardSpeech(
            stream=self.stream,
            samples=self.played_samples,
            response_id=self._current.response_id,
            response_ms=self._current.response_ms + within * 1000 / self.rate_hz,
        )


__all__ = ["LIMIT_S", "Speaker"]
