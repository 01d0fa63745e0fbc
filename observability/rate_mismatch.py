"""Finds a live source whose sound has another rate than it says. Pure: told what comes and when.

A microphone or a telephone brings a second of sound in a second. One that brings more or less has
another rate than declared. Of a file or a burst, which come as fast as they can, nothing can be
told: this is for live sources.

A line that loses packets brings less, too. It does so in steps, a packet's length each, between
between which it keeps its time; a wrong rate falls behind a little with every packet. One that
sends nothing while nobody speaks keeps its time in most of its packets, too.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from math import log
from statistics import fmean, median

from crossfade.audio.pcm import SAMPLE_BYTES

WINDOW_S = 2.0
TOLERANCE = 0.05
FAR_ABOVE, FAR_BELOW = 1.15, 0.75
"""Two windows are enough where the rate is further off than this; else it takes four, and what is
missing must not be so in holes: no line that somebody speaks over loses a quarter."""
HOLE = 0.5
"""So much of a packet's length at once is a hole."""
_STEADIED = 5
"""A delay that no more packets than these have is jitter, and no hole."""
GAP_S = 0.25
PIECES = 8
"""Silence of the line that is longer than `GAP_S`, and than so many pieces of the declared rate, is
a pause, or a stall: nothing is measured across it. 8 kHz declared as 48 is six apart."""
AT_ONCE = 0.1
"""Pieces that are less of their length apart came together, as from a larger one that was cut."""
_RULE = 200
"""What so many pieces do is the rule."""
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
        self._owed_s = 0.0
        self._off: list[float] = []
        """How far off the last windows were, all in one direction, as factors."""
        self._off_holes_s = 0.0
        """What was missing in holes in these."""
        self._behind_s = self._least_s = 0.0
        self._recent: deque[float] = deque(maxlen=_STEADIED)
        """How far behind its time the source was with the last packets."""
        self._pace = _Pace()
        self._came: list[tuple[float, int]] = []
        """When pieces came, and their bytes, since it was last looked at them."""
        self._window: list[tuple[float, float]] = []
        """Of each piece of the window the time since the one before, and its length."""

    def hear(self, length_bytes: int, rate_hz: int, at_s: float) -> RateMismatch | None:
        """Note s16le mono of a declared rate that came at `at_s`; what was found, once."""
        if rate_hz != self._rate_hz:
            self._rate_hz, self._told = rate_hz, False
            self._owed_s, self._start_s = 0.0, None
            self._came.clear()
        if self._told or not length_bytes:
            return None
        self._came.append((at_s, length_bytes))
        # What came is looked at together, which is quicker than one by one.
        if self._start_s is not None and at_s - self._start_s < WINDOW_S:
            return None
        self._take()
        if self._start_s is None or at_s - self._start_s < WINDOW_S:
            return None
        return self._judge(at_s, at_s - self._start_s)

    def _take(self) -> None:
        """Look where there were pauses in what came."""
        a_second = SAMPLE_BYTES * self._rate_hz
        before_s = chain((self._last_s,), (at_s for at_s, _ in self._came))
        pieces = [
            (at_s - last_s, length_bytes / a_second)
            for (at_s, length_bytes), last_s in zip(self._came, before_s, strict=False)
        ]
        if self._start_s is not None and max(pieces)[0] <= GAP_S:
            self._window += pieces
        else:
            self._take_apart(pieces)
        self._last_s = self._came[-1][0]
        self._came.clear()

    def _take_apart(self, pieces: Sequence[tuple[float, float]]) -> None:
        for (gap_s, sound_s), (at_s, _) in zip(pieces, self._came, strict=True):
            if self._start_s is not None and gap_s <= max(GAP_S, PIECES * sound_s):
                self._window.append((gap_s, sound_s))
                continue
            if self._start_s is not None:
                self._owed_s = min(FORGIVEN_S, self._owed_s + gap_s)
            # The first piece was captured before: the measure begins with its arrival.
            self._begin(at_s)

    def _begin(self, at_s: float) -> None:
        self._start_s = at_s
        self._window.clear()
        self._behind_s = self._least_s = 0.0
        self._recent.clear()
        self._forget()

    def _forget(self) -> None:
        """Take the windows so far for right."""
        self._off, self._off_holes_s = [], 0.0
        self._pace = _Pace()

    def _skip(self) -> None:
        """Follow the source through a window that was right."""
        late_s = [gap_s - sound_s for gap_s, sound_s in self._window]
        behind_s = list(accumulate(late_s, initial=self._behind_s))
        self._behind_s = behind_s[-1]
        self._recent.extend(behind_s[1:])
        self._least_s = min(self._recent)
        self._window.clear()

    def _follow(self) -> float:
        """Follow the source through another one, and add up what it fell behind at once."""
        holes_s = 0.0
        for gap_s, sound_s in self._window:
            self._pace.note(gap_s, sound_s)
            self._behind_s += gap_s - sound_s
            self._recent.append(self._behind_s)
            least_s = min(self._recent)
            step_s, self._least_s = least_s - self._least_s, least_s
            if step_s >= HOLE * sound_s:
                holes_s += step_s
        self._window.clear()
        return holes_s

    def _judge(self, at_s: float, window_s: float) -> RateMismatch | None:
        sound_s = sum(sound_s for _, sound_s in self._window)
        late_s = min(self._owed_s, max(0.0, sound_s - window_s))
        self._owed_s -= late_s
        factor = (sound_s - late_s) / window_s
        self._start_s = at_s
        if factor > FASTEST or abs(factor - 1) <= TOLERANCE:
            self._skip()
            self._forget()
            return None
        holes_s = self._follow()
        if self._off and (self._off[-1] > 1) != (factor > 1):
            self._off, self._off_holes_s = [], 0.0
        self._off.append(factor)
        self._off_holes_s += holes_s
        mean = fmean(self._off)
        far = not FAR_BELOW <= mean <= FAR_ABOVE
        if len(self._off) < (2 if far else 4):
            return None
        missing_s = len(self._off) * WINDOW_S * (1 - mean)
        if not far and self._off_holes_s > missing_s / 2 > 0:
            # Packets are lost. The sound that comes is what it says.
            self._forget()
            return None
        if self._pace.is_right(mean):
            self._forget()
            return None
        self._told = True
        return RateMismatch(
            at_s=at_s,
            declared_hz=self._rate_hz,
            measured_hz=self._rate_hz * mean,
        )


class _Pace:
    """How pieces of sound follow each other as a rule, whatever lies between some of them."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, float]] = deque(maxlen=_RULE)
        """Of each of the last the time since the one before, and its length."""

    def note(self, gap_s: float, sound_s: float) -> None:
        """A piece came."""
        if self._pieces and gap_s < AT_ONCE * sound_s:
            before_s, begun_s = self._pieces.pop()
            gap_s, sound_s = before_s + gap_s, begun_s + sound_s
        self._pieces.append((gap_s, sound_s))

    def is_right(self, factor: float) -> bool:
        """Whether most pieces took as long as they are.

        Args:
            factor: How much sound came in a second, pauses and all.
        """
        if abs(self._as_a_rule(1) - 1) <= TOLERANCE:
            return True
        # Jitter hides it in single pieces. A wrong rate is nearly as wrong in a few as in all.
        few = self._as_a_rule(_STEADIED)
        return few > 0 and abs(log(few)) < 2 * abs(log(few * factor))

    def _as_a_rule(self, together: int) -> float:
        """How long pieces take for a second of sound, so many of them in a row; 0 is unknown."""
        pieces = list(self._pieces)
        rows = [pieces[n : n + together] for n in range(0, len(pieces) - together + 1, together)]
        paces = [sum(gap for gap, _ in row) / sum(sound for _, sound in row) for row in rows]
        return median(paces) if paces else 0.0


__all__ = ["RateMismatch", "RateWatch"]
