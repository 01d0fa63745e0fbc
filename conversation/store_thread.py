"""SQLite's transactions in one go, in a thread of their own.

The async driver goes to its thread and back four times a statement, and each of these ways wakes
the event loop. Statements that need nothing between them but each other are made there all at once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable

T = TypeVar("T")


class Statements(Protocol):
    """What is needed of a connection, SQLAlchemy's async one or that of a `StoreThread`."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]: ...


Work = Callable[[Statements], Coroutine[Any, Any, T]]
"""Awaits nothing but statements."""


class StoreThread:
    """One thread with a connection, for one transaction after the other.

    Args:
        engine: Of a driver that blocks; it is this thread's alone.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="crossfade-store")

    async def transaction(self, work: Work[T]) -> T:
        """Do all of it, or nothing. Who stops waiting does not stop it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Work[T]) -> T:
        with self._engine.begin() as connection:
            doing = work(_Blocking(connection))
            try:
                doing.send(None)
            except StopIteration as end:
                result: T = end.value
                return result
            doing.close()
            raise RuntimeError("a transaction of SQLite awaited something else than statements")

    async def close(self) -> None:
        """Close the connection, when the last transaction has ended."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)


class _Blocking:
    """A connection whose awaitables wait for nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)


__all__ = ["Statements", "StoreThread", "Work"]
