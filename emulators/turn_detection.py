"""Server turn detection: where the user's turns begin and end in the audio of a session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import StreamResampler
from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.vad import (
    WINDOW_MS,
    WINDOW_SAMPLES,
    Scorer,
    SpeechBegan,
    SpeechEvent,
    VoiceDetector,
)

DETECTOR_RATE_HZ = 16_000
# Two windows of the model: one alone may be a click.
_START_MS = 64
# Speech goes on down to this much under the threshold, as Silero's authors advise.
_HYSTERESIS = 0.15
# The resampler answers so much late, at most.
_WITHHELD_MS = 2.0
# Of a window of -40 dB of full scale.
_LOUD_ENERGY = WINDOW_SAMPLES * 1e-4

ScorerFactory = Callable[[], Scorer]


def silero_scorer() -> Scorer:
    """A new stream of the Silero model."""
    return SileroStream(shared_model()).score


def energy_scorer() -> Scorer:
    """Takes every sound for speech, at a small part of what the model costs: for load tests."""
    return _is_loud


def _is_loud(window: NDArray[np.float32]) -> float:
    return float(np.dot(window, window) > _LOUD_ENERGY)


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


class _Windows(Protocol):
    """Judges a stream window by window."""

    def hear(self, pcm: bytes) -> Sequence[SpeechEvent]:
        """What the windows tell that these whole s16le samples complete."""


class _ScoredWindows:
    """Windows at the detector's rate, each scored.

    Args:
        rate_hz: Of the stream.
        detector: Scores and judges.
    """

    def __init__(self, rate_hz: int, detector: VoiceDetector) -> None:
        self._bytes_per_ms = rate_hz * SAMPLE_BYTES // 1000
        self._waiting = bytearray()
        self._heard_bytes = 0
        self._resampler = StreamResampler(rate_hz, DETECTOR_RATE_HZ)
        self._detector = detector

    def hear(self, pcm: bytes) -> Sequence[SpeechEvent]:
        windows = self._windows_heard
        self._heard_bytes += len(pcm)
        self._waiting += pcm
        if self._windows_heard == windows:
            # Nothing can be decided within a window, and each conversion has its price.
            return ()
        waiting, self._waiting = bytes(self._waiting), bytearray()
        return self._detector.feed(self._resampler.process(waiting))

    @property
    def _windows_heard(self) -> int:
        """How many windows are complete, what the resampler withholds not counted."""
        return int((self._heard_bytes / self._bytes_per_ms - _WITHHELD_MS) // WINDOW_MS)


class _LoudWindows:
    """Windows at the stream's own rate, each judged by its energy.

    Args:
        rate_hz: Of the stream; a window is a whole number of samples.
        detector: Judges.
    """

    def __init__(self, rate_hz: int, detector: VoiceDetector) -> None:
        samples = rate_hz * WINDOW_SAMPLES // DETECTOR_RATE_HZ
        self._window_bytes = samples * SAMPLE_BYTES
        # From a sum of squares of 16 bits to what a window of the detector has, from 0 to 1.
        self._scale = WINDOW_SAMPLES / samples / 32768**2
        self._waiting = bytearray()
        self._detector = detector

    def hear(self, pcm: bytes) -> Sequence[SpeechEvent]:
        waiting = self._waiting
        waiting += pcm
        if len(waiting) < self._window_bytes:
            return ()
        found = []
        whole = len(waiting) - len(waiting) % self._window_bytes
        for window in np.frombuffer(waiting[:whole], "<i2").reshape(-1, self._window_bytes // 2):
            samples = window.astype(np.float32)
            energy = float(np.dot(samples, samples)) * self._scale
            event = self._detector.judge(float(energy > _LOUD_ENERGY), energy)
            if event is not None:
                found.append(event)
        del waiting[:whole]
        return found


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
        self._detector = VoiceDetector(
            scorer,
            start_threshold=threshold,
            stay_threshold=max(0.0, threshold - _HYSTERESIS),
            start_ms=start_ms,
            stop_ms=silence_ms,
        )
        # Energy needs no conversion, where a window is a whole number of samples.
        as_it_is = scorer is _is_loud and rate_hz * WINDOW_SAMPLES % DETECTOR_RATE_HZ == 0
        self._windows: _Windows = (_LoudWindows if as_it_is else _ScoredWindows)(
            rate_hz, self._detector
        )

    @property
    def speaking(self) -> bool:
        return self._detector.speaking

    def hear(self, pcm: bytes) -> list[TurnBegan | TurnEnded]:
        """The turns that begin or end with this audio, whole s16le samples."""
        return [
            TurnBegan(start_ms=max(0, round(self._origin_ms + found.at_ms) - self.padding_ms))
            if isinstance(found, SpeechBegan)
            else TurnEnded(end_ms=round(self._origin_ms + found.decided_ms))
            for found in self._windows.hear(pcm)
        ]
