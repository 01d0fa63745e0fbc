"""Run by Alembic for each migration, on the connection that it was given."""

from alembic import context

from crossfade.conversation.store_schema import REVISION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
)
context.run_migrations()
