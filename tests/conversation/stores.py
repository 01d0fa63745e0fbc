"""Stores to test with: an SQLite file always, a database of PostgreSQL's where there is one."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from crossfade.conversation.store import CallStore, open_store
from crossfade.conversation.store_records import NewCall

T = TypeVar("T")

POSTGRES = os.environ.get("CROSSFADE_TEST_POSTGRES", "")
"""URL of a database of PostgreSQL, by a user who may make others beside it."""

KINDS = ["sqlite", *(["postgresql"] if POSTGRES else [])]
STARTED_AT = 1_700_000_000.0


@contextlib.contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database of the test's own, which is gone when the test is over."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'calls.db'}"
        return
    name = f"crossfade_{uuid.uuid4().hex}"
    asyncio.run(_order(f'CREATE DATABASE "{name}"'))
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_order(f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _order(order: str) -> None:
    engine = create_async_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(order))
    await engine.dispose()


def in_store(url: str, main: Callable[[CallStore], Coroutine[Any, Any, T]]) -> T:
    """Run `main` in real time with the store opened."""

    async def opened() -> T:
        async with await open_store(url) as store:
            return await main(store)

    return asyncio.run(opened())


async def order(url: str, statement: str) -> list[Any]:
    """What a client of the database itself is given."""
    driver = url.replace("sqlite:", "sqlite+aiosqlite:")
    engine = create_async_engine(driver)
    async with engine.begin() as connection:
        done = await connection.execute(text(statement))
        found = done.all() if done.returns_rows else []
    await engine.dispose()
    return list(found)


def call(name: str = "a", **fields: Any) -> NewCall:
    return NewCall(**{"id": name, "spec": "openai:m", "started_at": STARTED_AT, **fields})
