"""Transactions in one turn of a thread: whole or not at all, whoever waits for them."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from crossfade.conversation.store_thread import Statements, StoreThread


@contextlib.asynccontextmanager
async def threads(folder: Path) -> AsyncIterator[StoreThread]:
    thread = StoreThread(create_engine(f"sqlite:///{folder / 'some.db'}"))

    async def table(statements: Statements) -> None:
        await statements.execute(text("CREATE TABLE numbers (n INTEGER)"))

    await thread.transaction(table)
    try:
        yield thread
    finally:
        await thread.close()


async def noted(statements: Statements) -> None:
    await statements.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": 1}, {"n": 2}])


async def told(statements: Statements) -> list[int]:
    return list((await statements.execute(text("SELECT n FROM numbers"))).scalars())


def test_a_transaction_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    async def fails(statements: Statements) -> None:
        await noted(statements)
        raise ValueError("no")

    async def waits(statements: Statements) -> None:
        await noted(statements)
        await asyncio.sleep(0)

    async def scenario() -> None:
        async with threads(tmp_path) as thread:
            with pytest.raises(ValueError, match="no"):
                await thread.transaction(fails)
            with pytest.raises(RuntimeError, match="something else"):
                await thread.transaction(waits)
            assert await thread.transaction(told) == []
            await thread.transaction(noted)
            assert await thread.transaction(told) == [1, 2]

    asyncio.run(scenario())


def test_who_stops_waiting_stops_nothing_and_the_end_waits_for_it(tmp_path: Path) -> None:
    held = threading.Event()

    async def slow(statements: Statements) -> None:
        held.wait(5)
        await noted(statements)

    async def scenario() -> None:
        async with threads(tmp_path) as thread:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(thread.transaction(slow), 0.01)
            held.set()
        again = StoreThread(create_engine(f"sqlite:///{tmp_path / 'some.db'}"))
        assert await again.transaction(told) == [1, 2]
        await again.close()

    asyncio.run(scenario())
