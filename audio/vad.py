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
_WINDOW_BYTES = WINDOW_SAMPLES * SAMPLE_BYTES
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


class VoiceDetector:
    """Finds the beginnings and ends of speech in a stream of mono PCM at 16 kHz.

    Args:
        scorer: Speech probability of each window of 512 samples, called once a window in order.
        start_threshold: Probability from which a window counts as speech while nobody speaks.
        stay_threshold: Probability from which it counts as speech while somebody speaks.
        start_ms: This much speech in a row begins it (rounded up to windows of 32 ms).
        stop_ms: This much without speech in a row ends it (likewise).
        gate_dbfs: A window quieter than this is never speech.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        start_threshold: float = 0.5,
        stay_threshold: float = 0.35,
        start_ms: float = 96,
        stop_ms: float = 480,
        gate_dbfs: float = -60.0,
    ) -> None:
        self._scorer = scorer
        self._start_threshold = start_threshold
        self._stay_threshold = stay_threshold
        self._start_windows = max(1, ceil(start_ms / WINDOW_MS))
        self._stop_windows = max(1, ceil(stop_ms / WINDOW_MS))
        self._gate_power = 10 ** (gate_dbfs / 10)
        self._waiting = b""
        self._judged = 0
        self._against = 0
        self._speaking = False
        self._ended_ms = 0.0

    @property
    def speaking(self) -> bool:
        """Whether speech has begun and not ended."""
        return self._speaking

    def feed(self, pcm: bytes) -> list[SpeechBegan | SpeechEnded]:
        """Hear the next sound, cut anywhere between samples; the events that it decides.

        Raises:
            SoundError: The number of bytes is odd.
        """
        events = []
        for window in self.windows(pcm):
            event = self.judge(window, self._scorer(window))
            if event:
                events.append(event)
        return events

    def windows(self, pcm: bytes) -> list[NDArray[np.float32]]:
        """Hear the next sound; the windows that it completes, each still to be judged.

        With `judge` this is `feed` in two steps, for whoever scores many streams at once.

        Raises:
            SoundError: The number of bytes is odd.
        """
        check_mono(pcm)
        waiting = self._waiting + pcm
        whole = len(waiting) - len(waiting) % _WINDOW_BYTES
        self._waiting = waiting[whole:]
        return list(to_float(waiting[:whole]).reshape(-1, WINDOW_SAMPLES))

    def judge(self, window: NDArray[np.float32], score: float) -> SpeechBegan | SpeechEnded | None:
        """Take the next window with its speech probability; the event that it decides."""
        self._judged += 1
        threshold = self._stay_threshold if self._speaking else self._start_threshold
        loud = float(window @ window) >= self._gate_power * WINDOW_SAMPLES
        # Windows in a row that speak against the present state.
        self._against = self._against + 1 if (score >= threshold and loud) != self._speaking else 0
        needed = self._stop_windows if self._speaking else self._start_windows
        if self._against < needed:
            return None
        at_ms = (self._judged - self._against) * WINDOW_MS
        decided_ms = self._judged * WINDOW_MS
        self._speaking = not self._speaking
        self._against = 0
        if self._speaking:
            began_ms = max(at_ms - _LAG_MS, self._ended_ms)
            return SpeechBegan(at_ms=began_ms, decided_ms=decided_ms)
        self._ended_ms = at_ms
        return SpeechEnded(at_ms=at_ms, decided_ms=decided_ms)

    def reset(self) -> None:
        """Start over at 0 ms, with nobody speaking."""
        self._waiting = b""
        self._judged = 0
        self._against = 0
        self._speaking = False
        self._ended_ms = 0.0
