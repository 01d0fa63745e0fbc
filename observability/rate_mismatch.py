"""Finds a live source whose sound has another rate than it says. Pure: told what comes and when.

A microphone or a telephone brings a second of sound in a second. One that brings more or less has
another rate than declared. Of a file or a burst, which come as fast as they can, nothing can be
told: this is for live sources.
"""

from dataclasses import dataclass
from statistics import fmean

from crossfade.audio.pcm import SAMPLE_BYTES

WINDOW_S = 2.0
TOLERANCE = 0.05
FAR = 0.15
"""Two windows are enough where the rate is further off than this; else it takes four: jitter and
lost packets are seldom so great, and seldom last so long."""
GAP_S = 0.25
"""Silence of the line that is longer is a pause, or a stall: nothing is measured across it."""
FORGIVEN_S = 10.0
"""What a source may have to catch up with, at most."""
FASTEST = 6.5
"""Nothing comes faster than 48 kHz declared as 8: it is a burst."""

_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMismatch:
    """Sound came at another rate than declared."""

    at_s: float
    """When that was sure."""
    declared_hz: int
    measured_hz: float

    @property
    def likely_hz(self) -> int:
        """The rate in use that is nearest, else what was measured."""
        near = min(_RATES_HZ, key=lambda rate_hz: abs(rate_hz - self.measured_hz))
        fits = abs(near - self.measured_hz) <= TOLERANCE * near and near != self.declared_hz
        return near if fits else round(self.measured_hz)


class RateWatch:
    """Compares the declared rate with what arrives, in windows that follow each other.

    Windows in a row must be off in the same direction: jitter that makes one of them too short
    makes the next one too long. What comes in excess after a stall was late, and is forgiven up to
    the length of the stall. Each declared rate is told of once.
    """

    def __init__(self) -> None:
        self._rate_hz = 0
        self._told = False
        self._last_s = 0.0
        self._start_s: float | None = None
        self._bytes = 0
        self._owed_s = 0.0
        self._off: list[float] = []
        """How far off the last windows were, all in one direction, as factors."""

    def hear(self, length_bytes: int, rate_hz: int, at_s: float) -> RateMismatch | None:
        """Note s16le mono of a declared rate that came at `at_s`; what was found, once."""
        if rate_hz != self._rate_hz:
            self._rate_hz, self._told = rate_hz, False
            self._owed_s = 0.0
            self._begin(at_s)
        if self._told:
            return None
        gap_s = at_s - self._last_s
        self._last_s = at_s
        if self._start_s is None or gap_s > GAP_S:
            if self._start_s is not None:
                self._owed_s = min(FORGIVEN_S, self._owed_s + gap_s)
            self._begin(at_s)
            # The first piece was captured before: the measure begins with its arrival.
            return None
        self._bytes += length_bytes
        if at_s - self._start_s < WINDOW_S:
            return None
        return self._judge(at_s, at_s - self._start_s)

    def _begin(self, at_s: float) -> None:
        self._start_s, self._last_s = at_s, at_s
        self._bytes, self._off = 0, []

    def _judge(self, at_s: float, window_s: float) -> RateMismatch | None:
        sound_s = self._bytes / SAMPLE_BYTES / self._rate_hz
        late_s = min(self._owed_s, max(0.0, sound_s - window_s))
        self._owed_s -= late_s
        factor = (sound_s - late_s) / window_s
        self._start_s, self._bytes = at_s, 0
        if factor > FASTEST or abs(factor - 1) <= TOLERANCE:
            self._off = []
            return None
        if self._off and (self._off[-1] > 1) != (factor > 1):
            self._off = []
        self._off.append(factor)
        mean = fmean(self._off)
        if len(self._off) < (2 if abs(mean - 1) > FAR else 4):
            return None
        self._told = True
        return RateMismatch(
            at_s=at_s,
            declared_hz=self._rate_hz,
            measured_hz=self._rate_hz * mean,
        )


__all__ = ["RateMismatch", "RateWatch"]
