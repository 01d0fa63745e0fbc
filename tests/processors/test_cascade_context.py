"""The conversation as a text model is told it."""

from typing import Any

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.processors.cascade_context import RUNS_STILL, ContextBuilder


def user(text: str) -> Utterance:
    return Utterance(speaker=Speaker.USER, text=text)


def agent(text: str) -> Utterance:
    return Utterance(speaker=Speaker.AGENT, text=text)


def call(call_id: str, response_id: str = "r") -> ToolCall:
    return ToolCall(id=call_id, name="look", arguments={"at": call_id}, response_id=response_id)


def result(call_id: str, output: Any = "seen") -> ToolResult:
    return ToolResult(call_id=call_id, output=output)


def messages(history: list[HistoryItem], **known: Any) -> list[dict[str, Any]]:
    context = ContextBuilder([]).build(history, **known)
    return [dict(message) for message in context.get_messages() if isinstance(message, dict)]


def roles(history: list[HistoryItem], **known: Any) -> list[str]:
    return [
        f"{m['role']} {','.join(c['id'] for c in m.get('tool_calls', ()))}".strip()
        if m["role"] != "tool"
        else f"tool {m['tool_call_id']}"
        for m in messages(history, **known)
    ]


def test_words_and_notices_are_messages_in_order() -> None:
    history: list[HistoryItem] = [Notice(text="They spoke before."), user("Hello."), agent("Hi.")]
    assert [(m["role"], m["content"]) for m in messages(history)] == [
        ("developer", "They spoke before."),
        ("user", "Hello."),
        ("assistant", "Hi."),
    ]


def test_calls_of_one_response_are_one_message_and_each_has_its_result() -> None:
    history: list[HistoryItem] = [
        call("a"),
        result("a"),
        call("b"),
        result("b"),
        call("c", "r2"),
        result("c"),
    ]
    assert roles(history) == [
        "assistant a,b",
        "tool a",
        "tool b",
        "assistant c",
        "tool c",
    ]


def test_a_result_is_json_and_text_stays_text() -> None:
    history: list[HistoryItem] = [
        call("a"),
        result("a", {"x": [1]}),
        call("b"),
        result("b", "text"),
    ]
    told = messages(history)
    assert [m["content"] for m in told if m["role"] == "tool"] == ['{"x":[1]}', "text"]
    assert told[0]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":"a"}'}


def test_a_call_that_runs_is_told_with_what_is_known_of_it() -> None:
    history: list[HistoryItem] = [user("Look."), call("a"), call("b")]
    told = messages(history, parts={"b": {"done": 1}})
    assert [m["content"] for m in told if m["role"] == "tool"] == [
        RUNS_STILL,
        '{"done":1}',
    ]


def test_what_is_to_be_spoken_of_comes_last() -> None:
    history: list[HistoryItem] = [call("a"), result("a"), user("And?"), agent("Wait.")]
    assert roles(history, fresh={"a"}) == [
        "user",
        "assistant",
        "assistant a",
        "tool a",
    ]


def test_a_picture_goes_along() -> None:
    (shown,) = messages([Picture(data=b"\x89", media_type="image/png")])
    assert shown["content"][0]["image_url"]["url"] == "data:image/png;base64,iQ=="


def test_a_tool_keeps_all_of_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"$ref": "#/$defs/City"}},
        "required": ["city"],
        "$defs": {"City": {"type": "string"}},
    }
    declared = ToolDeclaration(name="look", description="Look.", parameters=schema)
    context = ContextBuilder([declared]).build([])
    assert not context.get_messages()
    (tool,) = context.tools.standard_tools  # type: ignore[union-attr]
    assert tool.to_default_dict() == {"name": "look", "description": "Look.", "parameters": schema}
    assert tool.required == ["city"]


def test_adapters_that_take_the_properties_alone_get_them_without_references() -> None:
    schema = {
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/Place", "description": "Where."},
            "tree": {"$ref": "#/$defs/Tree"},
            "ways": {"anyOf": [{"$ref": "#/$defs/City"}, {"type": "null"}]},
            "odd": {"$ref": "#/elsewhere"},
        },
        "$defs": {
            "City": {"type": "string"},
            "Place": {"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}},
            "Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        },
    }
    declared = ToolDeclaration(name="look", description="Look.", parameters=schema)
    context = ContextBuilder([declared]).build([])
    (tool,) = context.tools.standard_tools  # type: ignore[union-attr]
    city = {"type": "string"}
    assert tool.properties == {
        "at": {"type": "object", "properties": {"city": city}, "description": "Where."},
        "tree": {"type": "array", "items": {}},
        "ways": {"anyOf": [city, {"type": "null"}]},
        "odd": {"$ref": "#/elsewhere"},
    }
