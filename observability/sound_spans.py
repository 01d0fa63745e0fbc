"""When there was sound, from sound that arrives in chunks. Pure."""

from dataclasses import dataclass

import numpy as np

from crossfade.audio.pcm import SAMPLE_BYTES

from .timeline import Placement

FRAME_MS = 10
THRESHOLD_DBFS = -45.0
"""A frame at or above this level is sound: over a quiet line's noise, under soft speech."""

_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of sound, in seconds from the start."""

    start_s: float
    end_s: float


class SoundSpans:
    """Finds the stretches of sound of one side of a call.

    Args:
        join_s: Gaps of up to this length do not end a stretch.
        batch_ms: So much sound is judged at once, to spare the audio path.
        threshold_dbfs: Level from which a frame of 10 ms counts as sound.
    """

    def __init__(
        self, *, join_s: float, batch_ms: int = 100, threshold_dbfs: float = THRESHOLD_DBFS
    ) -> None:
        self.spans: list[Span] = []
        """Stretches so far; the last one may still grow."""
        self._join_s = join_s
        self._batch_bytes_per_hz = batch_ms * SAMPLE_BYTES / 1000
        self._power = _FULL_SCALE**2 * 10 ** (threshold_dbfs / 10)
        self._placement = Placement()
        self._rate_hz = 0
        self._start_s = 0.0
        self._waiting = bytearray()

    def add(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Take s16le mono that came at `at_s`. It is judged with its batch."""
        start_s, contiguous = self._placement.place(at_s, len(pcm) / SAMPLE_BYTES / rate_hz)
        if not contiguous or rate_hz != self._rate_hz:
            self.flush()
            self._start_s, self._rate_hz = start_s, rate_hz
        self._waiting += pcm
        if len(self._waiting) >= self._batch_bytes_per_hz * rate_hz:
            self._judge(rate_hz * FRAME_MS // 1000)

    def flush(self) -> None:
        """Judge all that came, a last short frame included."""
        if not self._waiting:
            return
        frame = self._rate_hz * FRAME_MS // 1000
        self._judge(frame)
        if self._waiting:
            self._judge(len(self._waiting) // SAMPLE_BYTES)

    def _judge(self, frame_samples: int) -> None:
        frames = len(self._waiting) // SAMPLE_BYTES // frame_samples
        samples = np.frombuffer(self._waiting, "<i2", frames * frame_samples).astype(np.float32)
        blocks = samples.reshape(frames, frame_samples)
        power = np.einsum("ij,ij->i", blocks, blocks)
        frame_s = frame_samples / self._rate_hz
        loud = (power >= self._power * frame_samples).tolist()
        at = 0
        while True in loud[at:]:
            first = loud.index(True, at)
            at = loud.index(False, first) if False in loud[first:] else frames
            self._mark(self._start_s + first * frame_s, self._start_s + at * frame_s)
        self._start_s += frames * frame_s
        del self._waiting[: frames * frame_samples * SAMPLE_BYTES]

    def _mark(self, start_s: float, end_s: float) -> None:
        if self.spans and start_s - self.spans[-1].end_s <= self._join_s:
            start_s = self.spans.pop().start_s
        self.spans.append(Span(start_s=start_s, end_s=end_s))
