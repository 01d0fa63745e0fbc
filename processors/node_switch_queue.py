"""Whose turn it is to swap the node of a call: one swap at a time, and none keeps those waiting
that are in a hurry."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from crossfade.errors import CrossfadeError

from .node_switch_settings import Order, When


class GivesWay(CrossfadeError):
    """A swap was given up, because another node was wanted at once."""


class SwapQueue:
    """Lets one swap in after the other.

    One that may wait gives way to one that is to happen at once; if both are for the same node,
    it is made at once instead.
    """

    def __init__(self) -> None:
        self.news = asyncio.Event()
        """Set when the swap that is under way has to look again."""
        self._lock = asyncio.Lock()
        self._hurried: list[Order] = []
        self._rescued = False
        self._under_way: Order | None = None
        self._coming: asyncio.Timeout | None = None

    @contextlib.asynccontextmanager
    async def turn(
        self, order: Order, *, hurries: bool = False, rescues: bool = False
    ) -> AsyncIterator[None]:
        """Wait until no other swap is under way.

        Args:
            order: What is to be done.
            hurries: A swap that may wait gives way to it.
            rescues: No node serves, and its node can at once: any swap gives way to it.
        """
        hurries = hurries or rescues
        if hurries:
            self._hurried.append(order)
            self._rescued = self._rescued or rescues
            self.news.set()
            if self._coming is not None and self._rival() is not None:
                self._coming.reschedule(asyncio.get_running_loop().time())
        try:
            await self._lock.acquire()
        finally:
            if hurries:
                self._hurried.remove(order)
                self._rescued = self._rescued and not rescues
        self._under_way = order
        try:
            yield
        finally:
            self._under_way = None
            self._lock.release()

    @contextlib.asynccontextmanager
    async def coming_up(self, limit_s: float) -> AsyncIterator[None]:
        """While the node of the swap that is under way comes up.

        Raises:
            GivesWay: Another node is wanted at once.
            TimeoutError: It took longer than the limit.
        """
        self.check_way()
        try:
            async with asyncio.timeout(limit_s) as self._coming:
                yield
        except TimeoutError:
            self.check_way()
            raise
        finally:
            self._coming = None

    def check_way(self) -> None:
        """Find out whether the swap that is under way may go on.

        Raises:
            GivesWay: Another node is wanted at once.
        """
        if (rival := self._rival()) is not None:
            raise GivesWay(f"{rival.node} was wanted at once meanwhile: {rival.why}.")

    def hurried(self, order: Order) -> Order:
        """The order that wants the same node at once, if there is one; else the order."""
        return next((each for each in self._hurried if each.node == order.node), order)

    def _rival(self) -> Order | None:
        """Who wants another node than the swap that is under way, and shall not wait for it."""
        order = self._under_way
        if order is None or not self._hurried or self._hurried[0].node == order.node:
            return None
        return self._hurried[0] if self._rescued or order.when is When.QUIET else None


__all__ = ["GivesWay", "SwapQueue"]
