"""An event loop that gathers what comes while it is busy, for a server of many sessions.

Two hundred sessions at the pace of sound are twenty thousand messages a second. A loop that wakes
up for each of them spends more on waking up than on the messages.
"""

import asyncio
import selectors
import time
from collections.abc import Callable

APART_S = 0.002
"""Of two wake-ups of a busy loop. No message waits longer for it."""
_AT_ONCE = 20
"""So many wake-ups in a row are free: who calls alone never waits."""


class GatheringSelector(selectors.DefaultSelector):
    """Sleeps before it looks for what has come, where it has looked too often.

    Args:
        now_s: The clock.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self._now_s = now_s
        self._sleep = sleep
        # When the wake-ups so far would be over, each `APART_S` behind the one before.
        self._paid_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        now_s = self._now_s()
        self._paid_s = max(self._paid_s + APART_S, now_s - _AT_ONCE * APART_S)
        early_s = self._paid_s - now_s
        if early_s > 0:
            if timeout is not None:
                early_s = min(early_s, timeout)
                timeout -= early_s
            self._sleep(early_s)
        return super().select(timeout)


def gathering_loop() -> asyncio.AbstractEventLoop:
    """A new loop, for `asyncio.Runner`."""
    return asyncio.SelectorEventLoop(GatheringSelector())
