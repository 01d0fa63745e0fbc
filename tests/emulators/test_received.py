"""What a test asserts on, and that it stays small."""

import asyncio
import random
from typing import Any

import orjson
import pytest

from crossfade.emulators.connection import Connection
from crossfade.emulators.line import Line
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.received import LIMIT_BYTES, LONG_BYTES, Received
from tests.clock import run


def add(received: Received, type: str, audio_bytes: int = 0) -> None:
    received.add(type=type, at_s=0.0, body={"type": type}, audio_bytes=audio_bytes)


def test_sound_in_a_row_is_one_entry() -> None:
    received = Received()
    for type, audio_bytes in (("a", 10), ("a", 20), ("b", 0), ("a", 5)):
        add(received, type, audio_bytes)
    assert received.types == ["a", "b", "a"]
    assert [each.messages for each in received] == [2, 1, 1]
    assert received.audio_bytes == 35


def test_an_order_that_is_missing_something_names_it() -> None:
    received = Received()
    for type in ("a", "b", "c"):
        add(received, type)
    received.assert_order("a", "c")
    with pytest.raises(AssertionError, match="sent no a after b; it sent a, b, c"):
        received.assert_order("b", "a")


def test_the_oldest_are_forgotten_and_counted() -> None:
    received, count = Received(), 10_000
    for number in range(count):
        body = {"type": str(number), "text": "t" * 1000}
        received.add(type=str(number), at_s=0.0, body=body)
    assert received.size_bytes == sum(each.size_bytes for each in received) <= LIMIT_BYTES
    assert LIMIT_BYTES - received.size_bytes < 2000
    assert len(received) + received.forgotten == count
    assert (received[0].type, received[-1].type) == (str(received.forgotten), str(count - 1))


def test_a_type_without_end_is_cut() -> None:
    received = Received()
    received.add(type="t" * 10_000_000, at_s=0.0, body={})
    assert len(received[0].type) < 1000


def noted(body: dict[str, Any]) -> Any:
    async def main() -> Any:
        reception: Any = OpenAIEmulator()
        line = Line(Connection(reception), [], random.Random(1))
        line.note("x", body, size_bytes=len(orjson.dumps(body)))
        await asyncio.sleep(0)
        return line.received[0].body

    return run(main())


def test_a_short_message_is_kept_as_it_is() -> None:
    body = {"type": "x", "text": "t" * 5000}
    assert noted(body) == body


def test_of_a_long_one_the_long_strings_are_cut() -> None:
    image = "data:image/png;base64," + "A" * 5_000_000
    body = noted({"type": "x", "item": {"content": [{"image_url": image}], "id": "i"}})
    (part,) = body["item"]["content"]
    assert part["image_url"] == f"{image[:64]}[of {len(image)} characters]"
    assert body["item"]["id"] == "i"


def test_of_one_that_is_long_even_so_only_the_type_is_kept() -> None:
    body = {"type": "x", "many": [[] for _ in range(LONG_BYTES)]}
    assert noted(body) == {"type": "x"}
