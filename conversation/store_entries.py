"""Entries of a ledger as rows of the store. There, times count from the call's start."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from crossfade.conversation.records import from_record, to_record, whole_record
from crossfade.conversation.store_records import EntryRow, ToolRow
from crossfade.conversation.turns import Entry, ToolRound

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def entry_row(position: int, entry: Entry, started_at_s: float) -> EntryRow:
    """Write an entry down. What JSON cannot say, in a tool's result, becomes text.

    Args:
        position: Its place in the ledger, from 0.
        entry: The entry.
        started_at_s: The call's start on the entry's clock.
    """
    record = _moved(whole_record(entry), -started_at_s)
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
        at_s=min(record[name] for name in _times(record)),
        record=_json(record, entry, started_at_s),
        tool=tool,
    )


def entry_of(record: str, started_at_s: float) -> Entry:
    """Read an entry back.

    Args:
        record: JSON, as `entry_row` wrote it.
        started_at_s: The call's start on the clock that the entry shall have.
    """
    return from_record(_moved(json.loads(record), started_at_s))


def _json(record: dict[str, Any], entry: Entry, started_at_s: float) -> str:
    """In ASCII, which every database can hold."""
    # What a tool gives may be anything; all else is strings and numbers.
    if not isinstance(entry, ToolRound):
        try:
            text = orjson.dumps(record).decode()
        except TypeError:
            # Lone surrogates, integers over 64 bits.
            pass
        else:
            return text if text.isascii() else _NOT_ASCII.sub(_escaped, text)
    record = _moved(to_record(entry), -started_at_s)
    return json.dumps(record, separators=(",", ":"), default=str)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _moved(record: dict[str, Any], by_s: float) -> dict[str, Any]:
    """A record on another clock; it is changed itself."""
    for name in _times(record):
        record[name] += by_s
    return record


def _times(record: Mapping[str, Any]) -> list[str]:
    """Under which names there are times."""
    return [name for name in record if name.endswith("_at_s") and record[name] is not None]


def _storable(text: str) -> str:
    """Without what PostgreSQL has no place for; the record has the text as it was."""
    return text.replace("\0", "").encode(errors="replace").decode()


__all__ = ["entry_of", "entry_row"]
