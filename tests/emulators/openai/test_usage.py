"""Tokens by the published rates."""

import pytest

from crossfade.emulators.openai.items import Item
from crossfade.emulators.openai.usage import Tokens, fixed_tokens, item_tokens, usage_of


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


def test_instructions_and_tools_are_read_too() -> None:
    assert fixed_tokens("x" * 40, []) == Tokens(10)
    assert fixed_tokens("", [{"name": "f"}]).text > 0


def test_usage_adds_up_and_cached_tokens_are_part_of_the_input() -> None:
    usage = usage_of(Tokens(3, 4, 85), Tokens(5, 6), Tokens(2, 1))
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (92, 11, 103)
    assert usage["input_token_details"] == {
        "text_tokens": 3,
        "audio_tokens": 4,
        "image_tokens": 85,
        "cached_tokens": 3,
        "cached_tokens_details": {"text_tokens": 2, "audio_tokens": 1, "image_tokens": 0},
    }
