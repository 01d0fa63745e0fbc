import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.redaction import REMOVED, redact, without_secrets

HEX = "0123456789abcdef" * 2

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123456",
        "sk-abc***************xyz",
        "ek_68af296e8e408191a1120ab6383263c2",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "Bearer some.long.credential",
        "auth_tokens/0123456789abcdef",
        "AQ.Ab8RN6Kheron-nest_0123",
        "ya29.a0AfB_heron-nest.0123",
        HEX,
    ],
)
def test_a_key_in_a_text_is_removed(secret: str) -> None:
    told = without_secrets(f"Incorrect API key provided: {secret} .")
    assert told == f"Incorrect API key provided: {REMOVED} ."


@pytest.mark.parametrize(
    "text",
    [
        "api-key: {}",
        '"Ocp-Apim-Subscription-Key":"{}"',
        "token={}&x=1",
        "the subscription key that was given is {}.",
    ],
)
def test_bare_digits_that_are_called_a_key_are_removed(text: str) -> None:
    assert without_secrets(text.format(HEX)) == text.format(REMOVED)


def test_bare_digits_under_the_name_of_a_key_are_removed_and_ids_stay() -> None:
    message = {"subscriptionKey": HEX, "item_id": HEX, "session": {"id": HEX}}
    kept = {"subscriptionKey": REMOVED, "item_id": HEX, "session": {"id": HEX}}
    assert redact(message, content=True) == kept
    assert without_secrets(f"item {HEX} of session {HEX}") == f"item {HEX} of session {HEX}"


@pytest.mark.parametrize("text", ["a risk-assessment-form", "the desk_of_seven", "bear in mind"])
def test_words_that_resemble_a_key_stay(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "message",
    [
        {"headers": {"X-Key": "planted"}},
        {"Authorization": "planted"},
        {"client_secret": {"value": "planted", "expires_at": 1}},
        {"sessionResumptionUpdate": {"newHandle": "planted", "resumable": True}},
        {"session": {"tools": [{"type": "mcp", "authorization": "planted"}]}},
    ],
)
def test_what_lies_under_the_key_of_a_credential_is_removed(message: dict[str, Any]) -> None:
    for content in (True, False):
        assert "planted" not in str(redact(message, content=content))


def test_a_field_that_counts_tokens_is_no_credential() -> None:
    usage = {"total_tokens": 12, "max_output_tokens": 4096}
    assert redact(usage, content=True) == usage


def test_sound_is_replaced_by_its_length() -> None:
    item = {"content": [{"type": "input_audio", "audio": "UklG" * 1000}]}
    kept = redact(item, content=True)
    assert kept == {"content": [{"type": "input_audio", "audio": "[4000 characters of base64]"}]}


@pytest.mark.parametrize(
    "message",
    [
        {"inlineData": {"mimeType": "audio/pcm", "data": "UklGRg=="}},
        {"content": [{"image_url": "data:image/png;base64,UklGRg=="}]},
        {"realtime_input": {"audio": {"data": "UklGRiQA"}}},
    ],
)
def test_not_even_short_sound_or_pictures_are_kept(message: dict[str, Any]) -> None:
    assert "UklGR" not in str(redact(message, content=True))


def test_words_stay_with_content_on() -> None:
    body = {"item": {"id": "item_1", "transcript": "Guten Tag"}}
    assert redact(body, content=True) == body


def test_words_go_with_content_off_and_structure_stays() -> None:
    body = {
        "item": {"id": "item_1", "type": "message", "role": "user", "object": "realtime.item"},
        "response": {
            "object": "realtime.response",
            "status": "completed",
            "output": [{"object": "realtime.item", "id": "x"}],
        },
        "transcript": "Guten Tag",
        "arguments": {"account": 4711},
        "audio_end_ms": 1200,
    }
    assert redact(body, content=False) == {
        **body,
        "transcript": "[9 characters]",
        "arguments": "[17 characters]",
    }


@given(json_values, st.sampled_from(["text", "delta", "arguments", "result", "anything", "error"]))
def test_no_word_passes_with_content_off(value: Any, key: str) -> None:
    planted = "planted words"
    kept = redact({key: [value, planted, {"note": planted}]}, content=False)
    assert planted not in str(kept)


@pytest.mark.parametrize("answer", [[1234, "planted"], {"object": "planted", "pin": 1234}, 1234])
@pytest.mark.parametrize("key", ["args", "arguments", "output", "response", "result"])
def test_nothing_of_what_a_tool_answers_passes_with_content_off(key: str, answer: Any) -> None:
    kept = str(redact({key: answer}, content=False))
    assert "planted" not in kept
    assert "1234" not in kept


def test_a_message_nested_without_end_does_not_exhaust_the_stack() -> None:
    message: Any = "deep"
    for _ in range(900):
        message = [message]
    assert "deep" not in str(redact(message, content=True))


@given(json_values)
def test_redaction_changes_neither_its_input_nor_the_keys(value: Any) -> None:
    before = repr(value)
    kept = redact(value, content=False)
    assert repr(value) == before
    if isinstance(value, dict):
        assert kept.keys() == value.keys()


def test_credentials_in_json_within_json_are_removed() -> None:
    inner = '{"city": "Rome", "token": "t-1", "keys": [{"password": "p-1"}]}'
    kept = redact({"output": inner, "arguments": '{"city":  "Rome"}'}, content=True)
    assert json.loads(kept["output"]) == {
        "city": "Rome",
        "token": REMOVED,
        "keys": [{"password": REMOVED}],
    }
    # What holds none stays as it was written.
    assert kept["arguments"] == '{"city":  "Rome"}'
    assert redact({"output": "{no json"}, content=True) == {"output": "{no json"}


def test_sound_is_kept_where_that_is_wanted() -> None:
    message = {"audio": {"data": "AAAA"}, "token": "t-1"}
    assert redact(message, content=True, sound=True) == {
        "audio": {"data": "AAAA"},
        "token": REMOVED,
    }


DECLARED = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "description": "Of the door.", "default": "planted-default"},
        "api_key": {"anyOf": [{"type": "string", "enum": ["planted-a", "planted-b"]}]},
        "secret": {"type": "object", "properties": {"password": {"type": "string"}}},
        "city": {"type": "string", "default": "Rome"},
        "any": True,
    },
    "required": ["token"],
}


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("key", ["parameters", "input_schema", "inputSchema"])
def test_an_argument_that_is_named_like_a_secret_is_declared_and_its_values_are_removed(
    key: str, content: bool
) -> None:
    kept = redact({"tools": [{"name": "token", key: DECLARED}]}, content=content)["tools"][0]
    assert kept["name"] == "token"
    properties = kept[key]["properties"]
    assert list(properties) == list(DECLARED["properties"])
    assert properties["token"]["type"] == "string"
    assert properties["token"]["default"] == REMOVED
    assert properties["api_key"]["anyOf"][0]["enum"] == REMOVED
    assert properties["secret"]["properties"]["password"] == {"type": "string"}
    assert properties["any"] is True
    assert kept[key]["required"] == ["token"]
    assert "planted" not in json.dumps(kept)
    if content:
        assert properties["city"] == {"type": "string", "default": "Rome"}
        assert properties["token"]["description"] == "Of the door."


@pytest.mark.parametrize(
    "value",
    [
        {"parameters": {"token": "planted"}},
        {"parameters": {"properties": {"token": "planted"}}},
        {"parameters": {"properties": {"token": ["planted"]}}},
        {"parameters": {"properties": {"token": {"type": "string", "token": "planted"}}}},
        {"result": {"properties": {"token": {"type": "bearer", "value": "planted"}}}},
        {"parameters": {"api_key": {"default": "planted"}}},
    ],
)
def test_what_only_resembles_a_declaration_keeps_no_value(value: dict[str, Any]) -> None:
    assert "planted" not in json.dumps(redact(value, content=True))


def test_what_a_tool_answers_is_looked_through_where_a_text_model_is_told_it() -> None:
    told = {"role": "tool", "content": '{"token": "planted", "city": "Rome"}'}
    assert json.loads(redact(told, content=True)["content"]) == {"token": REMOVED, "city": "Rome"}
