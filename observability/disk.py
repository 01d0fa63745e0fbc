"""The thread that does the writing, so that no audio path waits for a disk."""

import atexit
import threading
from collections.abc import Callable
from threading import get_ident
from time import monotonic, sleep, thread_time

_STEP_S = 0.00025
"""So long a drain may keep the interpreter from an event loop."""
_LEAST_SHARE, _HALF_SHARE = 1 / 8, 1 / 2
"""Of the time, for who is in time and for who is late."""
_SHORTEST_PAUSE_S = 0.00002
"""A thread that sleeps at all lets go of the interpreter; one that sleeps for nothing may have it
back first."""
_LONGEST_PAUSE_S = 0.005
_LATE_S = 0.5
_TOO_LATE = 4
"""Times as late, and nobody can wait any longer."""
_TOGETHER_S = 0.1
"""Who is due so soon is served along: a thread that wakes up takes the loop its turn."""
_LAST_S = 2.0
"""How long a disk that does not answer holds up the end of the program."""


class Breath:
    """Taken by a thread after each small piece of work, so that an event loop that waits for the
    interpreter has it then, and not only when five milliseconds have passed.

    After a quarter of a millisecond of work there is a pause, as long as need be: who is in time
    works an eighth of the time, and the more the later he is: a quarter at a third of `late_s`, a
    half at `late_s`, and after four times that nearly all of it.

    Args:
        late_s: So much behind, he works half of the time.
    """

    def __init__(self, late_s: float = _LATE_S) -> None:
        self._late_s = late_s
        self.begin()

    def begin(self) -> None:
        """Work begins, in this thread."""
        self._thread = get_ident()
        self._since_s = thread_time()
        self._due_s = monotonic()

    def go_on(self, due_s: float) -> None:
        """What comes next was due then."""
        self._due_s = due_s

    def take(self) -> None:
        """Let go of the interpreter, if it was held for long enough."""
        worked_s = thread_time() - self._since_s
        # What is worked in another thread is nothing to this one.
        if worked_s >= _STEP_S and get_ident() == self._thread:
            sleep(self._pause_s(worked_s))
            self._since_s = thread_time()

    def _pause_s(self, worked_s: float) -> float:
        late = max(0.0, monotonic() - self._due_s) / self._late_s
        if late >= _TOO_LATE:
            return _SHORTEST_PAUSE_S
        share = _LEAST_SHARE + (_HALF_SHARE - _LEAST_SHARE) * min(1.0, late)
        return min(_LONGEST_PAUSE_S, worked_s * (1 - share) / share)


class DiskThread:
    """Calls `drain` in a thread: regularly, when woken, and a last time on close.

    One thread serves the whole process, for as long as there is anything to serve: calls are many,
    and a thread for each costs memory and wakes the processor for itself.

    A killed process loses what came since the last call of `drain` began: an interval, and as much
    as the thread is late. Where it keeps up with less than a quarter of the interpreter's time,
    that is under 0.2 s; it takes half at 0.5 s, and from 2 s on what it can get.

    Args:
        drain: Writes what waits. Handles its own errors; if it raises nevertheless, that is told
            as of any thread and it is called no more.
        interval_s: Real seconds between two calls.
    """

    def __init__(self, drain: Callable[[], None], *, interval_s: float = 1.0) -> None:
        self._drain = drain
        self._interval_s = interval_s
        self._regular_s = monotonic() + interval_s
        self._asked_s = float("inf")
        self._closing = False
        self._over = threading.Event()
        _writer.join(self)

    def wake(self) -> None:
        """Have `drain` called soon."""
        self._asked_s = min(self._asked_s, monotonic())
        _writer.wake()

    def close(self, timeout_s: float | None = None) -> None:
        """Drain once more and leave the thread. Blocks until it is done, or for so long."""
        self._closing = True
        self.wake()
        self._over.wait(timeout_s)

    def breathe(self) -> None:
        """Called by `drain` after each small piece of work."""
        _writer.breath.take()

    @property
    def due_s(self) -> float:
        """When it wants to be served."""
        return min(self._regular_s, self._asked_s)

    def serve(self) -> bool:
        """Drain; whether it wants to be served again."""
        self._regular_s = monotonic() + self._interval_s
        # Before it is looked what is asked: who asks meanwhile asks for another time.
        self._asked_s = float("inf")
        last = self._closing
        try:
            self._drain()
        except BaseException:
            self._over.set()
            raise
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
        until_s = monotonic() + _LAST_S
        for one in everyone:
            one.close(max(0.0, until_s - monotonic()))

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._served:
                    self._running = False
                    return
                everyone = tuple(self._served)
            self._woken.wait(max(0.0, min(one.due_s for one in everyone) - monotonic()))
            self._woken.clear()
            self.breath.begin()
            for one in everyone:
                if one.due_s > monotonic() + _TOGETHER_S:
                    continue
                self.breath.go_on(one.due_s)
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
