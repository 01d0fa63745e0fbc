"""Control messages: what is understood, and that nothing else does harm."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import CallerError
from crossfade.transports.websocket_messages import (
    Chosen,
    Goodbye,
    HeardSpeech,
    Hello,
    Microphone,
    Ping,
    Played,
    Pressed,
    Shown,
    Unknown,
    Written,
    read_message,
    read_object,
    write_message,
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "hello"}, Hello()),
        (
            {
                "type": "hello",
                "version": 1,
                "token": "t",
                "input_rate_hz": 8000,
                "output_rate_hz": 48000,
                "reports": True,
                "heard": {"stream": 2, "samples": 5, "response_id": "r", "response_ms": 1.5},
            },
            Hello(
                token="t",
                input_rate_hz=8000,
                output_rate_hz=48000,
                reports=True,
                heard=HeardSpeech(stream=2, samples=5, response_id="r", response_ms=1.5),
            ),
        ),
        ({"type": "microphone", "from_sample": 320}, Microphone(from_sample=320)),
        ({"type": "played", "stream": 1, "samples": 480}, Played(stream=1, samples=480)),
        ({"type": "bye"}, Goodbye()),
        ({"type": "ping"}, Ping()),
        ({"type": "hello", "access": "a", "details": True}, Hello(access="a", details=True)),
        ({"type": "hello", "caller": "ada"}, Hello(caller="ada")),
        ({"type": "hello", "call_id": "room 12, Zoë"}, Hello(call_id="room 12, Zoë")),
        ({"type": "hello", "call_id": "x" * 128}, Hello(call_id="x" * 128)),
        ({"type": "hello", "call_id": ""}, Hello()),
        ({"type": "text", "text": "hi"}, Written(text="hi")),
        (
            {"type": "image", "mime": "image/png", "data": "iVBORw0KGgo="},
            Shown(data=b"\x89PNG\r\n\x1a\n", media_type="image/png"),
        ),
        ({"type": "key", "key": "#"}, Pressed(key="#")),
        ({"type": "node", "name": "cascade"}, Chosen(node="cascade")),
        ({"type": "camera"}, Unknown(type="camera")),
    ],
)
def test_messages(content: dict[str, Any], message: object) -> None:
    assert read_message(json.dumps(content)) == message


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"no": "type"},
        {"type": 1},
        {"type": "hello", "version": 2},
        {"type": "hello", "input_rate_hz": 44100},
        {"type": "hello", "token": 5},
        {"type": "hello", "token": "x" * 5000},
        {"type": "hello", "call_id": "x" * 129},
        {"type": "hello", "call_id": "a\0b"},
        {"type": "hello", "call_id": "a\nb"},
        {"type": "hello", "call_id": "\x1b[31mred"},
        {"type": "hello", "call_id": "a\u202eb"},
        {"type": "hello", "call_id": " "},
        {"type": "hello", "call_id": " a"},
        {"type": "hello", "call_id": 5},
        {"type": "hello", "heard": []},
        {"type": "hello", "heard": {"stream": 1}},
        {"type": "microphone", "from_sample": -1},
        {"type": "microphone", "from_sample": 1.5},
        {"type": "microphone", "from_sample": True},
        {"type": "played", "stream": 1},
        {"type": "text", "text": " "},
        {"type": "text", "text": "x" * 5000},
        {"type": "image", "mime": "image/svg+xml", "data": "PHN2Zz4="},
        {"type": "image", "mime": ["image/png"], "data": "iVBORw0KGgo="},
        {"type": "image", "mime": "image/jpeg", "data": "iVBORw0KGgo="},
        {"type": "image", "mime": "image/png", "data": "no base64!"},
        {"type": "image", "mime": "image/png", "data": "ü"},
        {"type": "image", "mime": "image/png"},
        {"type": "key", "key": "12"},
        {"type": "key", "key": ["1"]},
        {"type": "node"},
    ],
)
def test_what_cannot_be_used_is_refused(content: object) -> None:
    with pytest.raises(CallerError):
        read_message(json.dumps(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["hello", "microphone", "played", "bye", "ping", "text", "image", "key", "node", "other"]
)
FIELDS = st.sampled_from(
    ["stream", "samples", "heard", "token", "text", "mime", "data", "key", "name", "call_id"]
)


@given(st.binary() | st.text())
def test_nothing_but_our_error_comes_of_any_text(text: bytes | str) -> None:
    with contextlib.suppress(CallerError):
        read_message(text)
    assert isinstance(read_object(text), dict)


@given(KINDS, st.dictionaries(FIELDS, JSON))
def test_nothing_but_our_error_comes_of_any_field(kind: str, fields: dict[str, Any]) -> None:
    with contextlib.suppress(CallerError):
        read_message(json.dumps({**fields, "type": kind}))


def test_a_token_is_not_shown() -> None:
    assert "secret-token" not in repr(Hello(token="secret-token", access="secret-token"))


def test_fields_without_a_value_are_left_out() -> None:
    assert json.loads(write_message("bye", reason=None)) == {"type": "bye"}
