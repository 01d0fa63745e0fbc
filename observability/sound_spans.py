"""When there was sound, from sound that arrives in chunks. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossfade.audio.pcm import SAMPLE_BYTES

from .timeline import Piece, Placement

FRAME_MS = 10
THRESHOLD_DBFS = -45.0
"""A frame at or above this level is sound: over a quiet line's noise, under soft speech."""
RANGE_DB = 30.0
"""What lies so far under the loudest frame before it, without a pause between them, is the room or
the line that is left when the voice is over."""

_FULL_SCALE = 32768.0
_RANGE = 10 ** (-RANGE_DB / 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of sound, in seconds from the start."""

    start_s: float
    end_s: float


class SoundSpans:
    """Finds the stretches of sound of one side of a call.

    Args:
        join_s: Gaps of up to this length do not end a stretch.
        batch_ms: At least so much sound is judged at once, to spare the audio path.
        heard_batch_ms: So much, once there was sound and until the stream pauses; as before if
            None.
        late_s: As for `Placement`.
        threshold_dbfs: Level from which a frame of 10 ms counts as sound.
    """

    def __init__(
        self,
        *,
        join_s: float,
        batch_ms: int = 100,
        heard_batch_ms: int | None = None,
        late_s: float = 0.0,
        threshold_dbfs: float = THRESHOLD_DBFS,
    ) -> None:
        self.spans: list[Span] = []
        """Stretches so far; the last one may still grow."""
        self._join_s = join_s
        self._batch_s = self._first_batch_s = batch_ms / 1000
        self._heard_batch_s = (batch_ms if heard_batch_ms is None else heard_batch_ms) / 1000
        self._power = _FULL_SCALE**2 * 10 ** (threshold_dbfs / 10)
        self._placement = Placement(late_s)
        self._rate_hz = 0
        self._start_s = 0.0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._loudest = 0.0
        """Since the last pause, as power."""
        self._heard_until_s = float("-inf")

    def add(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Take s16le mono that came at `at_s`. It is judged with its batch."""
        for piece in self._placement.place(pcm, rate_hz, at_s):
            self.take(piece)

    def flush(self) -> None:
        """Judge all that came, a last short frame included."""
        for piece in self._placement.settle():
            self.take(piece)
        self._judge_rest()

    def take(self, piece: Piece) -> None:
        """Take the next piece of sound that is placed already."""
        rate_hz = piece.rate_hz
        if not piece.contiguous or rate_hz != self._rate_hz:
            self._judge_rest()
            self._start_s, self._rate_hz = piece.start_s, rate_hz
            self._batch_s = self._first_batch_s
        self._waiting.append(piece.pcm)
        self._waiting_bytes += len(piece.pcm)
        if self._waiting_bytes >= self._batch_s * rate_hz * SAMPLE_BYTES:
            self._judge(rate_hz * FRAME_MS // 1000)

    def _judge_rest(self) -> None:
        if not self._waiting:
            return
        frame = self._rate_hz * FRAME_MS // 1000
        self._judge(frame)
        if self._waiting:
            self._judge(self._waiting_bytes // SAMPLE_BYTES)

    def _judge(self, frame_samples: int) -> None:
        waiting = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        frames = len(waiting) // SAMPLE_BYTES // frame_samples
        samples = np.frombuffer(waiting, "<i2", frames * frame_samples).astype(np.float32)
        # Row by column is a dot product for each frame: the quickest way to its squares.
        rows, columns = (frames, 1, frame_samples), (frames, frame_samples, 1)
        power = np.matmul(samples.reshape(rows), samples.reshape(columns)).ravel()
        power /= frame_samples
        frame_s = frame_samples / self._rate_hz
        for first, end in _runs(power >= self._power):
            self._judge_run(power[first:end].tolist(), self._start_s + first * frame_s, frame_s)
        self._start_s += frames * frame_s
        left = waiting[frames * frame_samples * SAMPLE_BYTES :]
        self._waiting, self._waiting_bytes = [left] if left else [], len(left)

    def _judge_run(self, power: Sequence[float], start_s: float, frame_s: float) -> None:
        """Mark what is sound of frames that are all loud enough."""
        if start_s - self._heard_until_s > self._join_s:
            self._loudest = 0.0
        self._heard_until_s = start_s + len(power) * frame_s
        first: int | None = None
        for number, level in enumerate(power):
            if level > self._loudest:
                self._loudest = level
            if level < self._loudest * _RANGE:
                if first is not None:
                    self._mark(start_s + first * frame_s, start_s + number * frame_s)
                first = None
            elif first is None:
                first = number
        if first is not None:
            self._mark(start_s + first * frame_s, self._heard_until_s)

    def _mark(self, start_s: float, end_s: float) -> None:
        self._batch_s = self._heard_batch_s
        if self.spans and start_s - self.spans[-1].end_s <= self._join_s:
            start_s = self.spans.pop().start_s
        self.spans.append(Span(start_s=start_s, end_s=end_s))


def _runs(loud: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The stretches of True: their first index, and the one behind them."""
    values = loud.tolist()
    at, length = 0, len(values)
    while True in values[at:]:
        first = values.index(True, at)
        at = values.index(False, first) if False in values[first:] else length
        yield first, at
