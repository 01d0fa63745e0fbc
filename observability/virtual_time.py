"""An event loop on a virtual clock: a minute of call runs in the time that its work takes.

When nothing is ready to run, the clock jumps to the next timer. It does not jump while

* bytes are between two sockets of the loop (see `loopback`),
* a job of an executor, a child process or anybody's `hold()` is outstanding: the loop then waits
  in real time. A hold younger than `patience_s` stops the clock, so that short jobs take no
  virtual time and runs repeat exactly; under older ones alone it runs at real speed, so that a
  worker which itself waits for the loop cannot hang the run.

Everything that the run talks to must live in the loop; TLS and datagrams are not counted.
"""

import asyncio
import contextlib
import math
import selectors
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, TypeVar

from crossfade.errors import CrossfadeError

from .loopback import LoopbackLedger

T = TypeVar("T")
Ready = list[tuple[selectors.SelectorKey, int]]

START_S = 1000.0
"""`loop.time()` of a new loop; not 0, which pipecat's clock takes for "not started"."""
EPOCH_S = 1_767_225_600.0
"""`time.time()` of a new loop: 1 January 2026."""

_SETTLE_S = 0.001
_ARRIVAL_S = 0.25

_real_monotonic = time.monotonic


class VirtualTimeError(CrossfadeError):
    """A run in virtual time cannot go on: it is deadlocked, or ran past its time limit."""


class Hold:
    """Keeps the clock from jumping until released. Also a context manager.

    Belongs to the loop's thread.
    """

    def __init__(self, held: "dict[Hold, float]") -> None:
        self._held = held
        held[self] = _real_monotonic()

    def release(self, *_: object) -> None:
        """Let the clock jump again. Releasing twice does no harm."""
        self._held.pop(self, None)

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class _Selector(selectors.DefaultSelector):
    """Asks the loop what to do instead of sleeping."""

    def __init__(self, wait: Callable[["_Selector", float | None], Ready]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> Ready:
        if timeout == 0:
            return self.poll(0)
        return self._wait(self, timeout)

    def poll(self, timeout_s: float | None) -> Ready:
        """Wait in real time for a file descriptor to become ready."""
        return super().select(timeout_s)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The event loop on a virtual clock. While it runs, code on it reads that clock from `time`.

    Args:
        limit_s: Virtual seconds after which the loop raises VirtualTimeError.
        patience_s: Real seconds for which a hold stops the clock.
    """

    def __init__(self, *, limit_s: float = math.inf, patience_s: float = 2.0) -> None:
        self._now_s = START_S
        self._limit_s = limit_s
        self._patience_s = patience_s
        self._held: dict[Hold, float] = {}
        self._loopback = LoopbackLedger()
        super().__init__(_Selector(self._when_idle))

    def time(self) -> float:
        return self._now_s

    def hold(self) -> Hold:
        """Keep the clock from jumping while work goes on that the loop cannot see."""
        return Hold(self._held)

    def run_forever(self) -> None:
        with _redirected_time(self):
            super().run_forever()

    def _when_idle(self, selector: _Selector, timeout_s: float | None) -> Ready:
        ready = selector.poll(0) or self._await_loopback(selector)
        if ready:
            return ready
        if self._held:
            return self._wait_in_real_time(selector, timeout_s)
        if timeout_s is None:
            raise VirtualTimeError(self._describe_deadlock())
        if self._now_s + timeout_s > START_S + self._limit_s:
            # Once: the tasks may need time to end.
            limit_s, self._limit_s = self._limit_s, math.inf
            raise VirtualTimeError(f"still running after {limit_s:g} virtual seconds")
        self._now_s += timeout_s
        return []

    def _await_loopback(self, selector: _Selector) -> Ready:
        """Wait for what the kernel has not delivered yet: counted bytes, else a new connection,
        an end of stream or a blocked write, for which a moment must do."""
        watched = selector.get_map()
        if self._loopback.anything_in_flight(watched):
            ready = selector.poll(_ARRIVAL_S)
            if not ready:
                self._loopback.forget()
            return ready
        writing = any(key.events & selectors.EVENT_WRITE for key in watched.values())
        if writing or self._loopback.opened_or_closed:
            self._loopback.opened_or_closed = False
            return selector.poll(_SETTLE_S)
        return []

    def _wait_in_real_time(self, selector: _Selector, timeout_s: float | None) -> Ready:
        started_s = _real_monotonic()
        patience_left_s = max(self._held.values()) + self._patience_s - started_s
        if patience_left_s > 0:
            return selector.poll(patience_left_s)
        ready = selector.poll(timeout_s)
        elapsed_s = _real_monotonic() - started_s
        # Not past a timer that is due, or late wake-ups would add up.
        self._now_s += elapsed_s if timeout_s is None else min(elapsed_s, timeout_s)
        return ready

    def _describe_deadlock(self) -> str:
        waiting = "; ".join(sorted(_describe(task) for task in asyncio.all_tasks(self)))
        return (
            "deadlock in virtual time: nothing is ready, no timer is set and no job or hold is "
            f"outstanding. Waiting: {waiting or 'no task'}"
        )

    def run_in_executor(  # type: ignore[override]  # typeshed's packed arguments
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self.hold().release)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        with self.hold():
            await super().shutdown_default_executor(*args)

    async def subprocess_exec(
        self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any
    ) -> tuple[asyncio.SubprocessTransport, Any]:
        with _released_on_error(self.hold()) as hold:
            factory = _releasing_on_exit(protocol_factory, hold)
            return await super().subprocess_exec(factory, *args, **kwargs)

    async def subprocess_shell(
        self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any
    ) -> tuple[asyncio.SubprocessTransport, Any]:
        with _released_on_error(self.hold()) as hold:
            factory = _releasing_on_exit(protocol_factory, hold)
            return await super().subprocess_shell(factory, *args, **kwargs)

    def _make_socket_transport(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
        # The one place that every plain TCP transport of the loop comes through.
        make: Callable[..., Any] = super()._make_socket_transport  # type: ignore[misc]
        return make(self._loopback.adopt(sock), *args, **kwargs)


@contextlib.contextmanager
def _released_on_error(hold: Hold) -> Iterator[Hold]:
    try:
        yield hold
    except BaseException:
        hold.release()
        raise


def _releasing_on_exit(protocol_factory: Callable[[], Any], hold: Hold) -> Callable[[], Any]:
    def factory() -> Any:
        protocol = protocol_factory()
        process_exited = protocol.process_exited

        def release_and_tell() -> None:
            hold.release()
            process_exited()

        protocol.process_exited = release_and_tell
        return protocol

    return factory


def _describe(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    where = f" at {frames[-1].f_code.co_qualname}:{frames[-1].f_lineno}" if frames else ""
    return f"{task.get_name()}{where}"


class _Running(threading.local):
    loop: VirtualTimeLoop | None = None


_running = _Running()
_installing = threading.Lock()
_installed = 0


def _clock(name: str, read: Callable[[VirtualTimeLoop], Any]) -> Callable[[], Any]:
    real: Callable[[], Any] = getattr(time, name)

    def now() -> Any:
        loop = _running.loop
        return real() if loop is None else read(loop)

    return now


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


_REAL = {
    name: getattr(time, name)
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
}
_VIRTUAL = {
    "time": _clock("time", lambda loop: EPOCH_S + loop.time() - START_S),
    "time_ns": _clock("time_ns", lambda loop: _ns(EPOCH_S) + _ns(loop.time() - START_S)),
    "monotonic": _clock("monotonic", lambda loop: loop.time()),
    "monotonic_ns": _clock("monotonic_ns", lambda loop: _ns(loop.time())),
    "perf_counter": _clock("perf_counter", lambda loop: loop.time()),
    "perf_counter_ns": _clock("perf_counter_ns", lambda loop: _ns(loop.time())),
}


def _install(functions: dict[str, Callable[[], Any]]) -> None:
    for name, function in functions.items():
        setattr(time, name, function)


@contextlib.contextmanager
def _redirected_time(loop: VirtualTimeLoop) -> Iterator[None]:
    """Make the clocks of the module `time` read the loop's, for this thread alone."""
    global _installed
    with _installing:
        if not _installed:
            _install(_VIRTUAL)
        _installed += 1
    _running.loop = loop
    try:
        yield
    finally:
        _running.loop = None
        with _installing:
            _installed -= 1
            if not _installed:
                _install(_REAL)


def run_virtual(main: Coroutine[Any, Any, T], *, timeout_s: float = 3600.0) -> T:
    """Run a coroutine on a new virtual-time loop and return its result, as `asyncio.run` does.

    Args:
        main: The coroutine.
        timeout_s: Virtual seconds after which the run is given up.

    Raises:
        VirtualTimeError: The run is deadlocked or took longer than `timeout_s`.
    """

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(limit_s=timeout_s)) as runner:
        return runner.run(main)
