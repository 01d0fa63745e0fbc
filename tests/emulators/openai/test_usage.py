"""Tokens by the published rates."""

import pytest

from crossfade.emulators.openai.items import Item
from crossfade.emulators.openai.usage import Tokens, input_tokens, item_tokens, usage_of


def item(role: str, ms: int = 0, **part: str) -> Item:
    return Item({"id": "i", "type": "message", "role": role, "content": [part]}, bytes(48 * ms))


@pytest.mark.parametrize(
    ("counted", "tokens"),
    [
        (item("user", 1000, type="input_audio", transcript="eight ch"), Tokens(0, 10)),
        (item("user", 1001, type="input_audio"), Tokens(0, 11)),
        (item("assistant", 1000, type="output_audio", transcript="eight ch"), Tokens(2, 20)),
        (item("user", type="input_text", text="eight ch"), Tokens(2)),
        (Item({"id": "i", "type": "function_call", "name": "four", "arguments": "{} "}), Tokens(2)),
        (Item({"id": "i", "type": "function_call_output", "output": "four"}), Tokens(1)),
    ],
)
def test_an_item_costs_by_what_it_holds(counted: Item, tokens: Tokens) -> None:
    assert item_tokens(counted) == tokens


def test_input_is_the_conversation_with_instructions_and_tools() -> None:
    items = [item("user", 500, type="input_audio"), item("user", type="input_text", text="four")]
    assert input_tokens(items, "x" * 40, []) == Tokens(11, 5)
    assert input_tokens([], "", [{"name": "f"}]).text > 0


def test_usage_adds_up() -> None:
    usage = usage_of(Tokens(3, 4), Tokens(5, 6))
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (7, 11, 18)
