"""The tables of the store, as the newest migration leaves them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

REVISION = "0002"
"""The newest migration."""
REVISION_TABLE = "crossfade_revision"

# Their names are our own: a database of PostgreSQL may be another application's, too.
metadata = MetaData()


def _of_call() -> Column[str]:
    return Column(
        "call_id", Text, ForeignKey("crossfade_calls.id", ondelete="CASCADE"), primary_key=True
    )


calls = Table(
    "crossfade_calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("spec", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("seen_at", Double, nullable=False),
    Column("audio_rate_hz", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("state", Text, nullable=False),
    Index("crossfade_calls_by_start", "started_at"),
)

# Records are text and not JSON of the database: PostgreSQL's cannot hold every string.
entries = Table(
    "crossfade_entries",
    metadata,
    _of_call(),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("record", Text, nullable=False),
)

tool_calls = Table(
    "crossfade_tool_calls",
    metadata,
    _of_call(),
    Column("position", Integer, primary_key=True),
    Column("tool_call_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("called_at_s", Double, nullable=False),
    Column("answered_at_s", Double),
    Column("is_error", Boolean, nullable=False),
    Index("crossfade_tool_calls_by_name", "name"),
)

unfinished_audio = Table(
    "crossfade_unfinished_audio",
    metadata,
    _of_call(),
    Column("part", BigInteger, primary_key=True),
    Column("pcm", LargeBinary, nullable=False),
)

handles = Table(
    "crossfade_handles",
    metadata,
    _of_call(),
    Column("spec", Text, nullable=False),
    Column("value", Text, nullable=False),
)

folders = Table(
    "crossfade_folders",
    metadata,
    _of_call(),
    Column("host", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("since", Double, nullable=False),
)

leases = Table(
    "crossfade_leases",
    metadata,
    _of_call(),
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),
)


class now_s(FunctionElement[float]):  # a function of SQL
    """Unix time by the database's clock, which all processes share."""

    inherit_cache = True
    type = Double()


@compiles(now_s, "sqlite")
def _sqlite_now(element: now_s, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now_s, "postgresql")
def _postgresql_now(element: now_s, compiler: Any, **kw: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


__all__ = [
    "REVISION",
    "REVISION_TABLE",
    "calls",
    "entries",
    "folders",
    "handles",
    "leases",
    "metadata",
    "now_s",
    "tool_calls",
    "unfinished_audio",
]
