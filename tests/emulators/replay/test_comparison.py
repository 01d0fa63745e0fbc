"""Whether what a client sent is what was recorded."""

from typing import Any

import pytest

from crossfade.emulators.replay.comparison import Names, difference, is_audio, type_of

UPDATE = {"type": "session.update", "event_id": "e1", "session": {"tools": [{"name": "a"}]}}
SOUND = {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=16000"}}}
SNAKE = {"realtime_input": {"audio": {"data": "AQID", "mime_type": "audio/pcm"}}}


@pytest.mark.parametrize(
    ("recorded", "given"),
    [
        (UPDATE, {**UPDATE, "event_id": "mine", "more": 1}),
        (SOUND, SNAKE),
        (b"\x01Ogg", b"\x01anything"),
        (b"\x06", b"\x06"),
        (
            {"setup": {"generationConfig": {"topK": 1}}},
            {"setup": {"generation_config": {"top_k": 1}}},
        ),
        (
            {"type": "conversation.item.create", "item": {"audio": "AAAA"}},
            {"type": "conversation.item.create", "item": {"audio": "////"}},
        ),
    ],
)
def test_the_same(recorded: Any, given: Any) -> None:
    assert difference(recorded, given, Names()) is None


@pytest.mark.parametrize(
    ("recorded", "given", "told"),
    [
        (UPDATE, {"type": "response.create"}, "sent response.create instead of session.update"),
        (UPDATE, {"type": "session.update"}, "session.update.session is missing"),
        (
            UPDATE,
            {"type": "session.update", "session": {"tools": [{"name": "b"}]}},
            "session.update.session.tools.0.name: 'b' instead of 'a'",
        ),
        (
            UPDATE,
            {"type": "session.update", "session": {"tools": []}},
            "session.update.session.tools: 0 entries instead of 1",
        ),
        ({"setup": {}}, {"setup": {}, "x": 1}, "sent setup+x instead of setup"),
        (b"\x06", b"\x02a", "sent binary 02 instead of binary 06"),
        (
            {"toolResponse": {"functionResponses": [{"id": "c1"}]}},
            {"toolResponse": {"functionResponses": [{"id": "c2"}]}},
            "toolResponse.functionResponses.0.id: 'c2' instead of 'c1'",
        ),
        (
            {"type": "conversation.item.create", "item": {"audio": "AAAA"}},
            {"type": "conversation.item.create", "item": {"audio": "no base64"}},
            "conversation.item.create.item.audio",
        ),
    ],
)
def test_a_difference_is_told_with_its_place(recorded: Any, given: Any, told: str) -> None:
    assert told in str(difference(recorded, given, Names()))


def test_the_service_repeats_the_names_that_the_client_gave() -> None:
    names = Names()
    recorded = {"type": "conversation.item.create", "item": {"id": "item_1", "type": "message"}}
    given = {"type": "conversation.item.create", "item": {"id": "mine", "type": "message"}}
    assert difference(recorded, given, names) is None
    assert names.of({"item": {"id": "item_1"}, "ids": ["item_1", "x", 1]}) == {
        "item": {"id": "mine"},
        "ids": ["mine", "x", 1],
    }
    truncated = {"type": "conversation.item.truncate", "item_id": "item_1"}
    assert difference(truncated, {**truncated, "item_id": "mine"}, names) is None


def test_what_a_message_is() -> None:
    assert [type_of(m) for m in (UPDATE, SNAKE, b"\x02", "text", {})] == [
        "session.update",
        "realtimeInput",
        "binary 02",
        "text",
        "an empty object",
    ]
    append = {"type": "input_audio_buffer.append", "audio": ""}
    chunks: dict[str, Any] = {"realtimeInput": {"mediaChunks": []}}
    assert all(map(is_audio, (SOUND, SNAKE, append, chunks, b"\x01")))
    assert not any(map(is_audio, (UPDATE, b"\x02", "text", {"realtimeInput": {"text": "a"}})))
