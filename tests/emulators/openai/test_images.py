"""Images in the conversation: what they cost, and where they are shown."""

import base64
import struct

import pytest

from crossfade.emulators.openai.images import image_size, image_tokens
from tests.clock import run
from tests.emulators.openai.wire_client import session


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return "data:image/png;base64," + base64.b64encode(head + bytes(20)).decode()


def jpeg(width: int, height: int) -> str:
    frame = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width)
    data = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(11) + frame + bytes(12)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize("make", [png, jpeg])
def test_the_size_stands_in_the_first_bytes(make: object) -> None:
    assert callable(make)
    assert image_size(make(640, 480)) == (640, 480)
    assert image_size("data:image/png;base64,") is None


@pytest.mark.parametrize(
    ("width", "height", "detail", "tokens"),
    [
        (640, 480, "low", 85),
        (512, 512, "high", 85 + 170),
        (1024, 1024, "high", 85 + 4 * 170),
        (2048, 4096, "auto", 85 + 6 * 170),
        (0, 0, "high", 85 + 170),
    ],
)
def test_an_image_is_counted_by_tiles(width: int, height: int, detail: str, tokens: int) -> None:
    assert image_tokens(png(width, height), detail) == tokens


def test_an_image_is_billed_shown_on_request_and_not_recorded() -> None:
    async def main() -> None:
        async with session() as client:
            url = png(512, 512)
            content = [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": url},
            ]
            item = {"type": "message", "role": "user", "content": content}
            await client.send("conversation.item.create", item=item)
            added = await client.until("conversation.item.added")
            assert added["item"]["content"][1] == {"type": "input_image", "detail": "auto"}
            await client.send("response.create")
            usage = (await client.until("response.done"))["response"]["usage"]
            assert usage["input_token_details"]["image_tokens"] == 255
            assert usage["input_tokens"] > 255
            await client.send("conversation.item.retrieve", item_id=added["item"]["id"])
            shown = (await client.until("conversation.item.retrieved"))["item"]["content"][1]
            assert shown["image_url"] == url

    run(main())


@pytest.mark.parametrize("url", ["https://example.org/a.png", "data:image/png;base64,?"])
def test_only_images_of_base64_are_taken(url: str) -> None:
    async def main() -> None:
        async with session() as client:
            content = [{"type": "input_image", "image_url": url}]
            item = {"type": "message", "role": "user", "content": content}
            await client.send("conversation.item.create", item=item)
            error = await client.error()
            assert (error["code"], error["param"]) == (
                "invalid_value",
                "item.content[0].image_url",
            )

    run(main())
