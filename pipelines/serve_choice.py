"""Whom a caller wants to talk to, of the nodes of their call: one change at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from crossfade.errors import CrossfadeError
from crossfade.processors.node_switch_queue import GivesWay
from crossfade.processors.node_switch_settings import When

from .assembly import Call
from .serve_details import CallDetails

_WHY = "the caller's choice"


class CallerChoice:
    """Has the node serve that the caller chose last. While one comes, only the latest of the
    choices after it is kept; to choose the one that serves gives up the change to another.

    Args:
        call: The call.
        serving: Tells which node serves.
        details: Where the caller is told how it went.
    """

    def __init__(self, call: Call, serving: Callable[[], str], details: CallDetails) -> None:
        self._call = call
        self._serving = serving
        self._details = details
        self._next: str | None = None
        self._now = ""
        """The choice that is followed, until it is known how that went."""
        self._comes: asyncio.Task[None] | None = None
        self._stays: asyncio.Task[None] | None = None
        self._given_up = False

    @property
    def coming(self) -> str:
        """Whom the caller chose and who does not serve yet; empty if nobody."""
        if self._given_up:
            return self._next or ""
        name = self._next or self._now
        return "" if name == self._serving() else name

    def choose(self, name: str) -> None:
        """Take a choice."""
        comes, staying = _under_way(self._comes), _under_way(self._stays)
        if comes and not staying and name == self._serving():
            self._next, self._given_up = None, True
            self._stays = _begin(self._stay(name))
            return
        self._next = name
        if not comes:
            self._comes = _begin(self._follow())

    async def _follow(self) -> None:
        while (name := await self._latest()) is not None:
            served, self._now = self._serving(), name
            try:
                await self._call.switch_to(name, why=_WHY)
            except CrossfadeError as error:
                self._now = ""
                if not (self._given_up and isinstance(error, GivesWay)):
                    self._details.problem(str(error))
                self._details.serving()
            else:
                self._now = ""
                if served == name:
                    self._details.serving()

    async def _latest(self) -> str | None:
        """The choice that is to be followed, once the change before it is given up for good."""
        if self._stays is not None:
            await asyncio.wait([self._stays])
        name, self._next, self._given_up = self._next, None, False
        return name

    async def _stay(self, name: str) -> None:
        """What is wanted at once has a change give way that waits for its moment."""
        try:
            await self._call.switch_to(name, when=When.NOW, why=_WHY)
        except CrossfadeError as error:
            self._details.problem(str(error))
            self._details.serving()


def _begin(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    return asyncio.create_task(work, name="switch nodes")


def _under_way(task: "asyncio.Task[None] | None") -> bool:
    return task is not None and not task.done()


__all__ = ["CallerChoice"]
