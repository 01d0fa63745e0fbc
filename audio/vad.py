"""When somebody speaks: speech probabilities and energy into beginnings and ends of speech."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from .pcm import SAMPLE_BYTES, check_mono, to_float

RATE_HZ = 16000
WINDOW_SAMPLES = 512
WINDOW_MS = WINDOW_SAMPLES * 1000 / RATE_HZ
WINDOW_BYTES = WINDOW_SAMPLES * SAMPLE_BYTES
QUIET_DBFS = -60.0
"""A window quieter than this is never speech."""
# A model hears a soft onset a window late (measured with Silero on recorded speech).
_LAG_MS = WINDOW_MS

Scorer = Callable[[NDArray[np.float32]], float]
"""Gives the speech probability of the next window of 512 samples at 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    """Somebody began to speak."""

    at_ms: float
    """Where in the stream the speech began."""
    decided_ms: float
    """How much of the stream had been heard when this was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """They stopped."""

    at_ms: float
    """Where in the stream the speech ended."""
    decided_ms: float
    """How much of the stream had been heard when this was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechConfirmed:
    """It is speech: there is more of it than a cough or a click makes."""

    at_ms: float
    """Where in the stream it was confirmed."""
    decided_ms: float
    """How much of the stream had been heard when this was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechDropped:
    """It was a false start: what began faded before it was confirmed."""

    at_ms: float
    """Where in the stream it faded."""
    decided_ms: float
    """How much of the stream had been heard when this was decided."""


SpeechEvent = SpeechBegan | SpeechConfirmed | SpeechDropped | SpeechEnded


class VoiceDetector:
    """Finds the beginnings and ends of speech in a stream of mono PCM at 16 kHz.

    Args:
        scorer: Speech probability of each window of 512 samples, called once a window in order;
            None where the windows are scored elsewhere and only judged here.
        start_threshold: Probability from which a window counts as speech while nobody speaks.
        stay_threshold: Probability from which it counts as speech while somebody speaks.
        start_ms: This much speech in a row begins it (rounded up to windows of 32 ms).
        stop_ms: This much without speech in a row ends it (likewise).
        gate_dbfs: A window quieter than this is never speech.
        confirm_ms: This much clear speech since its beginning confirms it, gaps allowed; None takes
            every beginning for speech and tells nothing of confirmation.
        confirm_threshold: Probability from which a window is clear speech.
        drop_ms: This much without speech in a row, before it is confirmed, makes it a false start.
    """

    def __init__(
        self,
        scorer: Scorer | None = None,
        *,
        start_threshold: float = 0.5,
        stay_threshold: float = 0.35,
        start_ms: float = 96,
        stop_ms: float = 480,
        gate_dbfs: float = QUIET_DBFS,
        confirm_ms: float | None = None,
        confirm_threshold: float = 0.8,
        drop_ms: float = 160,
    ) -> None:
        self.scorer = scorer
        self.settings: dict[str, float | None] = {
            "start_threshold": start_threshold,
            "stay_threshold": stay_threshold,
            "start_ms": start_ms,
            "stop_ms": stop_ms,
            "gate_dbfs": gate_dbfs,
            "confirm_ms": confirm_ms,
            "confirm_threshold": confirm_threshold,
            "drop_ms": drop_ms,
        }
        """What it was made with."""
        self.start_ms = _windows(start_ms) * WINDOW_MS
        self.stop_ms = _windows(stop_ms) * WINDOW_MS
        self._start_threshold = start_threshold
        self._stay_threshold = stay_threshold
        self._start_windows = _windows(start_ms)
        self._stop_windows = _windows(stop_ms)
        self._confirm_windows = None if confirm_ms is None else _windows(confirm_ms)
        self._confirm_threshold = confirm_threshold
        self._drop_windows = _windows(drop_ms)
        self._gate_energy = 10 ** (gate_dbfs / 10) * WINDOW_SAMPLES
        self._waiting = b""
        self._judged = 0
        self._against = 0
        self._clear = 0
        self.speaking = False
        """Whether speech has begun and not ended."""
        self._confirmed = False
        self._ended_ms = 0.0

    def feed(self, pcm: bytes) -> list[SpeechEvent]:
        """Hear the next sound, cut anywhere between samples; the events that it decides.

        Raises:
            SoundError: The number of bytes is odd.
        """
        assert self.scorer is not None, "a detector without a scorer only judges"
        events = []
        for window in self.windows(pcm):
            samples = to_float(window)
            energy = float(energies(samples[np.newaxis])[0])
            event = self.judge(self.scorer(samples), energy)
            if event:
                events.append(event)
        return events

    def windows(self, pcm: bytes) -> list[bytes]:
        """Hear the next sound; the windows that it completes, each still to be judged.

        With `judge` this is `feed` in two steps, for whoever scores many streams at once.

        Raises:
            SoundError: The number of bytes is odd.
        """
        waiting = self._waiting + pcm
        size = len(waiting)
        if size % SAMPLE_BYTES:
            check_mono(pcm)
        if size < WINDOW_BYTES:
            self._waiting = waiting
            return []
        if size < 2 * WINDOW_BYTES:
            self._waiting = waiting[WINDOW_BYTES:]
            return [waiting[:WINDOW_BYTES]]
        whole = size - size % WINDOW_BYTES
        self._waiting = waiting[whole:]
        return [waiting[at : at + WINDOW_BYTES] for at in range(0, whole, WINDOW_BYTES)]

    def judge(self, score: float, energy: float) -> SpeechEvent | None:
        """Take the next window by its speech probability and energy; the event that it decides."""
        self._judged += 1
        speaking = self.speaking
        threshold = self._stay_threshold if speaking else self._start_threshold
        voiced = score >= threshold and energy >= self._gate_energy
        # Windows in a row that speak against the present state.
        self._against = 0 if voiced == speaking else self._against + 1
        if voiced and score >= self._confirm_threshold:
            self._clear += 1
        elif not voiced and not speaking:
            self._clear = 0
        if not speaking:
            return self._begin() if self._against == self._start_windows else None
        if not self._confirmed:
            return self._weigh()
        return self._end() if self._against == self._stop_windows else None

    def _begin(self) -> SpeechBegan:
        began_ms = max(self._turned_ms - _LAG_MS, self._ended_ms)
        self.speaking, self._confirmed = True, self._confirm_windows is None
        self._against = 0
        return SpeechBegan(at_ms=began_ms, decided_ms=self._judged * WINDOW_MS)

    def _weigh(self) -> SpeechConfirmed | SpeechDropped | None:
        decided_ms = self._judged * WINDOW_MS
        if self._against == self._drop_windows:
            self._rest()
            return SpeechDropped(at_ms=self._ended_ms, decided_ms=decided_ms)
        if self._confirm_windows is not None and self._clear >= self._confirm_windows:
            self._confirmed = True
            return SpeechConfirmed(at_ms=decided_ms, decided_ms=decided_ms)
        return None

    def _end(self) -> SpeechEnded:
        self._rest()
        return SpeechEnded(at_ms=self._ended_ms, decided_ms=self._judged * WINDOW_MS)

    def _rest(self) -> None:
        self._ended_ms = self._turned_ms
        self.speaking = False
        self._against = 0
        self._clear = 0

    @property
    def _turned_ms(self) -> float:
        """Where the windows begin that speak against the present state."""
        return (self._judged - self._against) * WINDOW_MS

    def reset(self) -> None:
        """Start over at 0 ms, with nobody speaking."""
        self._waiting = b""
        self._judged = 0
        self._against = 0
        self._clear = 0
        self.speaking = False
        self._ended_ms = 0.0


def energies(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The energy of each of B windows, [B, 512] → [B]: the sum of squares of what can be heard.

    An offset, and what is slower than a window is long, is no sound, and is left out.
    """
    slow = np.einsum("ij,kj->ik", windows, _SLOW)
    heard: NDArray[np.float32] = np.einsum("ij,ij->i", windows, windows)
    heard -= np.einsum("ij,ij->i", slow, slow)
    return heard


def _slow() -> NDArray[np.float32]:
    """A constant and a slope, each of the energy 1."""
    shapes = np.stack((np.ones(WINDOW_SAMPLES), np.linspace(-1, 1, WINDOW_SAMPLES)))
    whole: NDArray[np.float64] = shapes / np.linalg.norm(shapes, axis=1, keepdims=True)
    return whole.astype(np.float32)


_SLOW = _slow()


def two_stage_detector(*, stop_ms: float = 480) -> VoiceDetector:
    """For a call: takes the first window that sounds like speech, and confirms it later.

    The figures were chosen on recorded prompts and noises, see docs/voice-activity.md.

    Args:
        stop_ms: This much without speech in a row ends it.
    """
    return VoiceDetector(start_threshold=0.7, start_ms=WINDOW_MS, stop_ms=stop_ms, confirm_ms=250)


def _windows(length_ms: float) -> int:
    """How many windows a length takes, at least one."""
    return max(1, ceil(length_ms / WINDOW_MS))
