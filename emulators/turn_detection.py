"""Server turn detection: where the user's turns begin and end in the audio of a session."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from crossfade.audio.resample import StreamResampler
from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.vad import WINDOW_MS, Scorer, SpeechBegan, VoiceDetector

DETECTOR_RATE_HZ = 16_000
# Two windows of the model: one alone may be a click.
_START_MS = 64
# Speech goes on down to this much under the threshold, as Silero's authors advise.
_HYSTERESIS = 0.15
# The resampler answers so much late, at most.
_WITHHELD_MS = 2.0
# Mean square of a sound of -40 dB of full scale.
_SOUND_POWER = 1e-4

ScorerFactory = Callable[[], Scorer]


def silero_scorer() -> Scorer:
    """A new stream of the Silero model."""
    return SileroStream(shared_model()).score


def energy_scorer() -> Scorer:
    """Takes every sound for speech, at a small part of what the model costs: for load tests."""
    return _is_loud


def _is_loud(window: NDArray[np.float32]) -> float:
    return float(np.dot(window, window) > window.size * _SOUND_POWER)


SCORERS: Mapping[str, ScorerFactory] = {"silero": silero_scorer, "energy": energy_scorer}
"""The scorers by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnBegan:
    """The user speaks."""

    start_ms: int
    """Where the turn's audio begins: at the speech, less the padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The user has been silent for long enough."""

    end_ms: int
    """Where the turn's audio ends, with that silence."""


class NearestSamples:
    """Changes the rate of s16le sound by repeating samples or leaving them out."""

    def __init__(self, in_rate_hz: int, out_rate_hz: int) -> None:
        shared = gcd(in_rate_hz, out_rate_hz)
        self._in_rate_hz = in_rate_hz // shared
        self._out_rate_hz = out_rate_hz // shared
        self._heard = 0

    def process(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, dtype="<i2")
        places = _places(self._heard, samples.size, self._in_rate_hz, self._out_rate_hz)
        # Only the place between two samples of both rates matters.
        self._heard = (self._heard + samples.size) % self._in_rate_hz
        return samples[places].tobytes()


@functools.lru_cache(maxsize=256)
def _places(heard: int, count: int, in_rate_hz: int, out_rate_hz: int) -> NDArray[np.int_]:
    """Which of the next `count` samples are taken, when `heard` came before them."""
    first = -(-heard * out_rate_hz // in_rate_hz)
    end = -(-(heard + count) * out_rate_hz // in_rate_hz)
    return np.arange(first, end) * in_rate_hz // out_rate_hz - heard


class TurnDetector:
    """Listens to a session's audio for turns.

    Args:
        rate_hz: Of the audio.
        threshold: Probability from which a window is speech.
        padding_ms: How much audio before the speech belongs to its turn.
        silence_ms: How long a silence ends the turn.
        origin_ms: The audio of the session before the first sample that this detector hears.
        scorer: Gives speech probabilities.
        start_ms: How much speech in a row begins a turn.
    """

    def __init__(
        self,
        *,
        rate_hz: int,
        threshold: float,
        padding_ms: int,
        silence_ms: int,
        origin_ms: int,
        scorer: Scorer,
        start_ms: int = _START_MS,
    ) -> None:
        self.padding_ms = padding_ms
        self._origin_ms = origin_ms
        # Energy needs no filter: what aliases is as loud as it was.
        nearest = scorer is _is_loud and rate_hz != DETECTOR_RATE_HZ
        make = NearestSamples if nearest else StreamResampler
        self._bytes_per_ms = rate_hz * 2 // 1000
        self._waiting = bytearray()
        self._heard_bytes = 0
        self._resampler: NearestSamples | StreamResampler = make(rate_hz, DETECTOR_RATE_HZ)
        self._detector = VoiceDetector(
            scorer,
            start_threshold=threshold,
            stay_threshold=max(0.0, threshold - _HYSTERESIS),
            start_ms=start_ms,
            stop_ms=silence_ms,
        )

    @property
    def speaking(self) -> bool:
        return self._detector.speaking

    def hear(self, pcm: bytes) -> list[TurnBegan | TurnEnded]:
        """The turns that begin or end with this audio, whole s16le samples."""
        windows = self._windows_heard
        self._heard_bytes += len(pcm)
        self._waiting += pcm
        if self._windows_heard == windows:
            # Nothing can be decided within a window, and each conversion has its price.
            return []
        waiting, self._waiting = bytes(self._waiting), bytearray()
        return [
            TurnBegan(start_ms=max(0, round(self._origin_ms + found.at_ms) - self.padding_ms))
            if isinstance(found, SpeechBegan)
            else TurnEnded(end_ms=round(self._origin_ms + found.decided_ms))
            for found in self._detector.feed(self._resampler.process(waiting))
        ]

    @property
    def _windows_heard(self) -> int:
        """How many windows are complete, what the resampler withholds not counted."""
        return int((self._heard_bytes / self._bytes_per_ms - _WITHHELD_MS) // WINDOW_MS)
