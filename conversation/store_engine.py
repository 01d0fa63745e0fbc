"""The database under the store: its address, its connections, its migrations, its errors."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, inspect, make_url, text
from sqlalchemy import exc as sql
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from crossfade.conversation.store_schema import REVISION, REVISION_TABLE, metadata
from crossfade.conversation.store_thread import StoreThread, Work
from crossfade.errors import SettingsError, StoreError, StoreUnavailable

T = TypeVar("T")
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_CONNECT_TIMEOUT_S = 5.0
_TIMEOUT_S = 10.0
# A process that was stopped in the middle of a transaction would keep others from its calls.
_IDLE_MS = 2000
# Nobody writes while SQLite waits for those who read to let it empty its log: it waits briefly,
# and then again.
_EMPTYING_MS = 50
_EMPTY_AGAIN_S = 0.1
_MIGRATION_TIMEOUT_S = 600.0
# So that two processes do not make the tables at once; any number that is ours.
_MIGRATION_LOCK = 0x63726F7373
# Classes of SQLSTATE that blame what is written: cardinality, data, integrity, program limit. Any
# other, such as a right that is missing, may pass when somebody has seen to the database.
_REFUSING_STATES = ("21", "22", "23", "54")


class Database:
    """An engine, and what is particular to SQLite and to PostgreSQL.

    Args:
        url: As `open_store`.

    Raises:
        SettingsError: The URL cannot be used, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self.shown_url = self._url.render_as_string(hide_password=True)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self._up_to_date = False
        self._migrating = asyncio.Lock()
        try:
            self._engine = create_async_engine(self._url, **self._options())
        except ImportError as error:
            extra = "store" if self.is_sqlite else "postgres"
            raise SettingsError(
                f"the store needs {error.name}, which is not installed; "
                f"install 'crossfade[{extra}]'"
            ) from error
        self._thread: StoreThread | None = None
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            blocking = create_engine(self._url.set(drivername="sqlite"), **self._options())
            event.listen(blocking, "connect", _prepare_sqlite)
            self._thread = StoreThread(blocking)

    def _options(self) -> dict[str, Any]:
        if self.is_sqlite:
            return {"connect_args": {"timeout": _CONNECT_TIMEOUT_S}}
        arguments = {
            "timeout": _CONNECT_TIMEOUT_S,
            "command_timeout": _TIMEOUT_S,
            "server_settings": {"idle_in_transaction_session_timeout": str(_IDLE_MS)},
        }
        return {"connect_args": arguments, "pool_pre_ping": True}

    @contextlib.asynccontextmanager
    async def transaction(self, *, timeout_s: float = _TIMEOUT_S) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, undone by an error.

        The first one brings the tables up to date.

        Raises:
            StoreUnavailable: The database does not answer within `timeout_s`, or is full.
            StoreError: It refuses, or its tables are of a newer version.
        """
        await self.migrate()
        async with self._begun(timeout_s) as connection:
            yield connection

    async def at_once(self, work: Work[T], *, timeout_s: float = _TIMEOUT_S) -> T:
        """A whole transaction, as `transaction`; with SQLite in one turn of a thread.

        Who stops waiting for it there, or waits for too long, does not stop it.
        """
        if self._thread is None:
            async with self.transaction(timeout_s=timeout_s) as connection:
                return await work(connection)
        await self.migrate()
        with self._errors(), _clock_held():
            async with asyncio.timeout(timeout_s):
                return await self._thread.transaction(work)

    @contextlib.asynccontextmanager
    async def _begun(self, timeout_s: float) -> AsyncIterator[AsyncConnection]:
        with self._errors(), _clock_held():
            async with asyncio.timeout(timeout_s), self._engine.begin() as connection:
                yield connection

    async def forget(self, tables: Sequence[str] = (), *, attempts: int = 1) -> None:
        """Have deleted rows leave the files: SQLite's log is emptied, PostgreSQL vacuums.

        Args:
            tables: PostgreSQL vacuums these alone; none means all of the store's.
            attempts: So often SQLite tries, a tenth of a second apart.

        Raises:
            StoreUnavailable: The database does not answer, or another program reads the file.
        """
        for left in reversed(range(attempts)):
            if await self._forgot(tables):
                return
            if left:
                await asyncio.sleep(_EMPTY_AGAIN_S)
        raise StoreUnavailable(
            f"what was deleted is still in the log of the store {self.shown_url}, for another "
            "program is reading the file; it leaves the log when all have closed the file"
        )

    async def _forgot(self, tables: Sequence[str]) -> bool:
        timeout_s = _MIGRATION_TIMEOUT_S
        with self._errors(), _clock_held():
            async with asyncio.timeout(timeout_s), self._engine.connect() as connection:
                if self.is_sqlite:
                    return await _empty_log(connection)
                alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
                for name in tables or metadata.tables:
                    await alone.exec_driver_sql(f'VACUUM "{name}"')
        return True

    async def migrate(self) -> None:
        """Bring the tables to this version's state.

        Raises:
            StoreUnavailable: The database does not answer.
            StoreError: The tables are of a newer version.
        """
        if self._up_to_date:
            return
        async with self._migrating:
            if not self._up_to_date:
                await self._migrate()
                self._up_to_date = True

    async def _migrate(self) -> None:
        if self.is_sqlite:
            _make_file(Path(self._url.database or ""))
        async with self._begun(_TIMEOUT_S) as connection:
            if await connection.run_sync(_revision) == REVISION:
                return
        async with self._begun(_MIGRATION_TIMEOUT_S) as connection:
            if self.is_sqlite:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                # What is migrated by is loaded between two statements.
                await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                lock = text("SELECT pg_advisory_xact_lock(:lock)")
                await connection.execute(lock, {"lock": _MIGRATION_LOCK})
            await connection.run_sync(_upgrade)

    async def close(self) -> None:
        """Close all connections."""
        with _clock_held():
            if self._thread is not None:
                await self._thread.close()
            await self._engine.dispose()

    @contextlib.contextmanager
    def _errors(self) -> Any:
        try:
            yield
        except (sql.SQLAlchemyError, OSError, sqlite3.Error) as error:
            told = " ".join(str(getattr(error, "orig", None) or error).split())
            if _passes(error):
                what = told or "it does not answer in time"
                raise StoreUnavailable(
                    f"the store {self.shown_url} cannot be used now ({what}); "
                    "see to the database, its address and its disk"
                ) from error
            raise StoreError(f"the store {self.shown_url} refused: {told}") from error
        except Exception as error:
            # The driver's own, from before there was a connection.
            if not type(error).__module__.startswith("asyncpg"):
                raise
            raise StoreUnavailable(
                f"the store {self.shown_url} cannot be used now ({error}); "
                "see to the database, its address, its user and password"
            ) from error


def _parsed(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite+aiosqlite", database=str(Path(url).expanduser()))
    try:
        parsed = make_url(url)
    except (sql.ArgumentError, ValueError) as error:
        raise SettingsError(
            "the URL of the store cannot be read; give sqlite:///PATH or "
            "postgresql://USER@HOST/NAME"
        ) from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise SettingsError(
            f"the store cannot use {parsed.drivername!r}; give sqlite:///PATH or "
            "postgresql://USER@HOST/NAME"
        )
    if driver.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
        raise SettingsError("the store is to outlive its process; give sqlite:///PATH of a file")
    return parsed.set(drivername=driver)


def _make_file(path: Path) -> None:
    """Make the file for this user alone; SQLite gives its log the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"the store {path} cannot be written ({error.strerror}); "
            "name a file that is yours to write"
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Of several that open a new file one sets its mode; the others are refused, and find it so.
    with contextlib.suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode=WAL")
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _empty_log(connection: AsyncConnection) -> bool:
    """Empty SQLite's log; whether nobody was reading it."""
    await connection.exec_driver_sql(f"PRAGMA busy_timeout = {_EMPTYING_MS}")
    try:
        found = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return not found.scalar_one()
    finally:
        waits_ms = round(_CONNECT_TIMEOUT_S * 1000)
        await connection.exec_driver_sql(f"PRAGMA busy_timeout = {waits_ms}")


def _passes(error: Exception) -> bool:
    """Whether the same may succeed later."""
    if not isinstance(error, sql.DBAPIError):
        return not isinstance(error, sql.SQLAlchemyError) or isinstance(error, sql.TimeoutError)
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return not state.startswith(_REFUSING_STATES)
    if error.connection_invalidated or isinstance(error, sql.OperationalError):
        return True
    return isinstance(error, sql.InterfaceError) and not _is_value_error(error.orig)


def _is_value_error(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ValueError):
        error = error.__cause__
    return error is not None


@contextlib.contextmanager
def _clock_held() -> Any:
    """Keep a virtual clock from jumping: it does not see drivers' threads and other processes."""
    hold = getattr(asyncio.get_running_loop(), "hold", None)
    with contextlib.nullcontext() if hold is None else hold():
        yield


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(REVISION_TABLE):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {REVISION_TABLE}").scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    # Loaded for those alone who have something to migrate.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    from crossfade.conversation import migrations

    config = Config()
    place = str(Path(str(migrations.__file__)).parent).replace("%", "%%")
    config.set_main_option("script_location", place)
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"the store's tables are of a version ({_revision(connection)}) that this Crossfade "
            "does not know; use the Crossfade that made them, or a newer one"
        ) from error


__all__ = ["Database"]
