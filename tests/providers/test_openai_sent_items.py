"""Which of the items that were sent are still on their way."""

import pytest

from crossfade.providers.openai_sent_items import SentItems
from crossfade.providers.wire_json import JsonObject

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
AGENT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "1"}


@pytest.mark.parametrize("item", [USER, AGENT, CALL, RESULT])
def test_an_item_arrives_by_its_name(item: JsonObject) -> None:
    items = SentItems()
    names = []
    for _ in range(2):
        names.append(items.next_name)
        items.send(item)
    assert len(set(names)) == 2
    items.arrive({**item, "id": names[1]})
    items.arrive({**item, "id": names[1]})
    assert len(items) == 1
    items.arrive({**item, "id": names[0]})
    assert not items


@pytest.mark.parametrize("item", [USER, AGENT, CALL, RESULT])
def test_where_the_service_names_it_anew_it_arrives_by_its_likeness(item: JsonObject) -> None:
    items = SentItems()
    items.send(item)
    items.arrive({**item, "id": "item_9", "status": "completed"})
    assert not items


@pytest.mark.parametrize(
    "item",
    [
        {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
        {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_audio"}]},
        {"id": "i", "type": "function_call", "call_id": "other"},
        {},
    ],
)
def test_what_is_spoken_or_made_by_the_model_is_none_of_ours(item: JsonObject) -> None:
    items = SentItems()
    for ours in (USER, AGENT, CALL, RESULT):
        items.send(ours)
    items.arrive(item)
    assert len(items) == 4


def test_a_refused_item_is_not_on_its_way() -> None:
    items = SentItems()
    first = items.next_name
    items.send(USER)
    second = items.next_name
    items.send(USER)
    assert not items.refuse("another")
    assert items.refuse(second)
    assert items.refuse("")
    assert not items.refuse(first)


def test_they_are_bounded() -> None:
    items = SentItems()
    for _ in range(5000):
        items.send(USER)
    assert len(items) == 4096
