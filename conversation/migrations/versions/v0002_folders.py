"""Where the recordings of a call lie: each process that served it has a folder of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    owner = sa.ForeignKey("crossfade_calls.id", ondelete="CASCADE")
    op.create_table(
        "crossfade_folders",
        sa.Column("call_id", sa.Text, owner, primary_key=True),
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
    )
