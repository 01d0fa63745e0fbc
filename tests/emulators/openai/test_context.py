"""What responses read, and what of it is cached."""

from typing import Any

import pytest

from crossfade.emulators.openai.configuration import Configuration
from crossfade.emulators.openai.context import ContextWindow
from crossfade.emulators.openai.errors import RequestRefused
from crossfade.emulators.openai.items import Item
from crossfade.emulators.openai.response_settings import ResponseSettings
from crossfade.emulators.openai.usage import Tokens
from tests.clock import run
from tests.emulators.openai.wire_client import session

SESSION = Configuration.default("gpt-realtime", id="sess", expires_at=0).session


def settings(**request: Any) -> ResponseSettings:
    return ResponseSettings.of(SESSION, {"instructions": "", **request})


def text(id: str, tokens: int) -> Item:
    content = [{"type": "input_text", "text": "four" * tokens}]
    return Item({"id": id, "type": "message", "role": "user", "content": content})


def test_the_first_response_has_nothing_cached_and_the_next_whole_blocks_of_what_was_read() -> None:
    window = ContextWindow(large=False)
    first, answer, second = text("a", 100), text("b", 50), text("c", 10)
    context = window.fit([first], settings(), "auto")
    assert (context.read, context.cached) == (Tokens(100), Tokens())
    window.remember(context, [answer])
    context = window.fit([first, answer, second], settings(), "auto")
    assert (context.read, context.cached) == (Tokens(160), Tokens(128))


def test_a_change_at_the_beginning_leaves_nothing_cached() -> None:
    window = ContextWindow(large=False)
    items = [text("a", 100), text("b", 100)]
    window.remember(window.fit(items, settings(), "auto"), [])
    assert window.fit(items, settings(), "auto").cached == Tokens(192)
    assert window.fit(items, settings(instructions="New"), "auto").cached == Tokens()
    assert window.fit(items[1:], settings(), "auto").cached == Tokens()


@pytest.mark.parametrize(
    ("truncation", "left"),
    [
        ("auto", ["b", "c"]),
        ({"type": "retention_ratio", "retention_ratio": 0.5}, ["c"]),
        (
            {
                "type": "retention_ratio",
                "retention_ratio": 1,
                "token_limits": {"post_instructions": 12_000},
            },
            ["c"],
        ),
    ],
)
def test_the_oldest_items_are_dropped_where_the_window_is_full(
    truncation: Any, left: list[str]
) -> None:
    items = [text(id, 10_000) for id in "abc"]
    context = ContextWindow(large=False).fit(items, settings(), truncation)
    assert [item.id for item in context.items] == left
    assert ContextWindow(large=True).fit(items, settings(), "auto").items == items


def test_without_truncation_a_full_window_is_refused() -> None:
    items = [text(id, 10_000) for id in "abc"]
    with pytest.raises(RequestRefused, match="30000 tokens, which is more than the 28224"):
        ContextWindow(large=False).fit(items, settings(), "disabled")


def test_the_cache_grows_with_the_conversation() -> None:
    async def main() -> None:
        async with session() as client:
            cached = []
            for _ in range(4):
                await client.say("word " * 80)
                await client.send("response.create")
                usage = (await client.until("response.done"))["response"]["usage"]
                details = usage["input_token_details"]
                cached.append(details["cached_tokens"])
                assert details["cached_tokens"] <= usage["input_tokens"]
                of_each = details["cached_tokens_details"]
                assert sum(of_each.values()) == details["cached_tokens"]
                assert all(of_each[name] <= details[name] for name in of_each)
            assert cached == sorted(set(cached))
            assert cached[0] == 0
            assert all(count % 64 == 0 for count in cached)

    run(main())
