"""Services of a cascade that are ready before a call needs them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import NamedTuple, Self

from loguru import logger

from crossfade.conversation.tools import ToolDeclaration

from .call_nodes import FindServices
from .cascaded_call import Services, services_of
from .cascaded_settings import CascadedSettings

AGAIN_AFTER_S = 5.0
"""A call that has taken them has the machine to itself for so long."""
MOST_KEPT = 2
"""So many are ready at most, each for other settings or tools: those that were wanted last."""

Found = tuple[Services, str]
Make = Callable[
    [CascadedSettings, Sequence[ToolDeclaration]],
    AbstractAsyncContextManager[Found],
]


class _Wanted(NamedTuple):
    settings: CascadedSettings
    tools: tuple[ToolDeclaration, ...]


class SpareServices:
    """Has the services made that calls may need, and hands each of them to one call; an async
    context manager, which ends those that nobody took.

    Args:
        make: Makes services, which live as long as its context.
        again_after_s: After so long, others are made in the place of those that were taken.
    """

    def __init__(self, make: Make = services_of, *, again_after_s: float = AGAIN_AFTER_S) -> None:
        self._make = make
        self._again_after_s = again_after_s
        self._ready: list[_Spare] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._letting_go: set[asyncio.Task[None]] = set()
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        for timer in self._timers:
            timer.cancel()
        ready, self._ready = self._ready, []
        await asyncio.gather(*(spare.let_go() for spare in ready), *self._letting_go)

    def expect(self, settings: CascadedSettings, tools: Sequence[ToolDeclaration]) -> FindServices:
        """Have services ready for a call that may need them; gives what hands them to it.

        Args:
            settings: Which services; what the agent shall be is all the same to them.
            tools: What may be asked for.
        """
        wanted = _Wanted(settings.model_copy(update={"instructions": ""}), tuple(tools))
        self._keep(wanted)
        return lambda: self._take(wanted)

    def _keep(self, wanted: _Wanted) -> None:
        spare = self._find(wanted)
        if spare is not None:
            self._ready.remove(spare)
        elif self._over:
            return
        else:
            spare = _Spare(wanted, self._make, self._failed)
        self._ready.append(spare)
        while len(self._ready) > MOST_KEPT:
            task = asyncio.create_task(self._ready.pop(0).let_go())
            self._letting_go.add(task)
            task.add_done_callback(self._letting_go.discard)

    @contextlib.asynccontextmanager
    async def _take(self, wanted: _Wanted) -> AsyncIterator[Found]:
        spare = self._find(wanted)
        if spare is None:
            async with self._make(wanted.settings, wanted.tools) as found:
                yield found
            return
        self._ready.remove(spare)
        self._again(wanted)
        try:
            yield await spare.services()
        finally:
            await spare.let_go()

    def _again(self, wanted: _Wanted) -> None:
        def now() -> None:
            self._timers.discard(timer)
            self._keep(wanted)

        timer = asyncio.get_running_loop().call_later(self._again_after_s, now)
        self._timers.add(timer)

    def _find(self, wanted: _Wanted) -> "_Spare | None":
        return next((spare for spare in self._ready if spare.wanted == wanted), None)

    def _failed(self, spare: "_Spare", error: BaseException) -> None:
        """They cannot be had; who needs them tries again, and tells why if they cannot."""
        if spare in self._ready:
            self._ready.remove(spare)
            logger.warning("no cascade can be kept ready: {}", error)


class _Spare:
    """One set of services, in a task that holds their context."""

    def __init__(
        self, wanted: _Wanted, make: Make, failed: Callable[["_Spare", BaseException], None]
    ) -> None:
        self.wanted = wanted
        self._make = make
        self._failed = failed
        self._found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._life = asyncio.create_task(self._live(), name="spare services")
        self._life.add_done_callback(self._ended)

    async def services(self) -> Found:
        """The services, once they are ready.

        Raises:
            CrossfadeError: They cannot be had.
        """
        return await asyncio.shield(self._found)

    async def let_go(self) -> None:
        """End them."""
        self._over.set()
        if not self._found.done():
            self._life.cancel()
        await asyncio.wait([self._life])

    async def _live(self) -> None:
        async with self._make(self.wanted.settings, self.wanted.tools) as found:
            self._found.set_result(found)
            await self._over.wait()

    def _ended(self, life: "asyncio.Task[None]") -> None:
        error = None if life.cancelled() else life.exception()
        if self._found.done():
            if error is not None:
                logger.warning("services of a cascade did not end in good order: {}", error)
        elif error is None:
            self._found.cancel()
        else:
            self._found.set_exception(error)
            # Where nobody waits for it, it is told below.
            self._found.exception()
            self._failed(self, error)


__all__ = ["AGAIN_AFTER_S", "MOST_KEPT", "SpareServices"]
