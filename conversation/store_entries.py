"""Entries of a ledger as rows of the store. There, times count from the call's start."""

import json
from collections.abc import Mapping
from typing import Any

from crossfade.conversation.records import from_record, to_record
from crossfade.conversation.store_records import EntryRow, ToolRow
from crossfade.conversation.turns import Entry, ToolRound


def entry_row(position: int, entry: Entry, started_at_s: float) -> EntryRow:
    """Write an entry down. What JSON cannot say, in a tool's result, becomes text.

    Args:
        position: Its place in the ledger, from 0.
        entry: The entry.
        started_at_s: The call's start on the entry's clock.
    """
    record = _moved(to_record(entry), -started_at_s)
    tool = None
    if isinstance(entry, ToolRound):
        result, at_s = entry.result, entry.answered_at_s
        tool = ToolRow(
            tool_call_id=_storable(entry.call.id),
            name=_storable(entry.call.name),
            called_at_s=entry.called_at_s - started_at_s,
            answered_at_s=None if at_s is None else at_s - started_at_s,
            is_error=result is not None and result.is_error,
        )
    return EntryRow(
        position=position,
        kind=record["kind"],
        at_s=min(_times(record)),
        # In ASCII, which every database can hold.
        record=json.dumps(record, separators=(",", ":"), default=str),
        tool=tool,
    )


def entry_of(record: str, started_at_s: float) -> Entry:
    """Read an entry back.

    Args:
        record: JSON, as `entry_row` wrote it.
        started_at_s: The call's start on the clock that the entry shall have.
    """
    return from_record(_moved(json.loads(record), started_at_s))


def _moved(record: Mapping[str, Any], by_s: float) -> dict[str, Any]:
    return {
        name: value + by_s if _is_time(name) and value is not None else value
        for name, value in record.items()
    }


def _times(record: Mapping[str, Any]) -> list[float]:
    return [at_s for name, at_s in record.items() if _is_time(name) and at_s is not None]


def _is_time(name: str) -> bool:
    return name.endswith("_at_s")


def _storable(text: str) -> str:
    """Without what PostgreSQL has no place for; the record has the text as it was."""
    return text.replace("\0", "").encode(errors="replace").decode()


__all__ = ["entry_of", "entry_row"]
