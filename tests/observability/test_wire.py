import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.wire import (
    AudioReader,
    audio_message,
    describe_audio,
    describe_message,
)

ids = st.text("abcdefghijklmnop_0123456789", min_size=1, max_size=40)


@given(st.binary(max_size=5000), st.sampled_from([None, (",", ":")]))
def test_the_size_of_appended_sound_is_told_without_parsing(
    sound: bytes, separators: tuple[str, str] | None
) -> None:
    body = {"type": "input_audio_buffer.append", "audio": base64.b64encode(sound).decode()}
    message = json.dumps(body, separators=separators)
    audio = audio_message(message)
    assert audio is not None
    assert audio_message(message.encode()) == audio
    assert (audio.type, audio.audio_bytes) == (body["type"], len(sound))
    assert audio.message_bytes == len(message)
    assert (audio.response_id, audio.item_id) == ("", "")


@given(
    st.binary(max_size=3000),
    ids,
    ids,
    st.permutations(["event_id", "response_id", "item_id", "output_index", "delta"]),
)
def test_received_sound_is_told_with_its_ids_in_any_order_of_fields(
    sound: bytes, response_id: str, item_id: str, order: list[str]
) -> None:
    values: dict[str, Any] = {
        "event_id": "event_1",
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "delta": base64.b64encode(sound).decode(),
    }
    kind = "response.output_audio.delta"
    message = json.dumps({"type": kind} | {name: values[name] for name in order})
    audio = audio_message(message)
    assert audio is not None
    assert audio_message(message.encode()) == audio
    fields = describe_audio(audio)
    assert fields == {
        "type": kind,
        "bytes": len(message),
        "audio_bytes": len(sound),
        "response_id": response_id,
        "item_id": item_id,
    }


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=50),
            st.sampled_from(["r1", "r12"]),
            st.sampled_from(["i1", "i12", None]),
            st.sampled_from(["response.output_audio.delta", "response.audio.delta", "x.delta"]),
            st.sampled_from([None, (",", ":")]),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_a_reader_of_many_messages_tells_what_is_told_of_each(messages: list[Any]) -> None:
    reader = AudioReader()
    for sound, response_id, item_id, kind, separators, last in messages:
        delta = {"delta": base64.b64encode(sound).decode()}
        body = {"type": kind, "response_id": response_id, "item_id": item_id}
        body = body | delta if last else delta | body
        message = json.dumps(body, separators=separators).encode()
        assert reader.read(message) == audio_message(message)


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"response.output_audio.done","item_id":"a"}',
        '{"type":"response.output_audio_transcript.delta","delta":"hello"}',
        '{"type":"session.update","session":{"audio":{}}}',
        '{"type":"conversation.item.created","item":{"content":[{"type":"input_audio"}]}}',
        "",
        "no json",
        b"\x01OggS",
    ],
)
def test_other_messages_are_no_audio_messages(message: str | bytes) -> None:
    assert audio_message(message) is None


def test_a_message_is_told_by_type_size_ids_and_body() -> None:
    message = '{"type":"response.output_text.delta","response_id":"r","item_id":"i","delta":"ä"}'
    assert describe_message(message, content=True) == {
        "type": "response.output_text.delta",
        "bytes": len(message.encode()),
        "response_id": "r",
        "item_id": "i",
        "body": {"delta": "ä"},
    }


@pytest.mark.parametrize("content", [True, False])
def test_pieces_of_what_a_tool_is_asked_are_left_out(content: bool) -> None:
    message = (
        b'{"type":"response.function_call_arguments.delta","call_id":"c","delta":"\\"planted"}'
    )
    fields = describe_message(message, content=content)
    assert fields["call_id"] == "c"
    assert fields["body"] == {"delta": "[removed]" if content else "[9 characters]"}


def test_a_message_of_gemini_is_told_by_the_field_that_it_is_about() -> None:
    message = b'{"usageMetadata":{"totalTokenCount":3},"serverContent":{"turnComplete":true}}'
    assert describe_message(message, content=True)["type"] == "serverContent"


def test_sound_is_left_out_of_an_audio_message_written_in_an_odd_way() -> None:
    message = json.dumps({"x": "y" * 500, "delta": "UklGRg==", "type": "response.audio.delta"})
    assert audio_message(message) is None
    assert "UklGR" not in str(describe_message(message, content=True))


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"\x00\xff", "binary"),
        ("hello", "text"),
        ("[1]", "text"),
        ("\ud800", "text"),
        ("{}", "empty"),
    ],
)
def test_a_message_that_is_no_event_is_told_too(message: str | bytes, kind: str) -> None:
    assert describe_message(message, content=True)["type"] == kind


@given(st.text() | st.binary())
def test_no_message_is_too_odd_to_be_told(message: str | bytes) -> None:
    audio_message(message)
    assert describe_message(message, content=False)["bytes"] >= 0


@given(st.text(max_size=50))
def test_a_truncated_audio_message_is_told_without_fail(tail: str) -> None:
    audio_message('{"type":"input_audio_buffer.append"' + tail)
