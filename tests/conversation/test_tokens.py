"""Estimates of tokens, and their bounds."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.history import Notice, Picture, Speaker, Utterance
from crossfade.conversation.image_size import image_size
from crossfade.conversation.tokens import (
    ITEM_TOKENS,
    LARGEST_PICTURE_TOKENS,
    estimate,
    picture_tokens,
    text_tokens,
)
from crossfade.conversation.tools import ToolCall, ToolResult


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)


def jpeg(width: int, height: int) -> bytes:
    app = b"\xff\xe0" + struct.pack(">H", 16) + bytes(14)
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3)
    return b"\xff\xd8" + app + frame + bytes(9)


@given(text=st.text())
def test_no_estimate_exceeds_the_bytes_of_the_text(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    assert (len(text) > 0) <= text_tokens(text) <= size


@given(data=st.binary() | st.binary().map(lambda rest: b"\xff\xd8\xff" + rest))
def test_any_file_has_an_estimate(data: bytes) -> None:
    assert 0 < picture_tokens(data) <= LARGEST_PICTURE_TOKENS


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("Hello there, how are you?", 9), ("Привет", 3), ("日本", 2), ("🙂", 3)],
)
def test_scripts_are_told_apart(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


def test_the_size_is_read_from_the_file() -> None:
    assert image_size(png(640, 480)) == image_size(jpeg(640, 480)) == (640, 480)
    assert image_size(b"GIF89a") is None
    assert image_size(jpeg(640, 480)[:20]) is None


@pytest.mark.parametrize(
    ("size", "tokens"), [((300, 200), 255), ((640, 480), 425), ((1024, 1024), 765), ((0, 9), 1445)]
)
def test_a_picture_costs_by_its_squares(size: tuple[int, int], tokens: int) -> None:
    assert picture_tokens(png(*size)) == picture_tokens(jpeg(*size)) == tokens


def test_every_kind_of_item_counts() -> None:
    words = "x" * 30
    assert estimate(Notice(text=words)) == ITEM_TOKENS + 10
    assert estimate(Utterance(speaker=Speaker.AGENT, text=words)) == ITEM_TOKENS + 10
    assert estimate(Picture(data=png(9, 9), media_type="image/png")) == ITEM_TOKENS + 255
    call = ToolCall(id="abc", name="abc", arguments={"city": "Rome"})
    assert estimate(call) == ITEM_TOKENS + 1 + 1 + 5
    assert estimate(ToolResult(call_id="abc", output=words)) == ITEM_TOKENS + 1 + 10
