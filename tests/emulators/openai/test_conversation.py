"""Items of a conversation, created, cut, deleted and shown."""

import random
from typing import Any

import pybase64
import pytest

from crossfade.emulators.openai.conversation import (
    ITEMS_LIMIT,
    TEXT_LIMIT_BYTES,
    Conversation,
    newest_input,
)
from crossfade.emulators.openai.errors import RequestRefused
from crossfade.emulators.openai.identifiers import Identifiers
from crossfade.emulators.openai.items import Item
from tests.emulators.openai.wire_client import BYTES_PER_MS


def conversation() -> Conversation:
    return Conversation(Identifiers(random.Random(0)))


def message(text: str, role: str = "user", **fields: Any) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"type": "message", "role": role, "content": content, **fields}


def speech(id: str, ms: int) -> Item:
    content = [{"type": "output_audio", "transcript": "Words."}]
    wire = {"id": id, "type": "message", "role": "assistant", "content": content}
    return Item(wire, bytes(ms * BYTES_PER_MS))


def test_an_item_goes_to_the_end_the_beginning_or_behind_another() -> None:
    talk = conversation()
    talk.create(message("a", id="a"), None)
    talk.create(message("b", id="b"), None)
    _, events = talk.create(message("c", id="c"), "root")
    assert events[0]["previous_item_id"] is None
    item, events = talk.create(message("d"), "a")
    assert [each.id for each in talk.items] == ["c", "a", item.id, "b"]
    assert [event["type"] for event in events] == [
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert [event["previous_item_id"] for event in events] == ["a", "a"]
    assert item.id.startswith("item_")


def refusal(talk: Conversation, wire: dict[str, Any], after: str | None = None) -> RequestRefused:
    with pytest.raises(RequestRefused) as refused:
        talk.create(wire, after)
    return refused.value


def test_a_duplicate_id_and_an_unknown_place_are_refused() -> None:
    talk = conversation()
    talk.create(message("a", id="a"), None)
    assert refusal(talk, message("b", id="a")).param == "item.id"
    assert refusal(talk, message("b"), "nowhere").param == "previous_item_id"
    assert [item.id for item in talk.items] == ["a"]


@pytest.mark.parametrize(
    ("wire", "param"),
    [
        ({}, "item.type"),
        ({"type": "thought"}, "item.type"),
        ({"type": "message", "content": []}, "item.role"),
        ({"type": "message", "role": "user"}, "item.content"),
        (message("Hi") | {"role": "assistant"}, "item.content[0].type"),
        (
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_audio", "audio": ""}],
            },
            "item.content[0].type",
        ),
        (
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_image", "image_url": "x"}],
            },
            "item.content[0].image_url",
        ),
        ({"type": "function_call", "name": "f", "arguments": {}}, "item.arguments"),
        (
            {"type": "function_call", "name": "f", "arguments": "", "call_id": "a b"},
            "item.call_id",
        ),
    ],
)
def test_a_malformed_item_is_refused_by_its_path(wire: dict[str, Any], param: str) -> None:
    assert refusal(conversation(), wire).param == param


def test_an_output_answers_a_call_that_the_client_replayed() -> None:
    talk = conversation()
    talk.create(
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "call_1"}, None
    )
    output = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    item, _ = talk.create(output, None)
    assert item.wire == {"id": item.id, **output}


def test_the_sound_of_an_item_is_shown_only_when_it_is_retrieved() -> None:
    talk = conversation()
    pcm = b"\x01\x02" * 480
    content = [{"type": "input_audio", "audio": pybase64.b64encode(pcm).decode()}]
    item, events = talk.create({"type": "message", "role": "user", "content": content}, None)
    assert events[0]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    (retrieved,) = talk.retrieve(item.id)
    assert pybase64.b64decode(retrieved["item"]["content"][0]["audio"]) == pcm


def test_truncating_keeps_the_sound_up_to_the_place_and_no_transcript() -> None:
    talk = conversation()
    item = speech("s", 3700)
    talk.append(item)
    talk.truncate("s", 0, 1000)
    assert item.audio_ms == 1000
    assert item.content[0]["transcript"] is None


@pytest.mark.parametrize(
    ("id", "index", "end_ms", "code", "message"),
    [
        ("s", 0, 3760, "invalid_value", "Audio content of 3700ms is already shorter than 3760ms"),
        ("s", 1, 100, "invalid_value", "no content at index 1"),
        ("u", 0, 1, "unsupported_content_type", "Only model output audio messages can be"),
        ("x", 0, 1, "item_truncate_invalid_item_id", "the item with id 'x' does not exist"),
        ("e", 0, 0, "unsupported_content_type", "Only model output audio messages can be"),
    ],
)
def test_what_cannot_be_truncated_is_refused(
    id: str, index: int, end_ms: int, code: str, message: str
) -> None:
    talk = conversation()
    for item in (speech("s", 3700), Item.spoken_by_user("u", bytes(9600)), speech("e", 0)):
        talk.append(item)
    with pytest.raises(RequestRefused, match=message) as refused:
        talk.truncate(id, index, end_ms)
    assert refused.value.code == code


def test_a_deleted_item_is_gone() -> None:
    talk = conversation()
    talk.create(message("a", id="a"), None)
    assert talk.delete("a") == [{"type": "conversation.item.deleted", "item_id": "a"}]
    with pytest.raises(RequestRefused, match="does not exist"):
        talk.delete("a")


def test_the_newest_input_is_what_follows_the_last_answer_or_call() -> None:
    talk = conversation()
    for text, role in (("a", "user"), ("b", "assistant"), ("c", "user"), ("d", "system")):
        talk.create(message(text, role), None)
    assert [item.text for item in newest_input(talk.items)] == ["c", "d"]
    assert newest_input([]) == []


def test_text_without_end_is_refused_until_some_is_deleted() -> None:
    talk = conversation()
    long = "x" * (TEXT_LIMIT_BYTES // 2 - 2000)
    for id in ("a", "b"):
        talk.create(message(long, id=id), None)
    assert refusal(talk, message(long)).code == "conversation_full"
    talk.delete("a")
    talk.create(message(long), None)


def test_items_without_end_are_refused_and_what_is_said_lets_the_oldest_go() -> None:
    talk = conversation()
    for number in range(ITEMS_LIMIT):
        talk.create(message("x", id=str(number)), None)
    assert refusal(talk, message("x")).code == "conversation_full"
    added = talk.append(Item.spoken_by_user("spoken", bytes(9600)))
    assert added["previous_item_id"] == str(ITEMS_LIMIT - 1)
    assert len(talk.items) == ITEMS_LIMIT
    assert talk.find("0") is None
    assert talk.find("1") is talk.items[0]
