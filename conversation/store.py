"""The store of calls: what another process needs to go on with one, and its history.

An SQLite file by default, PostgreSQL by URL. Needs the extra `store`, and `postgres` for the
latter. Only pipelines import it.
"""

import asyncio
import json
import time
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Self

from crossfade.conversation.store_entries import entry_of
from crossfade.conversation.store_records import (
    CallChanges,
    CallFolder,
    CallListing,
    CallStatus,
    Lease,
    LeftOut,
    NewCall,
    StoredCall,
    StoredHandle,
)
from crossfade.errors import SettingsError, StoreUnavailable

try:
    from sqlalchemy import ColumnElement, and_, delete, func, select

    from crossfade.conversation import store_leases as _leases
    from crossfade.conversation import store_schema as t
    from crossfade.conversation.store_engine import Database
    from crossfade.conversation.store_writer import (
        begin_call,
        end_abandoned,
        withdraw_call,
        write_batch,
    )
except ImportError as error:
    raise SettingsError(
        f"the store of calls needs a package that is not installed ({error.name}); "
        "install 'crossfade[store]'"
    ) from error


async def open_store(url: str, *, now: bool = True) -> "CallStore":
    """Open a store, and bring its tables up to date if they are missing or older.

    Args:
        url: `sqlite+aiosqlite:///PATH`, `postgresql+asyncpg://USER@HOST/NAME`, the same without the
            driver's name, or the path of an SQLite file. The file is made if there is none, for
            this user alone.
        now: Whether it must answer now. Else that which is asked of it first tries again, and
            calls can begin while it is down.

    Raises:
        SettingsError: The URL cannot be used, or its driver is not installed.
        StoreError: The tables are of a newer version.
        StoreUnavailable: The database does not answer, or the file cannot be written.
    """
    database = Database(url)
    try:
        await database.migrate()
    except StoreUnavailable:
        if now:
            await database.close()
            raise
    except BaseException:
        await database.close()
        raise
    return CallStore(database)


class CallStore:
    """Calls in a database. Made by `open_store`; an async context manager that closes.

    Every method raises StoreUnavailable if the database does not answer or is full, and StoreError
    if it refuses for good. Several processes may use one store.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database

    @property
    def url(self) -> str:
        """Where it is, without its password."""
        return self._database.shown_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def write(
        self, batch: Sequence[CallChanges], *, owner: str | None = None, lease_s: float = 10.0
    ) -> dict[str, LeftOut]:
        """Write the changes of many calls in one transaction, all or none.

        Args:
            batch: At most one of each call.
            owner: Who writes. Then a call is written only if this owner holds its lease, which is
                made with calls that begin, and renewed for the others. None writes all.
            lease_s: How long the leases then last.

        Returns:
            Calls of which nothing was written, and why.
        """
        return await self._database.at_once(
            lambda statements: write_batch(statements, batch, owner=owner, lease_s=lease_s)
        )

    async def begin(
        self, call: NewCall, owner: str, ttl_s: float, *, over: str | None = None
    ) -> bool:
        """Make a call and its lease in one transaction, if there is none of that name.

        A call that is there, running or ended, is left as it is, lease or no lease.

        Args:
            call: The call.
            owner: Who serves it.
            ttl_s: How long the lease lasts.
            over: One whose state is still this text, and that nobody serves, is deleted first.

        Returns:
            Whether it was made.
        """
        async with self._database.transaction() as connection:
            return await begin_call(connection, call, owner=owner, lease_s=ttl_s, over=over)

    async def withdraw(self, call_id: str, owner: str) -> bool:
        """Delete a call that did not come about, so that its name is free again.

        Returns:
            Whether it was there, and no other owner's.
        """
        async with self._database.transaction() as connection:
            return await withdraw_call(connection, call_id, owner)

    async def load_call(
        self, call_id: str, *, started_at_s: float | None = None
    ) -> StoredCall | None:
        """All that is kept of a call; None if there is no such call.

        Who means to go on with it takes its lease first, so that nobody writes meanwhile.

        Args:
            call_id: The call.
            started_at_s: The call's start on the clock of the entries that are returned; None is
                the running loop's clock, by which the call began as long ago as by the calendar.
        """
        async with self._database.transaction() as connection:
            call = (
                await connection.execute(select(t.calls).where(t.calls.c.id == call_id))
            ).one_or_none()
            if call is None:
                return None
            of_call = [table.c.call_id == call_id for table in _PARTS]
            records = await connection.execute(
                select(t.entries.c.record).where(of_call[0]).order_by(t.entries.c.position)
            )
            chunks = await connection.execute(
                select(t.unfinished_audio.c.part, t.unfinished_audio.c.pcm)
                .where(of_call[1])
                .order_by(t.unfinished_audio.c.part)
            )
            handle = (await connection.execute(select(t.handles).where(of_call[2]))).one_or_none()
            folders = (await connection.execute(select(t.folders).where(of_call[3]))).all()
        if started_at_s is None:
            started_at_s = asyncio.get_running_loop().time() - (time.time() - call.started_at)
        audio = chunks.all()
        return StoredCall(
            id=call.id,
            spec=call.spec,
            config=json.loads(call.config),
            status=CallStatus(call.status),
            started_at=call.started_at,
            started_at_s=started_at_s,
            ended_at=call.ended_at,
            entries=tuple(entry_of(record, started_at_s) for record in records.scalars()),
            unfinished=b"".join(chunk.pcm for chunk in audio),
            unfinished_part=audio[-1].part + 1 if audio else 0,
            audio_rate_hz=call.audio_rate_hz,
            state=call.state,
            handle=None if handle is None else StoredHandle(spec=handle.spec, value=handle.value),
            folders=sorted(map(_folder, folders)),
        )

    async def calls(
        self, *, limit: int = 100, status: CallStatus | None = None
    ) -> tuple[CallListing, ...]:
        """The latest calls, the newest first."""
        c, lease = t.calls.c, t.leases.c
        query = (
            select(
                *(c.id, c.spec, c.status, c.started_at, c.ended_at, c.seen_at),
                select(func.count())
                .where(t.entries.c.call_id == c.id)
                .scalar_subquery()
                .label("entries"),
                select(func.count())
                .where(t.tool_calls.c.call_id == c.id)
                .scalar_subquery()
                .label("tool_calls"),
                lease.owner,
            )
            .outerjoin(t.leases, and_(lease.call_id == c.id, lease.until > t.now_s()))
            .order_by(c.started_at.desc(), c.id)
            .limit(limit)
        )
        if status is not None:
            query = query.where(c.status == status.value)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(CallListing(**{**row, "status": CallStatus(row["status"])}) for row in rows)

    async def named(self, beginning: str, *, limit: int = 10) -> tuple[str, ...]:
        """Calls whose id begins so."""
        matching = t.calls.c.id.startswith(beginning, autoescape=True)
        query = select(t.calls.c.id).where(matching).order_by(t.calls.c.id).limit(limit)
        async with self._database.transaction() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def abandoned(self) -> tuple[str, ...]:
        """Calls that run and whose lease nobody holds, the newest first: theirs is a dead process.

        A call that is kept without leases is among them as long as it runs.
        """
        running = await self.calls(limit=10_000, status=CallStatus.RUNNING)
        return tuple(call.id for call in running if call.owner is None)

    async def end_abandoned(self, after_s: float) -> tuple[str, ...]:
        """End calls that nobody serves, and that were last written to so many seconds ago.

        They are kept as failed, and as ended when they were last written to. Whoever asks does so
        for all processes.

        Returns:
            Which they were.
        """
        async with self._database.transaction() as connection:
            ended = await end_abandoned(connection, after_s)
        return tuple(sorted(ended))

    async def delete(self, call_ids: Collection[str]) -> int:
        """Delete calls with all that belongs to them, also those that run.

        Their folders are left to whoever has them. In SQLite nothing of them is left in the file
        or its log; PostgreSQL is told to vacuum.

        Returns:
            How many there were.

        Raises:
            StoreUnavailable: They are deleted, but another program reads SQLite's file, so that
                they are still in its log.
        """
        async with self._database.transaction() as connection:
            found = await connection.execute(delete(t.calls).where(t.calls.c.id.in_(call_ids)))
        await self._database.forget(attempts=_FORGETTING)
        return int(found.rowcount)

    async def delete_older(self, than_s: float) -> int:
        """Delete calls that ended, or were last written to, so many seconds ago.

        Calls that somebody serves are left alone.

        Returns:
            How many there were.

        Raises:
            StoreUnavailable: As `delete`.
        """
        async with self._database.transaction() as connection:
            found = await connection.execute(delete(t.calls).where(_older(than_s)))
        if found.rowcount:
            await self._database.forget(attempts=_FORGETTING)
        return int(found.rowcount)

    async def folders(self, call_ids: Collection[str]) -> tuple[CallFolder, ...]:
        """Where calls were recorded."""
        return await self._folders(t.calls.c.id.in_(call_ids))

    async def folders_older(self, than_s: float) -> tuple[CallFolder, ...]:
        """Where the calls were recorded that `delete_older` deletes."""
        return await self._folders(_older(than_s))

    async def _folders(self, of_calls: ColumnElement[bool]) -> tuple[CallFolder, ...]:
        query = select(t.folders).where(
            t.folders.c.call_id.in_(select(t.calls.c.id).where(of_calls))
        )
        async with self._database.transaction() as connection:
            return tuple(sorted(map(_folder, await connection.execute(query))))

    async def forget_audio(self) -> None:
        """Have unfinished audio that was deleted leave the files of the database, too.

        Raises:
            StoreUnavailable: Another program reads SQLite's file just now.
        """
        await self._database.forget([t.unfinished_audio.name])

    async def acquire(self, call_id: str, owner: str, ttl_s: float) -> Lease | None:
        """Take the lease of a call that nobody holds, or whose lease is this owner's already.

        All times are the database's, since the processes of two machines share no other clock.

        Returns:
            The lease, or None if another holds it or there is no such call.
        """
        async with self._database.transaction() as connection:
            return await _leases.acquire(connection, call_id, owner, ttl_s, by_force=False)

    async def take(self, call_id: str, owner: str, ttl_s: float) -> Lease | None:
        """Take the lease of a call whoever holds it. The other one can write to it no more.

        Returns:
            The lease, or None if there is no such call.
        """
        async with self._database.transaction() as connection:
            return await _leases.acquire(connection, call_id, owner, ttl_s, by_force=True)

    async def renew(self, call_ids: Collection[str], owner: str, ttl_s: float) -> frozenset[str]:
        """Prolong leases; also those that ran out and that nobody took.

        Returns:
            The calls whose lease this owner still has.
        """
        async with self._database.transaction() as connection:
            return await _leases.renew(connection, call_ids, owner, ttl_s)

    async def release(self, call_id: str, owner: str) -> bool:
        """Give a lease back; whether it was this owner's."""
        async with self._database.transaction() as connection:
            return await _leases.release(connection, call_id, owner)

    async def holder(self, call_id: str) -> Lease | None:
        """Who holds the lease of a call now."""
        async with self._database.transaction() as connection:
            return await _leases.holder(connection, call_id)


def _older(than_s: float) -> ColumnElement[bool]:
    """Calls that ended, or were last written to, so long ago, and that nobody serves."""
    served = select(t.leases.c.call_id).where(t.leases.c.until > t.now_s())
    last_at = func.coalesce(t.calls.c.ended_at, t.calls.c.seen_at)
    return and_(last_at < t.now_s() - than_s, t.calls.c.id.not_in(served))


def _folder(row: Any) -> CallFolder:
    return CallFolder(since=row.since, host=row.host, path=row.path)


# So often it is tried: for some seconds.
_FORGETTING = 30
_PARTS = (t.entries, t.unfinished_audio, t.handles, t.folders)

__all__ = ["CallStore", "open_store"]
