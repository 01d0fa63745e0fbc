"""A server's place in the store of calls: it writes its own, and takes those of others."""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from loguru import logger

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import (
    CallFolder,
    CallStatus,
    Lease,
    NewCall,
    StoredCall,
    StoredHandle,
)
from crossfade.errors import CrossfadeError, StoreError, StoreUnavailable

from .call_journal import CallJournal
from .journal_writer import JournalWriter, Store
from .serve_wake import Wakefulness
from .takeover_state import UNBORN

LEASE_S = 1.5
"""How long a call belongs to a process that says nothing; it says something three times in that."""
_FLUSH_S = 2.0
_ASLEEP_S = LEASE_S / 3
_AWAKE_EVERY_S = LEASE_S / 10
_LOOKS_IN_LIMIT = 4
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 1.0, 30.0


class NameTaken(CrossfadeError):
    """There is a call of the name that a new one was to have.

    Args:
        name: The name.
        born: Whether somebody is, or was, in the call.
    """

    def __init__(self, name: str, *, born: bool) -> None:
        super().__init__(f"there is a call {name}; give its token, or another name")
        self.born = born


class SharedStore(Store, Protocol):
    """What is needed of a CallStore."""

    async def begin(
        self, call: NewCall, owner: str, ttl_s: float, *, over: str | None = None
    ) -> bool: ...

    async def withdraw(self, call_id: str, owner: str) -> bool: ...

    async def take(self, call_id: str, owner: str, ttl_s: float) -> Lease | None: ...

    async def release(self, call_id: str, owner: str) -> bool: ...

    async def load_call(
        self, call_id: str, *, started_at_s: float | None = None
    ) -> StoredCall | None: ...

    async def end_abandoned(self, after_s: float) -> tuple[str, ...]: ...


class CallKeeping:
    """Writes the calls of this process, and takes up those of another.

    A call belongs to whoever took its lease last. The client that shows a good token has the
    right to it, so the lease is taken at once, whether its holder lives or not: one that lives
    finds out within half a second, lets its client go, and can write nothing meanwhile.

    Args:
        store: The store that the processes share.
        writer: Of this process.
        owner: Its name.
    """

    def __init__(self, store: SharedStore, writer: JournalWriter, owner: str) -> None:
        self._store = store
        self._writer = writer
        self._owner = owner
        self._late: set[asyncio.Task[None]] = set()
        self._wake = Wakefulness(limit_s=_ASLEEP_S, patience_s=_FLUSH_S)
        self._asking: asyncio.Task[None] | None = None
        self.on_sure: Callable[[], None] = lambda: None
        """Told when this process slept, and knows again which calls are its own."""

    def unsure(self) -> bool:
        """Whether this process slept so long that its calls may be another's; then it asks."""
        unsure = self._wake.unsure()
        if unsure and self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="whose calls are these")
        return unsure

    async def sure(self) -> None:
        """Wait until it is known which calls are another's by now, or nobody answers."""
        if self.unsure() and self._asking is not None:
            await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        if self._writer.keeps_calls:
            logger.warning(
                "this process was stopped for a while; its calls may be another's by now"
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._writer.renew()
        self._wake.confirm()
        self._asking = None
        self.on_sure()

    async def begin(self, call: NewCall) -> None:
        """Make a call whose name others may know.

        One of that name that never came about, and that nobody serves any more, gives way. What
        the store makes after all when it was not waited for any more is withdrawn: the client
        comes again, and by the same name.

        Raises:
            NameTaken: There is one of that name.
            StoreError: The store does not answer in time.
        """
        making = asyncio.create_task(
            self._store.begin(call, self._owner, LEASE_S, over=UNBORN), name=f"store {call.id}"
        )
        done, _ = await asyncio.wait([making], timeout=_FLUSH_S)
        if done:
            if not making.result():
                seen = await self._store.load_call(call.id)
                raise NameTaken(call.id, born=seen is not None and seen.state != UNBORN)
            return
        late = asyncio.create_task(self._undo(making, call.id), name=f"undo {call.id}")
        self._late.add(late)
        late.add_done_callback(self._late.discard)
        raise StoreUnavailable(f"the store does not answer within {_FLUSH_S:g} s; try again")

    async def _undo(self, making: asyncio.Task[bool], call_id: str) -> None:
        with contextlib.suppress(StoreError):
            if await making:
                await self._store.withdraw(call_id, self._owner)

    async def withdraw(self, call_id: str) -> None:
        """Free the name of a call that was begun and did not come about, if the store answers."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._store.withdraw(call_id, self._owner)

    async def close(self) -> None:
        """Wait for nothing that is still to be undone or asked."""
        left = [*self._late, *([] if self._asking is None else [self._asking])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def look(self, call_id: str) -> StoredCall | None:
        """A call that runs, without taking it; None if there is none.

        Raises:
            StoreError: The store does not answer.
        """
        stored = await self._store.load_call(call_id)
        running = stored is not None and stored.status is CallStatus.RUNNING
        return stored if running else None

    async def take(self, call_id: str) -> StoredCall | None:
        """Take a call over from whoever has it; None if there is none that runs.

        Raises:
            StoreError: The store does not answer.
        """
        if await self._store.take(call_id, self._owner, LEASE_S) is None:
            return None
        # What it wrote last is there now, and nothing more comes.
        stored = await self.look(call_id)
        if stored is None:
            await self._store.release(call_id, self._owner)
        return stored

    async def give_back(self, call_id: str) -> None:
        """Let go of a call that was taken, and cannot be gone on with here."""
        await self._store.release(call_id, self._owner)

    def open(
        self,
        call: NewCall,
        conversation: Conversation,
        *,
        unfinished: Callable[[], bytes] | None,
        state: Callable[[], str],
        handle: Callable[[], StoredHandle | None],
        begun: bool,
        stored: StoredCall | None,
        folder: Path | None,
        taken: Callable[[], None],
    ) -> CallJournal:
        """Write a call from now on; without a folder, no record of it is kept here."""
        place: CallFolder | None = None
        if folder is not None:
            path = str(folder.resolve()).encode(errors="replace").decode()
            place = CallFolder(since=time.time(), host=socket.gethostname(), path=path)
        return self._writer.open(
            call,
            conversation,
            unfinished=unfinished,
            state=state,
            handle=handle,
            begun=begun,
            stored=stored,
            folder=place,
            taken=taken,
        )

    async def end_abandoned(self, after_s: float) -> None:
        """End calls of any process that nobody serves, and that nobody came back to in time."""
        try:
            ended = await self._store.end_abandoned(after_s)
        except StoreError as error:
            logger.warning("calls that nobody serves are not ended for now: {}", error)
            return
        for call_id in ended:
            logger.warning("call {} has failed: nobody served it for {:g} s", call_id, after_s)

    async def flush(self, call_id: str) -> bool:
        """Write what waits of a call; a store that does not answer is not waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                return await self._writer.flush(call_id)
        return False

    async def flush_new(self, call_id: str) -> bool:
        """Write a call that begins, unless the store is known to be down."""
        return self._writer.state.well and await self.flush(call_id)


@contextlib.asynccontextmanager
async def keeping(
    url: str | None, *, abandoned_s: float = 60.0
) -> AsyncIterator[CallKeeping | None]:
    """Open the store of calls for a server; None without one.

    Args:
        url: Of the store.
        abandoned_s: How long a call may run in the store that nobody serves, before this process
            or another ends it. That is looked for now, and several times within this time.

    Raises:
        SettingsError: The URL cannot be used.
        StoreError: The store does not answer, or is of a newer version.
    """
    if url is None:
        yield None
        return
    # SQLAlchemy is loaded for those who keep calls.
    from crossfade.conversation.store import open_store

    owner = process_name()
    async with (
        await open_store(url) as store,
        JournalWriter(store, owner=owner, lease_s=LEASE_S) as writer,
    ):
        kept = CallKeeping(store, writer, owner)
        await kept.end_abandoned(abandoned_s)
        tasks = [
            asyncio.create_task(_end_abandoned(kept, abandoned_s), name="abandoned calls"),
            asyncio.create_task(_stay_awake(kept), name="awake"),
        ]
        try:
            yield kept
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await kept.close()


async def _end_abandoned(kept: CallKeeping, after_s: float) -> None:
    every_s = min(max(after_s / _LOOKS_IN_LIMIT, _SHORTEST_LOOK_S), _LONGEST_LOOK_S)
    while True:
        await asyncio.sleep(every_s)
        await kept.end_abandoned(after_s)


async def _stay_awake(kept: CallKeeping) -> None:
    while True:
        kept.unsure()
        await asyncio.sleep(_AWAKE_EVERY_S)


def process_name() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


__all__ = ["LEASE_S", "CallKeeping", "NameTaken", "SharedStore", "keeping", "process_name"]
