"""What is stored of a conversation is all of it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from crossfade.conversation.records import from_record, to_record
from crossfade.conversation.turns import Entry, UserTurn
from crossfade.errors import SettingsError

from .entries import entries


@given(entry=entries)
@settings(max_examples=200, deadline=None)
def test_an_entry_comes_back_from_json_as_it_was(entry: Entry) -> None:
    record = to_record(entry)
    assert from_record(json.loads(json.dumps(record))) == entry
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"kind": "telegram"},
        {"kind": "agent"},
        {"kind": "tool"},
        {"more": 1},
    ],
)
def test_what_is_no_record_of_this_version_is_refused(change: dict[str, Any]) -> None:
    record = to_record(UserTurn(started_at_s=1.0, text="Hello."))
    with pytest.raises(SettingsError, match="cannot be read"):
        from_record(record | change)
