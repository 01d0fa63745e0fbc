"""What was said before, as the items of OpenAI's conversation, and what may follow it."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.history import (
    HistoryItem,
    Notice,
    Picture,
    Speaker,
    Utterance,
)
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers import SessionConfig
from crossfade.providers.commands import Respond, SendToolResult
from crossfade.providers.events import ResponseDone
from crossfade.providers.openai_dialects import find_dialect
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.providers.openai_messages import Message, Wire, created, done, loads, session_updated

USER = Utterance(speaker=Speaker.USER, text="My boat is called Petrel.")
CUT = Utterance(speaker=Speaker.AGENT, text="A fine name, it")
GO_ON = Notice(text="Your answer was cut off there.")
CALL = ToolCall(id="call_1", name="depth", arguments={"lake": "Thun"})


def seeded(
    *history: HistoryItem, dialect: str | None = None, model: str = "gpt-realtime-2.1"
) -> tuple[Wire, list[Message]]:
    """A session that was told a history, and the messages that told it."""
    wire = Wire()
    wire.protocol = OpenAIRealtimeProtocol(model, find_dialect(dialect))
    wire.protocol.start(SessionConfig(), seeded=True)
    wire.receive(session_updated())
    return wire, loads(wire.protocol.seed(history))


def items(*history: HistoryItem, dialect: str | None = None) -> list[Any]:
    return [message["item"] for message in seeded(*history, dialect=dialect)[1]]


def test_a_picture_and_what_nobody_said_are_items_too() -> None:
    picture, notice = items(Picture(data=b"abc", media_type="image/png"), GO_ON)
    assert picture["role"] == "user"
    assert picture["content"] == [
        {"type": "input_image", "image_url": "data:image/png;base64,YWJj"}
    ]
    assert notice["role"] == "system"
    assert notice["content"] == [{"type": "input_text", "text": GO_ON.text}]


def test_what_is_empty_is_not_told() -> None:
    assert items(Utterance(speaker=Speaker.AGENT, text=" "), Notice(text="")) == []


def test_a_picture_is_told_in_words_where_none_is_seen() -> None:
    for history, dialect in (
        (Picture(data=b"abc", media_type="image/png"), "openai-beta"),
        (Picture(data=bytes(15 * 2**20), media_type="image/png"), None),
    ):
        (item,) = items(history, dialect=dialect)
        assert (item["role"], item["content"][0]["type"]) == ("system", "input_text")


def test_a_result_without_its_call_is_told_in_words() -> None:
    (item,) = items(ToolResult(call_id="call_9", output={"metres": 217}))
    assert item["role"] == "system"
    assert '{"metres":217}' in item["content"][0]["text"]


def test_a_call_that_another_provider_named_is_one_call_on_this_wire() -> None:
    named = ToolCall(id="function/call:7", name="depth", arguments={})
    other = ToolCall(id="function/call.7", name="depth", arguments={})
    wire, messages = seeded(named, other)
    first, second = (message["item"]["call_id"] for message in messages)
    assert first != second
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", first)
    (answer,) = wire.send(SendToolResult(result=ToolResult(call_id=named.id, output=1)))
    assert answer["item"]["call_id"] == first


def test_an_open_call_is_awaited_and_answered_as_any_other() -> None:
    wire, (call,) = seeded(CALL)
    assert call["item"]["type"] == "function_call"
    wire.send(Respond())
    wire.receive(created("r1"))
    (ended,) = (e for e in wire.receive(done("r1")) if isinstance(e, ResponseDone))
    assert ended.awaits_tools
    (answer,) = wire.send(SendToolResult(result=ToolResult(call_id="call_1", output=217)))
    assert answer["item"]["type"] == "function_call_output"
    (create,) = wire.send(Respond())
    assert create["type"] == "response.create"
    wire.receive(created("r2"))
    (ended,) = (e for e in wire.receive(done("r2")) if isinstance(e, ResponseDone))
    assert not ended.awaits_tools


def test_an_answered_call_is_not_awaited() -> None:
    wire, _ = seeded(CALL, ToolResult(call_id="call_1", output=217))
    wire.send(Respond())
    wire.receive(created("r1"))
    (ended,) = (e for e in wire.receive(done("r1")) if isinstance(e, ResponseDone))
    assert not ended.awaits_tools


def test_an_open_call_is_told_in_words_where_it_cannot_be_answered() -> None:
    wire, (notice,) = seeded(CALL, dialect="openai-beta", model="gpt-realtime")
    assert "depth" in notice["item"]["content"][0]["text"]
    wire.send(Respond())
    wire.receive(created("r1"))
    (ended,) = (e for e in wire.receive(done("r1")) if isinstance(e, ResponseDone))
    assert not ended.awaits_tools


def test_to_go_on_after_a_cut_is_one_response() -> None:
    wire, messages = seeded(USER, CUT, GO_ON)
    assert [message["item"]["role"] for message in messages] == ["user", "assistant", "system"]
    (create,) = wire.send(Respond())
    assert create["type"] == "response.create"
    wire.receive(created("r1"), done("r1"))
    assert wire.replies == []


def test_a_service_that_takes_no_history_is_told_none() -> None:
    assert seeded(USER, CALL, dialect="qwen", model="")[1] == []


# Half characters, and numbers that are too large, too.
TEXTS = st.text(st.characters(), max_size=8)
OUTPUTS = st.integers() | TEXTS | st.lists(st.integers() | TEXTS)
NAMES = st.sampled_from(["call_1", "call_2", "b:3"])
HISTORIES = st.lists(
    st.builds(Utterance, speaker=st.sampled_from(Speaker), text=TEXTS)
    | st.builds(Notice, text=TEXTS)
    | st.builds(Picture, data=st.binary(min_size=1, max_size=4), media_type=st.just("image/png"))
    | st.builds(
        ToolCall,
        id=NAMES,
        name=st.just("depth"),
        arguments=st.fixed_dictionaries({"lake": OUTPUTS}),
    )
    | st.builds(ToolResult, call_id=NAMES, output=OUTPUTS),
    max_size=12,
)


@given(HISTORIES, st.sampled_from([None, "openai-beta", "xai", "azure"]))
def test_no_result_is_told_before_its_call(history: list[HistoryItem], dialect: str | None) -> None:
    called: set[str] = set()
    for message in seeded(*history, dialect=dialect)[1]:
        item = message["item"]
        if item["type"] == "function_call":
            called.add(item["call_id"])
        elif item["type"] == "function_call_output":
            assert item["call_id"] in called
        else:
            assert item["content"]
