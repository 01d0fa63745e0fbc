"""An event loop whose clock goes faster or slower than the world's."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from .virtual_time import START_S, Ready, VirtualTimeLoop, _Selector

T = TypeVar("T")

_real_monotonic = time.monotonic


class PacedLoop(VirtualTimeLoop):
    """A virtual clock that waits for the world's before it jumps, so many times shorter.

    Nothing else is changed, so that what happens on it is what happens in virtual time. Where work
    took longer than that, it does not wait until it has caught up.

    Args:
        speed: Seconds of the loop in one of the world.
    """

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed
        self._began_s = _real_monotonic()

    def _when_idle(self, selector: _Selector, timeout_s: float | None) -> Ready:
        ready = selector.poll(0) or self._await_loopback(selector)
        if not ready and timeout_s is not None:
            due_s = self._began_s + (self._now_s + timeout_s - START_S) / self._speed
            if (wait_s := due_s - _real_monotonic()) > 0:
                ready = selector.poll(wait_s)
        if ready:
            return ready
        return super()._when_idle(selector, timeout_s)


def run_paced(main: Coroutine[Any, Any, T], *, speed: float) -> T:
    """Run a coroutine on a new loop of that speed, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=lambda: PacedLoop(speed)) as runner:
        return runner.run(main)


__all__ = ["PacedLoop", "run_paced"]
