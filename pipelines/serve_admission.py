"""When calls may begin: one after the other, so that many at once do not silence those that run."""

import asyncio
import heapq
from itertools import count

EVERY_S = 0.02
"""From one call's beginning to the next one's: 15 ms of work, among that of the calls that run."""
BUSY_LAG_S = 0.005
"""A loop that is so late has no time for another call yet."""
LONGEST_S = 0.1
"""So long a busy loop puts the next call off at most."""


class Admission:
    """Lets calls begin in turn: those that go on before new ones, else in the order they came.

    What waits is bounded by the server's calls, each of which waits once at most.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._order = count()
        self._next_s = self._put_off_since_s = 0.0
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, *, new: bool) -> None:
        """Wait until the call may begin.

        Args:
            new: Whether it is one that nobody is in yet.
        """
        loop = asyncio.get_running_loop()
        if self._timer is None and loop.time() >= self._next_s:
            self._next_s = loop.time() + EVERY_S
            return
        admitted: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (new, next(self._order), admitted))
        if self._timer is None:
            self._arm(self._next_s)
        await admitted

    def _arm(self, at_s: float, put_off_since_s: float | None = None) -> None:
        self._due_s = at_s
        self._put_off_since_s = at_s if put_off_since_s is None else put_off_since_s
        self._timer = asyncio.get_running_loop().call_at(at_s, self._admit)

    def _admit(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        lag_s = now_s - self._due_s
        if lag_s > BUSY_LAG_S and now_s < self._put_off_since_s + LONGEST_S:
            self._arm(now_s + lag_s, self._put_off_since_s)
            return
        while self._waiting:
            admitted = heapq.heappop(self._waiting)[-1]
            # Who gave up meanwhile costs nobody a turn.
            if not admitted.done():
                admitted.set_result(None)
                break
        self._next_s = now_s + EVERY_S
        if self._waiting:
            self._arm(self._next_s)


__all__ = ["BUSY_LAG_S", "EVERY_S", "LONGEST_S", "Admission"]
