"""What a recording tells, read once from end to end: turns, a picture of it, and its levels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .turns import RecordedTurns, RecordingMeter, stereo_blocks

PEAK_MS = 20
"""One bar of the picture."""
_FRAME_MS = 10
_FULL_SCALE = 32768.0
_CLIPPED = 32700
_CLIPPED_SAMPLES = 3
"""So many samples at full scale in a row sound broken."""
_HUM_DBFS = -65.0
"""What lies below is the line's noise and says nothing of the voice."""
_LOUD_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side's sound."""

    peaks: bytes
    """The largest amplitude of each `PEAK_MS`, 255 being full scale."""
    loud_dbfs: float | None
    """The level that a tenth of the sound is above; None where there is none."""
    clipped_s: tuple[float, ...]
    """The frames of 10 ms that are cut off at full scale: where they begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSound:
    """A whole recording."""

    rate_hz: int
    turns: RecordedTurns
    caller: Side
    agent: Side


def read_recording(path: Path) -> RunSound:
    """Read a stereo recording, as far as it goes, in constant memory but for the picture.

    Raises:
        SettingsError: The file is missing, is no sound file, or is not stereo.
    """
    meter = RecordingMeter()
    sides = (_SideReader(), _SideReader())
    rate_hz = 24_000
    for frames, rate_hz in stereo_blocks(path):  # the rate is kept
        meter.add(frames, rate_hz)
        for channel, side in enumerate(sides):
            side.add(frames[:, channel], rate_hz)
    caller, agent = (side.finish() for side in sides)
    return RunSound(rate_hz=rate_hz, turns=meter.turns(), caller=caller, agent=agent)


class _SideReader:
    """Gathers one side. Blocks are whole frames, but for the last."""

    def __init__(self) -> None:
        self._peaks = bytearray()
        self._levels: list[NDArray[np.float32]] = []
        self._clipped_s: list[float] = []
        self._end_s = 0.0

    def add(self, samples: NDArray[np.int16], rate_hz: int) -> None:
        height = np.abs(samples.astype(np.int32))
        frame = rate_hz * _FRAME_MS // 1000
        self._picture(height, rate_hz * PEAK_MS // 1000)
        whole = len(samples) // frame * frame
        blocks = samples[:whole].reshape(-1, frame).astype(np.float32)
        power = np.einsum("ij,ij->i", blocks, blocks) / frame / _FULL_SCALE**2
        self._levels.append(10 * np.log10(np.maximum(power, 1e-12)))
        self._find_clipping(height[:whole].reshape(-1, frame))
        self._end_s += len(samples) / rate_hz

    def finish(self) -> Side:
        levels = np.concatenate(self._levels) if self._levels else np.zeros(0, np.float32)
        voiced = levels[levels > _HUM_DBFS]
        loud = float(np.quantile(voiced, _LOUD_SHARE)) if len(voiced) else None
        return Side(peaks=bytes(self._peaks), loud_dbfs=loud, clipped_s=tuple(self._clipped_s))

    def _picture(self, height: NDArray[np.int32], bar: int) -> None:
        bars = -(-len(height) // bar)
        padded = np.zeros(bars * bar, np.int32)
        padded[: len(height)] = height
        peaks = padded.reshape(bars, bar).max(axis=1)
        self._peaks += np.minimum(255, peaks * 255 // 32767).astype(np.uint8).tobytes()

    def _find_clipping(self, frames: NDArray[np.int32]) -> None:
        full = frames >= _CLIPPED
        for index in np.flatnonzero(full.sum(axis=1) >= _CLIPPED_SAMPLES):
            runs = np.convolve(full[index], np.ones(_CLIPPED_SAMPLES, int), "valid")
            if (runs == _CLIPPED_SAMPLES).any():
                self._clipped_s.append(self._end_s + float(index) * _FRAME_MS / 1000)


__all__ = ["PEAK_MS", "RunSound", "Side", "read_recording"]
