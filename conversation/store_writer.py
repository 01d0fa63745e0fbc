"""Writes the changes of many calls in one transaction, in statements that are short.

The event loop may have the interpreter between statements, so that none takes many rows.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Executable, Table, and_, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crossfade.conversation import store_leases
from crossfade.conversation import store_schema as t
from crossfade.conversation.store_records import CallChanges, CallStatus, LeftOut, NewCall
from crossfade.conversation.store_thread import Statements

_ROWS = 32
"""Of one statement."""
_LIVE = (t.unfinished_audio, t.handles, t.leases)
"""What is kept of a call while it runs."""

Row = Mapping[str, Any]


async def write_batch(
    connection: Statements,
    batch: Sequence[CallChanges],
    *,
    owner: str | None,
    lease_s: float,
) -> dict[str, LeftOut]:
    """Write a batch; gives the calls left out, as `CallStore.write` tells."""
    ids = sorted({changes.call_id for changes in batch})
    for changes in batch:
        if changes.began is not None:
            await begin_call(connection, changes.began, owner=owner, lease_s=lease_s)
    writable = there = await _touch(connection, ids)
    if owner is not None:
        writable = there & await store_leases.renew(connection, ids, owner, lease_s)
    writing = [changes for changes in batch if changes.call_id in writable]
    await _write_models(connection, writing)
    await _write_states(connection, writing)
    await _write_entries(connection, writing)
    await _write_audio(connection, writing)
    await _write_handles(connection, writing)
    await _write_folders(connection, writing)
    await _end(connection, [changes for changes in writing if changes.ended is not None])
    if owner is not None:
        freed = [changes.call_id for changes in writing if changes.free]
        await _drop(connection, t.leases, freed)
    return {
        call_id: LeftOut.TAKEN if call_id in there else LeftOut.DELETED
        for call_id in ids
        if call_id not in writable
    }


async def begin_call(
    connection: Statements,
    call: NewCall,
    *,
    owner: str | None,
    lease_s: float,
    over: str | None = None,
) -> bool:
    """Make a call with its lease, as `CallStore.begin` tells; whether it was made. One that is
    there stays whose it is."""
    if over is not None:
        served = select(t.leases.c.call_id).where(t.leases.c.until > t.now_s())
        unborn = and_(t.calls.c.state == over, t.calls.c.id.not_in(served))
        await connection.execute(delete(t.calls).where(t.calls.c.id == call.id, unborn))
    insertion = _insertion(connection.dialect.name, t.calls, replace=False)
    made = (await connection.execute(insertion.returning(t.calls.c.id), _call(call))).first()
    if made is None:
        return False
    if owner is not None:
        await store_leases.acquire(connection, call.id, owner, lease_s, by_force=False)
    return True


async def withdraw_call(connection: Statements, call_id: str, owner: str) -> bool:
    """Delete a call, unless another than its owner serves it; whether that was done."""
    of_others = select(t.leases.c.call_id).where(t.leases.c.owner != owner)
    mine = and_(t.calls.c.id == call_id, t.calls.c.id.not_in(of_others))
    return bool((await connection.execute(delete(t.calls).where(mine))).rowcount)


async def end_abandoned(connection: Statements, after_s: float) -> frozenset[str]:
    """End calls that run and nobody serves, as `CallStore.end_abandoned` tells; gives them."""
    served = select(t.leases.c.call_id).where(t.leases.c.until > t.now_s())
    abandoned = and_(
        t.calls.c.status == CallStatus.RUNNING.value,
        t.calls.c.seen_at < t.now_s() - after_s,
        t.calls.c.id.not_in(served),
    )
    # Locked first: who takes one of them either has it before the second look, or finds it ended.
    locked = select(t.calls.c.id).where(abandoned).with_for_update(skip_locked=True)
    ids = (await connection.execute(locked)).scalars().all()
    if not ids:
        return frozenset()
    statement = (
        update(t.calls)
        .where(t.calls.c.id.in_(ids), abandoned)
        .values(status=CallStatus.FAILED.value, ended_at=t.calls.c.seen_at)
        .returning(t.calls.c.id)
    )
    ended = frozenset((await connection.execute(statement)).scalars())
    for table in _LIVE:
        await _drop(connection, table, ended)
    return ended


async def _touch(connection: Statements, ids: Collection[str]) -> frozenset[str]:
    """Note that the calls live; gives those that there are."""
    statement = (
        update(t.calls)
        .where(t.calls.c.id.in_(ids))
        .values(seen_at=t.now_s())
        .returning(t.calls.c.id)
    )
    return frozenset((await connection.execute(statement)).scalars())


async def _write_models(connection: Statements, batch: Iterable[CallChanges]) -> None:
    changed = [
        {"of_id": one.call_id, "to_spec": one.changed.spec, "to_rate": one.changed.audio_rate_hz}
        for one in batch
        if one.changed is not None
    ]
    statement = update(t.calls).where(t.calls.c.id == bindparam("of_id"))
    statement = statement.values(spec=bindparam("to_spec"), audio_rate_hz=bindparam("to_rate"))
    await _each(connection, statement, changed)


async def _write_states(connection: Statements, batch: Iterable[CallChanges]) -> None:
    changed = [{"of_id": one.call_id, "now": one.state} for one in batch if one.state is not None]
    statement = update(t.calls).where(t.calls.c.id == bindparam("of_id"))
    await _each(connection, statement.values(state=bindparam("now")), changed)


async def _write_entries(connection: Statements, batch: Iterable[CallChanges]) -> None:
    rows: list[Row] = []
    tools: list[Row] = []
    for changes in batch:
        for entry in changes.entries:
            place = {"call_id": changes.call_id, "position": entry.position}
            rows.append({**place, "kind": entry.kind, "at_s": entry.at_s, "record": entry.record})
            if (tool := entry.tool) is not None:
                tools.append(
                    {
                        **place,
                        "tool_call_id": tool.tool_call_id,
                        "name": tool.name,
                        "called_at_s": tool.called_at_s,
                        "answered_at_s": tool.answered_at_s,
                        "is_error": tool.is_error,
                    }
                )
    await _put(connection, t.entries, rows)
    await _put(connection, t.tool_calls, tools)


async def _write_audio(connection: Statements, batch: Sequence[CallChanges]) -> None:
    changed = [(one.call_id, one.audio) for one in batch if one.audio is not None]
    await _drop(connection, t.unfinished_audio, [call_id for call_id, a in changed if a.anew])
    chunks = [
        {"call_id": call_id, "part": audio.part, "pcm": audio.chunk}
        for call_id, audio in changed
        if audio.chunk
    ]
    await _put(connection, t.unfinished_audio, chunks)


async def _write_handles(connection: Statements, batch: Sequence[CallChanges]) -> None:
    await _drop(connection, t.handles, [one.call_id for one in batch if one.forget_handle])
    rows = [
        {"call_id": one.call_id, "spec": one.handle.spec, "value": one.handle.value}
        for one in batch
        if one.handle is not None
    ]
    await _put(connection, t.handles, rows)


async def _write_folders(connection: Statements, batch: Iterable[CallChanges]) -> None:
    rows = [
        {
            "call_id": one.call_id,
            "host": one.folder.host,
            "path": one.folder.path,
            "since": one.folder.since,
        }
        for one in batch
        if one.folder is not None
    ]
    await _put(connection, t.folders, rows)


async def _end(connection: Statements, ended: Sequence[CallChanges]) -> None:
    if not ended:
        return
    statement = (
        update(t.calls)
        .where(t.calls.c.id == bindparam("of_id"))
        .values(status=bindparam("to_status"), ended_at=bindparam("to_ended_at"))
    )
    rows = [
        {
            "of_id": one.call_id,
            "to_status": (one.ended or CallStatus.ENDED).value,
            "to_ended_at": one.ended_at,
        }
        for one in ended
    ]
    await _each(connection, statement, rows)
    for table in _LIVE:
        await _drop(connection, table, [one.call_id for one in ended])


def _call(call: NewCall) -> Row:
    return {
        "id": call.id,
        "spec": call.spec,
        "status": CallStatus.RUNNING.value,
        "started_at": call.started_at,
        "ended_at": None,
        "seen_at": call.started_at,
        "audio_rate_hz": call.audio_rate_hz,
        "config": json.dumps(call.config),
        "state": call.state,
    }


async def _put(connection: Statements, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or replace those that are there."""
    await _each(connection, _insertion(connection.dialect.name, table, replace=True), rows)


@cache
def _insertion(dialect: str, table: Table, *, replace: bool) -> sqlite.Insert | postgresql.Insert:
    statement = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    keys = [column.name for column in table.primary_key]
    if not replace:
        return statement.on_conflict_do_nothing(index_elements=keys)
    values = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


async def _each(connection: Statements, statement: Executable, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), _ROWS):
        await connection.execute(statement, list(rows[start : start + _ROWS]))


async def _drop(connection: Statements, table: Table, call_ids: Collection[str]) -> None:
    if call_ids:
        await connection.execute(delete(table).where(table.c.call_id.in_(sorted(call_ids))))


__all__ = ["begin_call", "end_abandoned", "withdraw_call", "write_batch"]
