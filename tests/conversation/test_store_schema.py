"""The migrations lead to the tables that the code writes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from crossfade.conversation import migrations
from crossfade.conversation.store_engine import Database
from crossfade.conversation.store_schema import REVISION, REVISION_TABLE, metadata

from .stores import KINDS, empty_database


def test_the_newest_migration_is_the_one_that_the_code_knows() -> None:
    scripts = ScriptDirectory(str(Path(str(migrations.__file__)).parent))
    assert scripts.get_heads() == [REVISION]


@pytest.mark.parametrize("kind", KINDS)
def test_the_migrations_lead_to_the_tables(kind: str, tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": REVISION_TABLE}
        )
        found = compare_metadata(context, metadata)
        assert isinstance(found, list)
        return found

    async def main(url: str) -> list[Any]:
        database = Database(url)
        await database.migrate()
        await database.migrate()
        async with database.transaction() as connection:
            found = await connection.run_sync(differences)
        await database.close()
        return found

    with empty_database(kind, tmp_path) as url:
        assert asyncio.run(main(url)) == []
