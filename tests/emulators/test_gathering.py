"""The loop of a busy server wakes up for many messages at once."""

import asyncio
import contextlib
import selectors
import socket
from collections.abc import Iterator

import pytest

from crossfade.emulators.gathering import APART_S, GatheringSelector, gathering_loop


class Clock:
    """Moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now_s += seconds


@contextlib.contextmanager
def ready(clock: Clock) -> Iterator[GatheringSelector]:
    """A selector with something to read, always."""
    read, written = socket.socketpair()
    with read, written, GatheringSelector(lambda: clock.now_s, clock.sleep) as selector:
        written.send(b"x")
        selector.register(read, selectors.EVENT_READ)
        yield selector


def test_who_wakes_it_rarely_never_waits() -> None:
    clock = Clock()
    with ready(clock) as selector:
        for _ in range(100):
            assert selector.select(None)
            clock.now_s += APART_S
        assert clock.naps == []


def test_a_busy_one_wakes_up_at_even_times() -> None:
    clock = Clock()
    with ready(clock) as selector:
        for _ in range(1000):
            assert selector.select(None)
            clock.now_s += APART_S / 10
        assert clock.now_s - 100 == pytest.approx(1000 * APART_S, rel=0.05)
        assert max(clock.naps) <= APART_S


def test_work_that_is_there_and_timers_that_are_due_do_not_wait() -> None:
    clock = Clock()
    with ready(clock) as selector:
        for _ in range(1000):
            assert selector.select(0)
        assert clock.naps == []
        for _ in range(1000):
            assert selector.select(APART_S / 100)
        assert max(clock.naps) <= APART_S / 100


def test_it_is_an_event_loop() -> None:
    with asyncio.Runner(loop_factory=gathering_loop) as runner:
        assert runner.run(asyncio.sleep(0, "done")) == "done"
