"""The rows of entries: what is quick to write says what is plain to read."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings

from crossfade.conversation.records import to_record
from crossfade.conversation.store_entries import entry_of, entry_row
from crossfade.conversation.turns import Entry, UserTurn

from .entries import entries


def moved(record: dict[str, Any], by_s: float) -> dict[str, Any]:
    return {
        name: value + by_s if name.endswith("_at_s") and value is not None else value
        for name, value in record.items()
    }


@given(entry=entries)
@example(entry=UserTurn(started_at_s=1.0, text="Grüße 東京 \U0001f642 \x00 \x7f \u2028 \\u00fc"))
@example(entry=UserTurn(started_at_s=1.0, text="lone \ud800"))
@settings(max_examples=200, deadline=None)
def test_a_row_holds_the_record_in_ascii_with_the_calls_own_times(entry: Entry) -> None:
    row = entry_row(3, entry, 0.5)
    record = moved(to_record(entry), -0.5)
    assert json.loads(row.record) == json.loads(json.dumps(record))
    assert row.record.isascii()
    assert "\0" not in row.record
    assert (row.position, row.kind) == (3, record["kind"])
    assert row.at_s == min(
        at_s for name, at_s in record.items() if name.endswith("_at_s") and at_s is not None
    )


@given(entry=entries)
@settings(max_examples=200, deadline=None)
def test_a_row_gives_its_entry_back(entry: Entry) -> None:
    again = entry_of(entry_row(0, entry, 0.0).record, 0.0)
    assert again == entry


def test_the_entry_is_as_it_was() -> None:
    turn = UserTurn(started_at_s=1.0, stopped_at_s=2.0, text="Hello.")
    entry_row(0, turn, 0.5)
    assert turn == UserTurn(started_at_s=1.0, stopped_at_s=2.0, text="Hello.")
    assert entry_of(entry_row(0, turn, 0.5).record, 0.5).started_at_s == pytest.approx(1.0)  # type: ignore[union-attr]
