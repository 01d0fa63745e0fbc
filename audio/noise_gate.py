"""Which windows of a stream need not be scored: those no louder than what was not speech."""

from collections import deque
from collections.abc import Sequence

from .vad import QUIET_DBFS, WINDOW_SAMPLES

_CLEAR_BELOW = 0.1
CLEAR_WINDOWS = 16
"""So many in a row that are clearly not speech, about half a second, tell how loud silence is."""
LOUDER = 2.0
"""Times the energy of silence, 3 dB: a window from there on is scored."""
SOFTER = 0.25
"""Times the energy of silence, 6 dB below: a noise is over, and silence is what is left."""
KEPT_WINDOWS = 4
"""Without having heard so many before an onset, the model tells it 10 ms later, some by 20."""
_QUIET_ENERGY = 10 ** (QUIET_DBFS / 10) * WINDOW_SAMPLES


class NoiseGate:
    """Spares the speech model what a line sounds like while nobody speaks on it.

    It opens at the first window that is louder, and closes when the model has found nothing for
    half a second. Energy is a window's, as `energies` gives it.
    """

    def __init__(self) -> None:
        self._open = True
        self._clear = 0
        self._silence_energy = 0.0
        self._kept: deque[bytes] = deque(maxlen=KEPT_WINDOWS)

    def passes(self, window: bytes, energy: float, *, speaking: bool) -> bool:
        """Whether the next window is to be scored.

        Args:
            window: Its samples, which are kept if it is not.
            energy: Of it.
            speaking: Whether somebody speaks already; the end of speech is the model's to tell.
        """
        if self._open:
            return True
        louder = energy > _QUIET_ENERGY and energy > LOUDER * self._silence_energy
        if speaking or louder:
            self._open, self._clear = True, 0
            return True
        self._kept.append(window)
        self._follow(energy, CLEAR_WINDOWS)
        return False

    def judged(self, score: float, energy: float) -> None:
        """Learn what the model found in a window that passed."""
        if score >= _CLEAR_BELOW:
            self._clear = 0
            return
        self._clear += 1
        self._follow(energy, self._clear)
        self._open = self._clear < CLEAR_WINDOWS

    def take_kept(self) -> Sequence[bytes]:
        """The windows just before the one that passed, at most four, for the model to hear first.

        They are given once.
        """
        kept = tuple(self._kept)
        self._kept.clear()
        return kept

    def _follow(self, energy: float, windows: int) -> None:
        """A running mean of so many, which does not outlast a noise that ends."""
        if energy < SOFTER * self._silence_energy:
            self._silence_energy = energy
        else:
            self._silence_energy += (energy - self._silence_energy) / windows
