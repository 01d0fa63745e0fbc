"""JSON whose every part may be something else."""

import pytest

from crossfade.errors import SettingsError
from crossfade.providers.wire_json import child, children, decode, encode, string, whole


def test_only_objects_are_messages() -> None:
    assert decode(b'{"a":1}') == {"a": 1}
    assert [decode(text) for text in ("[1]", "1", "null", '"a"', "", "{")] == [None] * 6


def test_fields_of_another_kind_are_as_good_as_missing() -> None:
    fields = {"a": [1, {"b": 2}, None], "s": "text", "n": 7, "o": {"x": 1}, "f": 2.9, "null": None}
    assert (string(fields, "s"), string(fields, "n"), string(fields, "no")) == ("text", "", "")
    assert [whole(fields, key) for key in ("n", "f", "s", "null", "no")] == [7, 2, 0, 0, 0]
    assert (child(fields, "o"), child(fields, "a"), child(fields, "null")) == ({"x": 1}, {}, {})
    assert (children(fields, "a"), children(fields, "s")) == ([{"b": 2}], [])


def test_keys_that_are_no_text_are_written_as_text() -> None:
    assert encode({1: "one"}) == b'{"1":"one"}'


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, "\ud800", 2**70])
def test_what_json_cannot_say_is_a_setting_error(value: object) -> None:
    with pytest.raises(SettingsError, match="JSON cannot say it"):
        encode(value)
