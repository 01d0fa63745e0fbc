"""The first tables: calls, their entries and tool calls, unfinished audio, handles and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _of_call() -> sa.Column[str]:
    owner = sa.ForeignKey("crossfade_calls.id", ondelete="CASCADE")
    return sa.Column("call_id", sa.Text, owner, primary_key=True)


def upgrade() -> None:
    op.create_table(
        "crossfade_calls",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("audio_rate_hz", sa.Integer, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_index("crossfade_calls_by_start", "crossfade_calls", ["started_at"])
    op.create_table(
        "crossfade_entries",
        _of_call(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "crossfade_tool_calls",
        _of_call(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("tool_call_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("called_at_s", sa.Double, nullable=False),
        sa.Column("answered_at_s", sa.Double),
        sa.Column("is_error", sa.Boolean, nullable=False),
    )
    op.create_index("crossfade_tool_calls_by_name", "crossfade_tool_calls", ["name"])
    op.create_table(
        "crossfade_unfinished_audio",
        _of_call(),
        sa.Column("part", sa.BigInteger, primary_key=True),
        sa.Column("pcm", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "crossfade_handles",
        _of_call(),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "crossfade_leases",
        _of_call(),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
