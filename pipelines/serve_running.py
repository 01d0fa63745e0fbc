"""The calls that run in one process, each from its beginning here to its end here."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from loguru import logger

from crossfade.conversation.store_records import CallStatus
from crossfade.errors import CrossfadeError, StoreError
from crossfade.transports.websocket_messages import CloseCode
from crossfade.transports.websocket_token import TokenSigner

from .call_journal import CallJournal
from .serve_begin import AttachmentRefused, Beginning, told_of
from .serve_call import Ending, MakeTransport, ServedCall
from .serve_chain import Chains
from .serve_nodes import ServedNodes
from .serve_settings import ServeSettings
from .serve_store import CallKeeping

_START_S = 15.0
_LOOK_S = 0.1


class Follower(Protocol):
    """Whoever is told of the calls that run."""

    def has_begun(self, call_id: str) -> None:
        """Clients can be attached to a call from now on."""

    def has_ended(self, call_id: str, *, begun: bool) -> None:
        """A call has ended here, if it had begun at all."""


class RunningCalls:
    """Begins calls, and sees them to their end.

    Args:
        settings: The server's.
        chains: Makes their chains.
        nodes: Whom they talk to.
        signer: Of their tokens.
        keeping: The store; None keeps nothing.
        follower: Told which calls run.
        ended: Told after each call how many run, when nothing of it is left.
    """

    def __init__(
        self,
        settings: ServeSettings,
        chains: Chains,
        nodes: ServedNodes,
        *,
        signer: TokenSigner,
        keeping: CallKeeping | None,
        follower: Follower,
        ended: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._chains = chains
        self._nodes = nodes
        self._signer = signer
        self._keeping = keeping
        self._follower = follower
        self._ended = ended
        self._served: dict[str, ServedCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._served)

    def __iter__(self) -> Iterator[ServedCall]:
        return iter(tuple(self._served.values()))

    def get(self, call_id: str) -> ServedCall | None:
        """A call that runs here."""
        return self._served.get(call_id)

    async def begin(self, beginning: Beginning, make: MakeTransport) -> ServedCall:
        """Make a call's chain and start it.

        Args:
            beginning: With what it begins.
            make: Makes its transport.

        Raises:
            AttachmentRefused: It cannot be made.
        """
        served = ServedCall(
            beginning.setting,
            self._signer,
            detached_s=self._settings.detached_s,
            unsure=(lambda: False) if self._keeping is None else self._keeping.unsure,
            make=make,
            longest_s=self._settings.longest_call_s,
        )
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            self._serve(served, beginning, started), name=f"serve {served.call_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait([task, started], timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        if not started.done() or started.cancelled():
            if not task.done():
                logger.warning("call {} did not start within {:g} s", served.call_id, _START_S)
            task.cancel()
            await asyncio.wait([task])
            raise AttachmentRefused(CloseCode.FAILED, told_of(served.failure))
        return served

    async def hand_over(self) -> None:
        """Let go of each call at its next quiet moment, or after `drain_s`; where nobody can go on
        with it, end it."""
        await asyncio.gather(*(self._hand_over(served) for served in self))
        await self.close()

    async def close(self) -> None:
        """End what still runs here, as if the process had died, but with its last words kept."""
        while self._tasks:
            for served in self:
                served.finish(Ending.MOVED)
            # Those that are just beginning are told at the next look.
            await asyncio.wait(self._tasks, timeout=_LOOK_S)

    async def _hand_over(self, served: ServedCall) -> None:
        await served.come_to_rest(self._settings.drain_s)
        served.finish(Ending.MOVED if self._keeping is not None else Ending.OVER)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended(len(self._served))

    async def _serve(
        self, served: ServedCall, beginning: Beginning, started: "asyncio.Future[None]"
    ) -> None:
        """Serve a call until it ends here."""
        try:
            async with self._chains.chain(served, beginning) as (call, journal):

                def on_started() -> None:
                    self._served[served.call_id] = served
                    self._follower.has_begun(served.call_id)
                    if not started.done():
                        started.set_result(None)

                if (
                    self._keeping is not None
                    and beginning.stored is None
                    and beginning.begun is None
                ):
                    # A call that is not in the store yet could not be found by its token.
                    await self._keeping.flush_new(served.call_id)
                ending = await served.run(
                    call,
                    kept=lambda: journal is None or journal.kept,
                    started=on_started,
                    leave=lambda ending: self._leave(served, journal, ending),
                )
                self._nodes.went(beginning.nodes, well=ending is not Ending.FAILED)
                if journal is not None and ending is Ending.OVER:
                    journal.end(CallStatus.ENDED, time.time())
                    assert self._keeping is not None
                    await self._keeping.flush(served.call_id)
        except CrossfadeError as error:
            served.failure = error
            self._nodes.went(beginning.nodes, well=False)
            logger.warning("call {} cannot be served: {}", served.call_id, error)
            if self._keeping is not None and beginning.stored is not None:
                with contextlib.suppress(StoreError):
                    await self._keeping.give_back(served.call_id)
        finally:
            begun = self._served.pop(served.call_id, None) is not None
            self._follower.has_ended(served.call_id, begun=begun)
            unborn = beginning.begun is not None and not started.done()
            if self._keeping is not None and (unborn or served.ending is Ending.UNBORN):
                await self._keeping.withdraw(served.call_id)
            started.cancel()

    async def _leave(self, served: ServedCall, journal: CallJournal | None, ending: Ending) -> None:
        """Let go of a call: another process is to have its last state before its client asks."""
        if journal is not None and ending in (Ending.MOVED, Ending.FAILED, Ending.UNBORN):
            assert self._keeping is not None
            journal.leave()
            await self._keeping.flush(served.call_id)
        served.dismiss(ending)


__all__ = ["Follower", "RunningCalls"]
