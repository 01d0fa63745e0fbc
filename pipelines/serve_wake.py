"""Whether a process slept so long that its calls may be another's by now. Pure, but for its clock.

A process that was stopped (SIGSTOP), or whose machine slept, goes on in the middle of a word as if
nothing had happened. It must not speak before it has asked whose its calls are.
"""

import time
from collections.abc import Callable


def _uptime_s() -> float:
    """Goes on while the machine sleeps, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Wakefulness:
    """Notices that a process did nothing for a while.

    Args:
        limit_s: A pause of so much is a sleep; who is awake looks more often.
        patience_s: So long after a sleep it is unsure at most, when nobody answers.
        clock: In seconds.
    """

    def __init__(
        self, *, limit_s: float, patience_s: float = 2.0, clock: Callable[[], float] = _uptime_s
    ) -> None:
        self._limit_s = limit_s
        self._patience_s = patience_s
        self._clock = clock
        self._seen_s = clock()
        self._woke_s: float | None = None

    def unsure(self) -> bool:
        """Whether it has slept, and nobody has said since that its calls are still its own."""
        now_s = self._clock()
        if now_s - self._seen_s > self._limit_s:
            self._woke_s = now_s
        self._seen_s = now_s
        return self._woke_s is not None and now_s - self._woke_s < self._patience_s

    def confirm(self) -> None:
        """Those that are another's are known now."""
        self._woke_s = None


__all__ = ["Wakefulness"]
