"""Whether a process has time left for another call, by what it measures of itself."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

BEAT_S = 0.02
"""As often as sound comes."""
LATE_S = 0.02
"""A beat so late comes when the next one is due: a caller would hear it."""
WINDOW_S = 3
MOST_LATE = 0.2
"""Share of late beats at which nobody else is taken."""
CALMER = 0.1
"""So far below a limit the process must come before it takes calls again."""
USUAL_CALL = 0.01
"""Share of a core that a call takes, before it is measured."""
_FEWEST_CALLS = 5
"""From so many on the share of one is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What was measured in a second."""

    cpu: float
    """Share of one core that the process had; the loop has one core at most."""
    late: float
    """Share of the beats that came late."""
    calls: float
    """That ran, on average."""


class Headroom:
    """Decides whether another call is taken. Pure.

    Full is known before calls break up: the share of the core that the calls of now will take is
    that of the last seconds, and what those that began since then will add. Late beats tell of a
    core that others have, too.

    Args:
        busy_at: Share of the core from which on nobody else is taken; 0 takes everybody.
    """

    def __init__(self, busy_at: float) -> None:
        self._busy_at = busy_at
        self._seconds: deque[Second] = deque(maxlen=WINDOW_S)
        self._was_busy = False

    def note(self, second: Second) -> None:
        """A second has passed."""
        self._seconds.append(second)

    @property
    def cpu(self) -> float:
        """Of the last seconds."""
        return self._mean([each.cpu for each in self._seconds])

    @property
    def late(self) -> float:
        """Of the last seconds."""
        return self._mean([each.late for each in self._seconds])

    def busy(self, calls: int) -> bool:
        """Whether there is no time for one more.

        Args:
            calls: That run or begin. Where there is none, nobody could be disturbed.
        """
        if not self._busy_at:
            return False
        less = CALMER if self._was_busy else 0.0
        measured = len(self._seconds) == WINDOW_S
        late = measured and self.late > MOST_LATE * (1 - less)
        full = self.expected(calls + 1) > self._busy_at - less
        self._was_busy = bool(calls) and (late or full)
        return self._was_busy

    def expected(self, calls: int) -> float:
        """The share of the core that so many calls will take."""
        ran = self._mean([each.calls for each in self._seconds])
        each = self.cpu / ran if ran >= _FEWEST_CALLS else USUAL_CALL
        return self.cpu + max(0.0, calls - ran) * each

    def _mean(self, values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0


class Meter:
    """Measures this process on the running loop, for as long as the block runs.

    Args:
        headroom: Told each second.
    """

    def __init__(self, headroom: Headroom) -> None:
        self._headroom = headroom
        self._running = 0
        self._beats = self._late = self._calls = 0
        self._due_s = self._since_s = self._cpu_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "Meter":
        loop = asyncio.get_running_loop()
        self._since_s, self._cpu_s = loop.time(), time.process_time()
        self._due_s = self._since_s + BEAT_S
        self._timer = loop.call_at(self._due_s, self._beat)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def runs(self, calls: int) -> None:
        """So many calls run from now on."""
        self._running = calls

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        # Whatever was due since then is as late.
        while self._due_s <= now_s:
            self._beats += 1
            self._late += now_s - self._due_s > LATE_S
            self._calls += self._running
            self._due_s += BEAT_S
        if now_s - self._since_s >= 1:
            self._tell(now_s)
        self._timer = loop.call_at(self._due_s, self._beat)

    def _tell(self, now_s: float) -> None:
        cpu_s = time.process_time()
        self._headroom.note(
            Second(
                cpu=(cpu_s - self._cpu_s) / (now_s - self._since_s),
                late=self._late / self._beats,
                calls=self._calls / self._beats,
            )
        )
        self._beats = self._late = self._calls = 0
        self._since_s, self._cpu_s = now_s, cpu_s


__all__ = ["BEAT_S", "CALMER", "LATE_S", "MOST_LATE", "WINDOW_S", "Headroom", "Meter", "Second"]
