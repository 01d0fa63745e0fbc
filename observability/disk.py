"""The thread that does the writing, so that no audio path waits for a disk."""

import atexit
import threading
import time
from collections.abc import Callable
from time import sleep

_STEP_S = 0.0002
"""So long a drain may keep the interpreter from an event loop."""
_PAUSE_S = 0.001
"""A loop that has work lets go of the interpreter with everything that it sends: a thread that
waits for it then has a step between any two frames."""
_SHORT_PAUSE_S = 0.00002
"""A thread that sleeps at all lets go of it; one that sleeps for nothing may have it back first."""
_UNHURRIED_S = 0.5
"""So long into a stretch of work pauses are long: who is behind must catch up."""
_TOGETHER_S = 0.1
"""Who is due so soon is served along: a thread that wakes up takes the loop its turn."""
_LAST_S = 2.0
"""How long a disk that does not answer holds up the end of the program."""


class Breath:
    """Taken by a thread after each small piece of work, so that an event loop that waits for the
    interpreter has it then, and not only when five milliseconds have passed.

    Args:
        unhurried_s: So long into a stretch of work pauses are long.
    """

    def __init__(self, unhurried_s: float = _UNHURRIED_S) -> None:
        self._unhurried_s = unhurried_s
        self.begin()

    def begin(self) -> None:
        """A stretch of work begins."""
        self._began_s = self._since_s = time.perf_counter()

    def take(self) -> None:
        """Let go of the interpreter, if it was held for long enough."""
        now_s = time.perf_counter()
        if now_s - self._since_s >= _STEP_S:
            hurried = now_s - self._began_s > self._unhurried_s
            sleep(_SHORT_PAUSE_S if hurried else _PAUSE_S)
            self._since_s = time.perf_counter()


class DiskThread:
    """Calls `drain` in a thread: regularly, when woken, and a last time on close.

    One thread serves the whole process, for as long as there is anything to serve: calls are many,
    and a thread for each costs memory and wakes the processor for itself.

    Args:
        drain: Writes what waits. Handles its own errors; if it raises nevertheless, that is told
            as of any thread and it is called no more.
        interval_s: Real seconds between two calls, and so the most that a killed process loses.
    """

    def __init__(self, drain: Callable[[], None], *, interval_s: float = 1.0) -> None:
        self._drain = drain
        self._interval_s = interval_s
        self._due_s = time.monotonic() + interval_s
        self._woken = False
        self._closing = False
        self._over = threading.Event()
        _writer.join(self)

    def wake(self) -> None:
        """Have `drain` called soon."""
        self._woken = True
        _writer.wake()

    def close(self, timeout_s: float | None = None) -> None:
        """Drain once more and leave the thread. Blocks until it is done, or for so long."""
        self._closing = True
        _writer.wake()
        self._over.wait(timeout_s)

    def breathe(self) -> None:
        """Called by `drain` after each small piece of work."""
        _writer.breath.take()

    def due_in_s(self) -> float:
        """Seconds until it wants to be served."""
        return 0.0 if self._woken or self._closing else self._due_s - time.monotonic()

    def serve(self) -> bool:
        """Drain; whether it wants to be served again."""
        self._woken = False
        last = self._closing
        try:
            self._drain()
        except BaseException:
            self._over.set()
            raise
        self._due_s = time.monotonic() + self._interval_s
        if last:
            self._over.set()
        return not last


class _Writer:
    """The one thread, and whom it serves."""

    def __init__(self) -> None:
        self.breath = Breath()
        self._lock = threading.Lock()
        self._served: dict[DiskThread, None] = {}
        self._woken = threading.Event()
        self._running = False

    def join(self, one: DiskThread) -> None:
        with self._lock:
            self._served[one] = None
            if not self._running:
                self._running = True
                # A daemon: a crash of the program ends it; files are whole up to the last drain.
                threading.Thread(target=self._run, name="crossfade-disk", daemon=True).start()
        # It may sleep for longer than the new one can wait.
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    def close_all(self) -> None:
        """Have written what waits: the program ends, by an error perhaps, and nobody closed."""
        with self._lock:
            everyone = tuple(self._served)
        until_s = time.monotonic() + _LAST_S
        for one in everyone:
            one.close(max(0.0, until_s - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._served:
                    self._running = False
                    return
                everyone = tuple(self._served)
            self._woken.wait(max(0.0, min(one.due_in_s() for one in everyone)))
            self._woken.clear()
            self.breath.begin()
            for one in everyone:
                if one.due_in_s() > _TOGETHER_S:
                    continue
                if not self._served_again(one):
                    with self._lock:
                        del self._served[one]
                self.breath.take()

    def _served_again(self, one: DiskThread) -> bool:
        try:
            return one.serve()
        except Exception as error:
            thread = threading.current_thread()
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, thread))
            )
            return False


_writer = _Writer()
atexit.register(_writer.close_all)
