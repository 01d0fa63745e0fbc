"""Pieces of words put together to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.moshi_words import Words


def joined(*pieces: str) -> str:
    words = Words()
    return "".join(map(words.add, pieces))


def test_the_mark_of_a_word_is_a_space() -> None:
    assert joined("▁How", "▁are", "▁yo", "u", "?") == " How are you?"
    assert joined(" How", " are") == " How are"


@pytest.mark.parametrize("mark", ["<pad>", "<unk>", "<s>", "</s>", ""])
def test_padding_says_nothing(mark: str) -> None:
    assert joined("a", mark, "b") == "ab"


def test_bytes_become_characters() -> None:
    words = Words()
    assert [words.add(piece) for piece in ("<0xE2>", "<0x82>", "<0xAC>")] == ["", "", "€"]


def test_a_broken_character_is_replaced() -> None:
    assert joined("<0xE2>", "<0x82>", "▁x") == "� x"


@given(st.text())
def test_text_in_bytes_is_whole(text: str) -> None:
    assert joined(*(f"<0x{byte:02X}>" for byte in text.encode())) == text
