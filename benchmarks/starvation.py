"""Whether somebody else had the core that a measured process is pinned to."""

import os
import time
from pathlib import Path

STARVED_SHARE = 0.03
"""Of the time; above it a figure tells more of the machine than of what is measured."""
_STAT = Path("/proc/stat")
_SCHEDSTAT = Path("/proc/self/schedstat")
_STEAL = 8
"""Where a line of /proc/stat says what a hypervisor gave to others (proc(5))."""


class Starvation:
    """How long this process waited for its core because of others, from now on.

    The main thread's wait for a core, as Linux counts it, less what this process's other threads
    ran meanwhile on the same core; and what the hypervisor took. Elsewhere it is nothing.

    Args:
        core: The core that the process is pinned to.
    """

    def __init__(self, core: int) -> None:
        self._core = core
        self._began_s = time.monotonic()
        self._waited_s = _waited_s()
        self._stolen_s = _stolen_s(core)
        self._others_s = _other_threads_s()

    def share(self) -> float:
        """Of the time since, 0 to 1. Asked by the main thread."""
        passed_s = time.monotonic() - self._began_s
        own_s = _other_threads_s() - self._others_s
        waited_s = max(0.0, _waited_s() - self._waited_s - own_s)
        stolen_s = _stolen_s(self._core) - self._stolen_s
        return min(1.0, (waited_s + stolen_s) / passed_s) if passed_s else 0.0


def _waited_s() -> float:
    """The main thread's wait, from "ran waited turns" in ns."""
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _other_threads_s() -> float:
    return time.process_time() - time.thread_time()


def _stolen_s(core: int) -> float:
    try:
        lines = _STAT.read_text().splitlines()
    except OSError:
        return 0.0
    fields = next((line.split() for line in lines if line.startswith(f"cpu{core} ")), [])
    return int(fields[_STEAL]) / os.sysconf("SC_CLK_TCK") if len(fields) > _STEAL else 0.0


__all__ = ["STARVED_SHARE", "Starvation"]
