"""The task that writes all calls of a process to the store, behind the audio path.

Several times a second it takes what changed in each call and writes it in one transaction. What
waits is bounded by itself: of each entry the newest state alone, of the unfinished utterance what
there is of it. A store that is slow costs intermediate states. One that is down or full costs
nothing until a call ends: of the calls that have ended and wait to be written the oldest is
dropped, and counted, when there are more than 256. Writing resumes when the store is well again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from loguru import logger

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import (
    CallChanges,
    CallFolder,
    LeftOut,
    NewCall,
    StoredCall,
    StoredHandle,
)
from crossfade.errors import StoreError, StoreUnavailable

from .call_journal import CallJournal

INTERVAL_S = 0.1
"""With the write itself, unfinished audio is kept at most 200 ms apart."""
_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 8.0
_MOST_ENDED = 256
_CALLS_AT_ONCE = 4
"""Looked at before the loop has its turn."""
_FORGET_S = 10.0
_CLOSING_S = 5.0


class Store(Protocol):
    """What is needed of a CallStore."""

    async def write(
        self, batch: Sequence[CallChanges], *, owner: str | None = None, lease_s: float = 10.0
    ) -> Mapping[str, LeftOut]: ...

    async def forget_audio(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """How the writing goes."""

    well: bool
    error: str
    """Why it is not well, or was not."""
    lost: int
    """Calls of which something was not written and never will be, so far."""


class JournalWriter:
    """Writes the calls of this process. An async context manager: leaving it writes the rest.

    Args:
        store: Where to.
        owner: The name of this process, of its own, by which it holds the leases of its calls;
            None keeps calls without leases.
        lease_s: How long a lease lasts that is not renewed. It is renewed three times as often.
        interval_s: How long it waits between two looks at the calls.
        listener: Told when the store fails, when it is well again, and once for each call of which
            something is lost.
    """

    def __init__(
        self,
        store: Store,
        *,
        owner: str | None = None,
        lease_s: float = 10.0,
        interval_s: float = INTERVAL_S,
        listener: Callable[[JournalState], None] | None = None,
    ) -> None:
        self._store = store
        self._owner = owner
        self._lease_s = lease_s
        self._interval_s = interval_s
        self._listener = listener
        self._journals: dict[str, CallJournal] = {}
        self._taken: dict[str, Callable[[], None]] = {}
        self._told: set[str] = set()
        self._some = asyncio.Event()
        self._writing = asyncio.Lock()
        self._writes: set[asyncio.Task[bool]] = set()
        self._coming: asyncio.Task[bool] | None = None
        """The write that has not yet taken anything."""
        self._task: asyncio.Task[None] | None = None
        self._state = JournalState(well=True, error="", lost=0)
        self._retry_s = _FIRST_RETRY_S
        self._renewed_s = self._forgot_s = -float("inf")
        self._to_forget = False
        self._forgetting: asyncio.Task[None] | None = None

    @property
    def state(self) -> JournalState:
        return self._state

    @property
    def keeps_calls(self) -> bool:
        """Whether any call is written."""
        return bool(self._journals)

    def open(
        self,
        call: NewCall,
        conversation: Conversation,
        *,
        unfinished: Callable[[], bytes] | None = None,
        state: Callable[[], str] | None = None,
        handle: Callable[[], StoredHandle | None] | None = None,
        begun: bool = False,
        stored: StoredCall | None = None,
        folder: CallFolder | None = None,
        taken: Callable[[], None] | None = None,
    ) -> CallJournal:
        """Write a call from now on, until its journal is told `end` or `leave`.

        Args:
            call: The call.
            conversation: Its ledger, whose `on_change` is taken.
            unfinished: As `CallJournal`.
            state: As `CallJournal`.
            handle: As `CallJournal`.
            begun: As `CallJournal`; the lease of such a call must be this owner's already.
            stored: As `CallJournal`; the lease of such a call must be this owner's already. Where
                this process served it just now, `flush` after `leave` and before this.
            folder: As `CallJournal`.
            taken: Called once when another process has taken the lease: it serves the call now,
                and of this one nothing is written any more.
        """
        journal = CallJournal(
            call,
            conversation,
            unfinished=unfinished,
            state=state,
            handle=handle,
            begun=begun,
            stored=stored,
            folder=folder,
        )
        self._journals[call.id] = journal
        if taken is not None:
            self._taken[call.id] = taken
        self._some.set()
        return journal

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="call journal")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                if self._forgetting is not None:
                    await asyncio.wait([self._forgetting])
                if await self.flush() and self._to_forget:
                    await self._forget()
        left = [*self._writes, *([self._forgetting] if self._forgetting is not None else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        why = "the store did not answer in time" if self._state.well else self._state.error
        for call_id in [one.call_id for one in self._journals.values() if one.closed or one.waits]:
            self._lost(call_id, why)

    async def flush(self, call_id: str | None = None) -> bool:
        """Write everything that waits, now; whether that succeeded.

        Args:
            call_id: What waits of this call is enough.
        """
        while self._journals:
            if not await self._write_once():
                return False
            waiting = {one.call_id for one in self._journals.values() if one.waits or one.closed}
            if not (waiting if call_id is None else call_id in waiting):
                break
        return True

    async def renew(self) -> bool:
        """Renew all leases now, and let go of calls that are another's; whether it succeeded."""
        self._renewed_s = -float("inf")
        return await self._write_once()

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            well = await self._write_once()
            if not self._journals and not self._to_forget:
                self._some.clear()
                continue
            await asyncio.sleep(self._interval_s if well else self._retry_s)
            if not well:
                self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)

    async def _write_once(self) -> bool:
        """Take what changed and write it; whether the store took it.

        Who is cancelled meanwhile only stops waiting: SQLite stays locked for a while if it is cut
        off in the middle of a statement.
        """
        writing = self._coming
        if writing is None:
            writing = asyncio.create_task(self._write_next(), name="call journal writes")
            self._coming = writing
            self._writes.add(writing)
            writing.add_done_callback(self._written)
        return await asyncio.shield(writing)

    def _written(self, writing: asyncio.Task[bool]) -> None:
        self._writes.discard(writing)
        if self._coming is writing:
            self._coming = None

    async def _write_next(self) -> bool:
        async with self._writing:
            self._coming = None
            batch = await self._take()
            if not batch:
                self._forget_if_due()
                return True
            try:
                await self._write(batch)
            except StoreUnavailable as error:
                self._give_back(batch)
                self._down(str(error))
                return False
            except asyncio.CancelledError:
                self._give_back(batch)
                raise
            except Exception:
                # Something in the batch cannot be written: not the whole batch shall suffer.
                return await self._write_apart(batch)
            self._up()
            self._forget_if_due()
            return True

    async def _take(self) -> list[CallChanges]:
        batch: list[CallChanges] = []
        try:
            await self._take_into(batch)
        except asyncio.CancelledError:
            self._give_back(batch)
            raise
        return batch

    async def _take_into(self, batch: list[CallChanges]) -> None:
        now_s = asyncio.get_running_loop().time()
        renew = self._owner is not None and now_s >= self._renewed_s + self._lease_s / 3
        for number, journal in enumerate(tuple(self._journals.values()), 1):
            try:
                changes = journal.take()
            except Exception as error:
                self._lost(journal.call_id, f"what changed cannot be told: {error!r}")
                self._let_go(journal.call_id)
                continue
            if changes is not None:
                batch.append(changes)
            elif renew:
                batch.append(CallChanges(call_id=journal.call_id))
            if number % _CALLS_AT_ONCE == 0:
                await asyncio.sleep(0)
        if renew and batch:
            self._renewed_s = now_s

    async def _write(self, batch: Sequence[CallChanges]) -> None:
        left_out = await self._store.write(batch, owner=self._owner, lease_s=self._lease_s)
        for changes in batch:
            gone = changes.audio is not None and changes.audio.anew
            self._to_forget |= gone or changes.ended is not None
            if changes.began is not None and (journal := self._journals.get(changes.call_id)):
                journal.kept = changes.call_id not in left_out
            if changes.free and changes.call_id not in left_out:
                self._let_go(changes.call_id)
        for call_id, why in left_out.items():
            taken = self._taken.get(call_id)
            self._let_go(call_id)
            if why is LeftOut.TAKEN and taken is not None:
                logger.info("call {} is served by another process now", call_id)
                asyncio.get_running_loop().call_soon(taken)

    async def _write_apart(self, batch: Sequence[CallChanges]) -> bool:
        for number, changes in enumerate(batch):
            try:
                await self._write([changes])
            except StoreUnavailable as error:
                self._give_back(batch[number:])
                self._down(str(error))
                return False
            except asyncio.CancelledError:
                self._give_back(batch[number:])
                raise
            except Exception as error:
                why = str(error) if isinstance(error, StoreError) else repr(error)
                self._lost(changes.call_id, why)
                if changes.began is not None or changes.free:
                    self._let_go(changes.call_id)
        self._up()
        return True

    def _forget_if_due(self) -> None:
        """Have deleted audio leave the store's files, too; now and then, since that takes time."""
        now_s = asyncio.get_running_loop().time()
        busy = self._forgetting is not None and not self._forgetting.done()
        if self._to_forget and not busy and now_s >= self._forgot_s + _FORGET_S:
            self._forgot_s = now_s
            self._to_forget = False
            self._forgetting = asyncio.create_task(self._forget(), name="call journal forgets")

    async def _forget(self) -> None:
        try:
            await self._store.forget_audio()
        except StoreError:
            # Somebody reads the file, or the store is down: it is done next time.
            self._to_forget = True

    def _give_back(self, batch: Iterable[CallChanges]) -> None:
        self._renewed_s = -float("inf")
        for changes in batch:
            if journal := self._journals.get(changes.call_id):
                journal.failed(changes)
        ended = [call_id for call_id, journal in self._journals.items() if journal.closed]
        for call_id in ended[: max(0, len(ended) - _MOST_ENDED)]:
            self._lost(call_id, "more calls ended than wait for a store that is down")
            self._let_go(call_id)

    def _let_go(self, call_id: str) -> None:
        if journal := self._journals.pop(call_id, None):
            journal.detach()
        self._taken.pop(call_id, None)
        self._told.discard(call_id)

    def _down(self, error: str) -> None:
        if self._state.well:
            logger.warning("history of calls is not written for now: {}", error)
            self._tell(JournalState(well=False, error=error, lost=self._state.lost))

    def _up(self) -> None:
        self._retry_s = _FIRST_RETRY_S
        if not self._state.well:
            logger.info("history of calls is written again")
            self._tell(JournalState(well=True, error=self._state.error, lost=self._state.lost))

    def _lost(self, call_id: str, error: str) -> None:
        if call_id in self._told:
            return
        self._told.add(call_id)
        lost = self._state.lost + 1
        logger.warning("history of call {} is lost, the {}. of them: {}", call_id, lost, error)
        self._tell(JournalState(well=self._state.well, error=error, lost=lost))

    def _tell(self, state: JournalState) -> None:
        self._state = state
        if self._listener is not None:
            asyncio.get_running_loop().call_soon(self._listener, state)


__all__ = ["INTERVAL_S", "JournalState", "JournalWriter"]
