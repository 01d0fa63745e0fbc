import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.redaction import REMOVED, redact, without_pieces, without_secrets
from crossfade.observability.secret_text import remove_values, secret_values

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
    # It is written as it was, with blanks or without.
    assert kept["output"] == inner.replace("t-1", REMOVED).replace("p-1", REMOVED)
    inner = inner.replace(": ", ":").replace(", ", ",")
    kept_joined = redact({"output": inner}, content=True)["output"]
    assert kept_joined == inner.replace("t-1", REMOVED).replace("p-1", REMOVED)
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


NAMES = [
    "accessToken",
    "auth_token",
    "apiKey",
    "aws_secret_access_key",
    "clientSecret",
    "DB-Password",
    "passwd",
    "private_key",
    "privateKey",
    "proxy-authorization",
    "X_Api_Key",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_credentials_are_known_however_they_are_spelt(name: str) -> None:
    told = {"kept": 1, "one": {name: "planted", "list": [{name: ["planted"]}, {name: 4711}]}}
    for content in (True, False):
        kept = redact(told, content=content)
        assert kept["kept"] == 1
        assert "planted" not in str(kept)
        assert "4711" not in str(kept)
    schema = {"properties": {name: {"type": "string", "default": "planted"}}}
    kept = redact({"parameters": schema}, content=True)["parameters"]["properties"]
    assert kept == {name: {"type": "string", "default": REMOVED}}


COUNTERS = {
    "max_tokens": 1,
    "input_tokens": 2,
    "cachedTokens": 3,
    "token_count": 4,
    "tokens_per_s": 5,
    "output_token_details": {"text_tokens": 6},
    "secrets": ["pin"],
    "private_key_id": "1",
    "passwordless": True,
}


def test_names_that_tell_of_tokens_and_hold_none_stay() -> None:
    assert redact(COUNTERS, content=True) == COUNTERS


planted = st.text(alphabet="abcdefghijkmnopqrstuvwxyzABCDEFG0123456789", min_size=24, max_size=40)
around = st.sampled_from(
    ["", "refused: ", "GET it. ", "token or not, ", "voil\u00e0 ", '{"text": "', "("]
)
after = st.sampled_from(["", " failed", ' "}', "\n", ", twice", " (401)"])


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


FORMS: dict[str, Callable[[str], str]] = {
    "a JWT": lambda p: f"eyJhbGciOiJIUzI1NiJ9.{_base64(p)}.{p}",
    "a JWT in a query": lambda p: f"wss://h/x?t=eyJhbGciOiJIUzI1NiJ9.{p}.c2ln&n=1",
    "a JWT without signature": lambda p: f"eyJhbGciOiJIUzI1NiJ9.{p}.",
    "a named JWT": lambda p: f"https://h/x?access_token=eyJ{p}",
    "a named value": lambda p: f"wss://h/x?n=1&token={p}&m=2",
    "a named key": lambda p: f"wss://h/x?api-key={p}",
    "a named key in capitals": lambda p: f"wss://h/x?Subscription-Key={p}#top",
    "a fragment": lambda p: f"https://h/#access_token={p}",
    "a form": lambda p: f"grant_type=x&client_secret={p}",
    "a user": lambda p: f"https://user:{p}@h:80/x",
    "a user of a database": lambda p: f"postgresql://user:{p}@h/x",
    "a proxy's user": lambda p: f"//user:{p}@h",
    "Groq's": lambda p: f"gsk_{p}",
    "Azure's": lambda p: (p + "7" + p * 4)[:84],
    "a header": lambda p: f"Authorization: Basic {_base64('user:' + p)}",
    "half a header": lambda p: f"Basic {_base64('user:' + p)}",
    "a quoted header": lambda p: f'"authorization": "Token {p}"',
    "an escaped header": lambda p: f'\\"authorization\\":\\"Token {p}\\"',
    "a header of no kind": lambda p: f"Authorization={p}",
    "Deepgram's": lambda p: f"Token {p}1",
}


@given(planted, around, after, st.sampled_from(sorted(FORMS)))
def test_a_secret_in_any_form_is_removed_and_what_is_around_it_stays(
    secret: str, before: str, behind: str, form: str
) -> None:
    written = FORMS[form](secret)
    text = f"{before}{written}{behind}"
    kept = without_secrets(text)
    assert REMOVED in kept
    for each in (secret, _base64(secret), _base64("user:" + secret)):
        assert each not in kept
    assert kept.startswith(before)
    assert kept.endswith(behind)
    assert without_secrets(kept) == kept
    # As it is written into a file: JSON in which it stands stays such.
    assert REMOVED in json.loads(without_secrets(json.dumps({"x": text})))["x"]


ORDINARY = [
    "Basic training is at https://example.org:443/a@b?page=2&key_count=7.",
    "The token count was 17, max_tokens=5&tokens=3.",
    "Token of love; Basic. basic authentication",
    "mail me at bob@example.org // or: call @ten",
    "wss://127.0.0.1:8080/v1/realtime?model=gpt-realtime&voice=marin",
    "eyJ is how it begins, a=b, c==d?",
    "authorization is needed, the password is asked for",
    "item_C1DexampleC1Dexample resp_0123456789abcdef0123456789abcdef",
    "Token, resp_0123456789abcdef0123456789abcdef",
    "A" * 84,
    "ab12" * 22,
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_and_addresses_stay(text: str) -> None:
    assert without_secrets(text) == text
    assert redact({"text": text}, content=True) == {"text": text}


@given(
    st.lists(
        st.sampled_from(" ".join(ORDINARY[:8]).split())
        | st.from_regex(r"[\w ,.!-]{0,12}", fullmatch=True)
    )
)
def test_ordinary_words_in_any_order_stay(words: list[str]) -> None:
    text = ", ".join(words)
    assert without_secrets(text) == text


@given(st.floats(allow_nan=False) | st.integers() | st.booleans(), st.sampled_from(list(COUNTERS)))
def test_numbers_stay(number: float, name: str) -> None:
    assert redact({name: number, "x": [number]}, content=True) == {name: number, "x": [number]}


def test_letters_of_sound_are_no_key() -> None:
    sound = base64.b64encode(bytes(range(256)) * 400).decode()
    assert without_secrets(sound) == sound


@pytest.fixture
def environment() -> Iterator[None]:
    yield
    remove_values(())


@pytest.mark.usefixtures("environment")
def test_values_of_the_environment_are_removed_wherever_they_stand() -> None:
    values = secret_values(
        {
            "SOME_API_KEY": "planted words",
            "SOME_TOKEN": "planted words of a token",
            "MY_SECRET": 'planted "quoted"',
            "DB_PASSWORD": "planted&pass",
            "SHORT_KEY": "1234567",
            "PATH": "planted path",
            "KEYBOARD": "planted keyboard",
        }
    )
    assert set(values) == {
        "planted words",
        "planted words of a token",
        'planted "quoted"',
        "planted&pass",
    }
    remove_values(values)
    text = 'a planted words of a token, planted words. planted "quoted" 1234567 planted path'
    kept = f"a {REMOVED}, {REMOVED}. {REMOVED} 1234567 planted path"
    assert without_secrets(text) == kept
    assert redact({"note": [text]}, content=True) == {"note": [kept]}
    assert json.loads(without_secrets(json.dumps(text))) == kept
    assert without_secrets("https://h/?x=planted%26pass") == f"https://h/?x={REMOVED}"
    remove_values(())
    assert without_secrets("planted words") == "planted words"


def test_arguments_that_come_in_pieces_are_removed() -> None:
    for kind in ("response.function_call_arguments.delta", "response.mcp_call_arguments.delta"):
        piece = {"type": kind, "item_id": "item_1", "delta": '{"password":"plan'}
        assert without_pieces(piece) == {**piece, "delta": REMOVED}
    spoken = {"type": "response.output_audio_transcript.delta", "delta": "Hello"}
    assert without_pieces(spoken) == spoken
    assert without_pieces({"type": 1, "delta": "Hello"}) == {"type": 1, "delta": "Hello"}


@pytest.mark.parametrize("joined", ["pat", "key", "my_item", "planted"])
def test_a_key_that_is_joined_to_a_word_is_no_id(joined: str) -> None:
    kept = without_secrets(f"the token {joined}_0123456789abcdef0123456789abcdef")
    assert "0123456789abcdef" not in kept
