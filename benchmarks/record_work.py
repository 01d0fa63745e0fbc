"""When a call's record works, on the event loop and in its threads, and how much of that came
before a frame could go on."""

import contextlib
import selectors
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossfade.observability import disk
from crossfade.observability.call import CallRecord
from crossfade.observability.call_tap import CallTap
from crossfade.observability.capture import Capture, CapturedLine
from crossfade.observability.disk import DiskThread
from crossfade.observability.frame_log import FrameLog

_ENTRIES: Sequence[tuple[type, Sequence[str]]] = (
    (CallTap, ("message",)),
    (CapturedLine, ("message",)),
    (Capture, ("caller_audio", "speech", "agent_audio", "frame", "note")),
    (FrameLog, ("see",)),
    (CallRecord, ("caller_audio", "agent_audio", "_watch_cost", "_end", "_tell_end", "_finish")),
    (DiskThread, ("serve",)),
)
"""By these the loop and the threads come to the record's code. One may call another."""

_LEAST_REST_NS = 50_000

_OTHERS_NS = 200_000
"""So long the loop may stand still before others are taken to have had its core."""

_COARSE_NS = 1_000_000
"""epoll waits in whole milliseconds."""

Span = tuple[int, int]
"""From when to when, in monotonic ns."""


class Rest(NamedTuple):
    """The loop had nothing to do and waited."""

    began_ns: int
    ended_ns: int
    cpu_began_ns: int
    """Of the whole process until then."""
    cpu_ended_ns: int
    overslept_ns: int = 0
    """Longer than it was to last, beside what the process's other threads did."""


class Piece(NamedTuple):
    """Work without a rest."""

    began_ns: int
    ended_ns: int
    cpu_ns: int
    """Of its thread."""


@dataclass(slots=True)
class Work:
    """What was seen of the record's work, and of the loop's rest."""

    pieces: dict[int, list[Piece]] = field(default_factory=dict)
    """By thread; those of one thread follow each other."""
    rests: list[Rest] = field(default_factory=list)

    def before_ms(
        self, due_ns: NDArray[np.int64], gone_ns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """For each frame, how long the record worked before it went on.

        Counted is from when the frame was due; and if the interpreter was at work then, from when
        it began to be so: what is done earlier delays what waits behind it, too. Without the
        record, no frame would have gone on sooner by more than that. NaN for a frame in whose time
        another process had the core: what waits for that is no work of ours.
        """
        busy = _united([*self._busy(), *((p[0], p[1]) for p in self._all())])
        since_ns = due_ns.copy()
        if busy:
            began_ns, ended_ns = np.array(busy).T
            at = np.searchsorted(began_ns, due_ns, "right") - 1
            during = (at >= 0) & (due_ns < ended_ns[at])
            since_ns[during] = began_ns[at[during]]
        done_ns = np.zeros(due_ns.size)
        for pieces in self.pieces.values():
            times_ns, sums_ns = _sums(pieces)
            done_ns += np.interp(gone_ns, times_ns, sums_ns)
            done_ns -= np.interp(since_ns, times_ns, sums_ns)
        done_ns[self._disturbed(since_ns, gone_ns)] = np.nan
        return done_ns / 1e6

    @property
    def longest_ms(self) -> Mapping[str, float]:
        """The longest piece on the loop's thread, which is the main one, and of the others."""
        main = threading.main_thread().ident
        found = {"loop": 0.0, "threads": 0.0}
        for thread, pieces in self.pieces.items():
            name = "loop" if thread == main else "threads"
            found[name] = max(found[name], *(piece.cpu_ns / 1e6 for piece in pieces))
        return found

    def _busy(self) -> Iterator[Span]:
        """The time between rests."""
        for before, after in pairwise(self.rests):
            yield before.ended_ns, after.began_ns

    def _disturbed(
        self, since_ns: NDArray[np.int64], gone_ns: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Of which frames' time another process had a part."""
        spans = [
            (before.ended_ns, after.began_ns)
            for before, after in pairwise(self.rests)
            # Who wakes too late finds more to do than there would have been.
            if before.overslept_ns > _COARSE_NS + _OTHERS_NS
            or after.began_ns - before.ended_ns
            > after.cpu_began_ns - before.cpu_ended_ns + _OTHERS_NS
        ]
        if not spans:
            return np.zeros(since_ns.size, np.bool_)
        began_ns, ended_ns = np.array(spans).T
        # The first that ends behind the beginning, if it begins before the end.
        at = np.minimum(np.searchsorted(ended_ns, since_ns, "right"), len(spans) - 1)
        found: NDArray[np.bool_] = (ended_ns[at] > since_ns) & (began_ns[at] < gone_ns)
        return found

    def _all(self) -> Iterator[Piece]:
        for pieces in self.pieces.values():
            yield from pieces


class Stopwatch:
    """Sees when the record works. Costs some CPU itself."""

    def __init__(self) -> None:
        self.work = Work()
        self._begun: dict[int, tuple[int, int]] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """See what is entered meanwhile, of records that are opened meanwhile."""
        with contextlib.ExitStack() as patches:
            for owner, names in _ENTRIES:
                for name in names:
                    patches.enter_context(_patched(owner, name, self._timed))
            patches.enter_context(_patched(disk, "sleep", self._rest_of))
            yield

    def _begin(self) -> bool:
        """A piece of work begins in this thread, unless it is part of another one."""
        thread = threading.get_ident()
        if thread in self._begun:
            return False
        self._begun[thread] = time.monotonic_ns(), time.thread_time_ns()
        return True

    def _end(self) -> None:
        ended_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        thread = threading.get_ident()
        began_ns, before_ns = self._begun.pop(thread)
        piece = Piece(began_ns, ended_ns, min(cpu_ns - before_ns, ended_ns - began_ns))
        self.work.pieces.setdefault(thread, []).append(piece)

    def _timed(self, do: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(do)
        def timed(*args: Any, **more: Any) -> Any:
            if not self._begin():
                return do(*args, **more)
            try:
                return do(*args, **more)
            finally:
                self._end()

        return timed

    def _rest_of(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        def rest(seconds: float) -> None:
            works = threading.get_ident() in self._begun
            if works:
                self._end()
            sleep(seconds)
            if works:
                self._begin()

        return rest


class WatchedSelector(selectors.DefaultSelector):
    """Notes when its loop rests."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[Rest] | None = None
        """Those since; None while nobody wants to know."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.rests is None:
            return super().select(timeout)
        began_ns, cpu_began_ns = time.monotonic_ns(), time.process_time_ns()
        found = super().select(timeout)
        ended_ns, cpu_ended_ns = time.monotonic_ns(), time.process_time_ns()
        # Who finds something at once had it waiting.
        if ended_ns - began_ns >= _LEAST_REST_NS:
            cpu_ns = cpu_ended_ns - cpu_began_ns
            asked_ns = ended_ns - began_ns if timeout is None else round(timeout * 1e9)
            overslept_ns = ended_ns - began_ns - asked_ns - cpu_ns
            self.rests.append(Rest(began_ns, ended_ns, cpu_began_ns, cpu_ended_ns, overslept_ns))
        return found


@contextlib.contextmanager
def _patched(
    owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, wrap(before))
    try:
        yield
    finally:
        setattr(owner, name, before)


def _united(spans: Sequence[Span]) -> list[Span]:
    """The same time in spans that do not touch, in order."""
    found: list[Span] = []
    for began_ns, ended_ns in sorted(spans):
        if found and began_ns <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ended_ns)
        else:
            found.append((began_ns, ended_ns))
    return found


def _sums(pieces: Sequence[Piece]) -> tuple[list[int], list[int]]:
    """Times, and how much CPU the pieces had taken by then."""
    times_ns, sums_ns, sum_ns = [0], [0], 0
    for piece in pieces:
        times_ns += (piece.began_ns, piece.ended_ns)
        sums_ns += (sum_ns, sum_ns + piece.cpu_ns)
        sum_ns += piece.cpu_ns
    return times_ns, sums_ns


__all__ = ["Piece", "Rest", "Stopwatch", "WatchedSelector", "Work"]
