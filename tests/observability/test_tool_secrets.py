"""Secret arguments of tools in what is logged of a wire."""

import json
from typing import Any

import pytest

from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.observability.tool_secrets import SecretArguments, hide_arguments
from crossfade.observability.wire import describe_message

SECRETS = frozenset({"pin"})
ARGUMENTS = '{"pin": "1234", "city": "Rome"}'


@pytest.mark.parametrize(
    "message",
    [
        {"type": "response.function_call_arguments.done", "arguments": ARGUMENTS},
        {"type": "response.function_call_arguments.delta", "delta": '": "1234'},
        {"type": "response.function_call_arguments.done", "arguments": '{"pin": "1234'},
        {"type": "response.output_item.done", "item": {"name": "f", "arguments": ARGUMENTS}},
        {"type": "response.done", "response": {"output": [{"arguments": ARGUMENTS}]}},
        {"toolCall": {"functionCalls": [{"name": "f", "args": json.loads(ARGUMENTS)}]}},
    ],
)
def test_no_message_of_any_wire_shows_them(message: dict[str, Any]) -> None:
    line = describe_message(json.dumps(message), content=True, secret_arguments=SECRETS)
    assert "1234" not in json.dumps(line)
    # Pieces are left out whatever is secret.
    shown = "delta" not in message
    assert ("1234" in json.dumps(describe_message(json.dumps(message), content=True))) == shown


def test_what_is_not_secret_stays() -> None:
    item = {"item": {"name": "f", "arguments": ARGUMENTS, "text": "1234"}}
    assert hide_arguments(item, SECRETS) == {
        "item": {
            "name": "f",
            "arguments": '{"pin":"[removed]","city":"Rome"}',
            "text": "1234",
        }
    }


def test_a_secret_that_comes_by_a_name_that_no_tool_has_is_hidden() -> None:
    cities = {"properties": {"city": {"type": "string"}}}
    pins = {"properties": {"pin": {"type": "string"}}}
    tools = [
        ToolDeclaration(name="weather", description="", parameters=cities),
        ToolDeclaration(name="open", description="", parameters=pins, secrets=frozenset({"pin"})),
    ]
    hidden = hide_arguments(
        {"args": {"PIN": "1", "pin": "2", "city": "Rome"}}, SecretArguments.of(tools)
    )
    assert hidden == {"args": {"PIN": "[removed]", "pin": "[removed]", "city": "Rome"}}
    assert tools[1].shown(ToolCall(id="c", name="open", arguments={"PIN": "1"})).arguments == {
        "PIN": "[secret]"
    }
    assert not SecretArguments.of(tools[:1])
