import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.gemini_keys import child, children, in_camel_case


@pytest.mark.parametrize(
    ("key", "camel"),
    [
        ("model_turn", "modelTurn"),
        ("modelTurn", "modelTurn"),
        ("last_consumed_client_message_index", "lastConsumedClientMessageIndex"),
        ("mime_type", "mimeType"),
        ("", ""),
    ],
)
def test_keys_are_respelled(key: str, camel: str) -> None:
    assert in_camel_case({key: 1, "other": 2}) == {camel: 1, "other": 2}


def test_one_level_is_respelled_and_no_value() -> None:
    assert in_camel_case({"function_calls": {"my_key": "my_value"}}) == {
        "functionCalls": {"my_key": "my_value"}
    }


def test_objects_inside_are_respelled_when_they_are_read() -> None:
    fields = {"a": {"b_c": 1}, "d": [{"e_f": 2}, 7], "g": None}
    assert child(fields, "a") == {"bC": 1}
    assert children(fields, "d") == [{"eF": 2}]
    assert child(fields, "g") == {}
    assert children(fields, "a") == []


@given(st.dictionaries(st.text(), st.integers()))
def test_no_key_stays_in_snake_case(fields: dict[str, int]) -> None:
    assert not any("_" in key for key in in_camel_case(fields))
