"""Who serves a call: at most one process, by the database's clock."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, delete, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crossfade.conversation.store_records import Lease
from crossfade.conversation.store_schema import calls, leases, now_s
from crossfade.conversation.store_thread import Statements


async def acquire(
    connection: Statements, call_id: str, owner: str, ttl_s: float, *, by_force: bool
) -> Lease | None:
    """Give the owner the lease, if it is free, theirs already, or `by_force`."""
    if by_force:
        # Whoever just ends the call, because nobody served it, is waited for.
        locked = select(calls.c.id).where(calls.c.id == call_id).with_for_update()
        await connection.execute(locked)
    until: ColumnElement[float] = now_s() + ttl_s
    wanted = select(calls.c.id, literal(owner), until).where(calls.c.id == call_id)
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(leases).from_select(["call_id", "owner", "until"], wanted)
    free = or_(leases.c.until <= now_s(), leases.c.owner == owner)
    statement = statement.on_conflict_do_update(
        index_elements=["call_id"],
        set_={"owner": statement.excluded.owner, "until": statement.excluded.until},
        where=None if by_force else free,
    )
    row = (await connection.execute(statement.returning(*leases.c))).one_or_none()
    return None if row is None else Lease(call_id=row.call_id, owner=row.owner, until=row.until)


async def renew(
    connection: Statements, call_ids: Collection[str], owner: str, ttl_s: float
) -> frozenset[str]:
    """Prolong the owner's leases, and lock them until the transaction ends."""
    statement = (
        update(leases)
        .where(leases.c.call_id.in_(sorted(call_ids)), leases.c.owner == owner)
        .values(until=now_s() + ttl_s)
        .returning(leases.c.call_id)
    )
    return frozenset((await connection.execute(statement)).scalars())


async def release(connection: Statements, call_id: str, owner: str) -> bool:
    """Give the lease back; whether it was the owner's."""
    mine = (leases.c.call_id == call_id) & (leases.c.owner == owner)
    return bool((await connection.execute(delete(leases).where(mine))).rowcount)


async def holder(connection: Statements, call_id: str) -> Lease | None:
    """The lease that holds now."""
    held = (leases.c.call_id == call_id) & (leases.c.until > now_s())
    row = (await connection.execute(select(leases).where(held))).one_or_none()
    return None if row is None else Lease(call_id=row.call_id, owner=row.owner, until=row.until)


__all__ = ["acquire", "holder", "release", "renew"]
