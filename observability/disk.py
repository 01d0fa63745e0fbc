"""The thread that does the writing, so that no audio path waits for a disk."""

import threading
from collections.abc import Callable


class DiskThread:
    """Calls `drain` in a thread of its own: regularly, when woken, and a last time on close.

    Args:
        name: Name of the thread.
        drain: Writes what waits. Handles its own errors: it must not raise.
        interval_s: Real seconds between two calls, and so the most that a killed process loses.
    """

    def __init__(self, name: str, drain: Callable[[], None], *, interval_s: float = 0.25) -> None:
        self._drain = drain
        self._interval_s = interval_s
        self._woken = threading.Event()
        self._closing = False
        # A daemon: a crash of the program ends it, and the files are whole up to the last drain.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have `drain` called soon."""
        self._woken.set()

    def close(self) -> None:
        """Drain once more and end the thread. Blocks until it is done."""
        self._closing = True
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._woken.wait(self._interval_s)
            self._woken.clear()
            self._drain()
        self._drain()
