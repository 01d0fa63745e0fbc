"""What an answer is cut into while it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.processors.cascade_clauses import LONGEST, Clauses, speakable

TEXTS = st.text(alphabet="ab 1.,;:!?…\n\"')。，", max_size=400)


def pieces(text: str, size: int = 3) -> list[str]:
    clauses = Clauses()
    found = [p for at in range(0, len(text), size) for p in clauses.feed(text[at : at + size])]
    return [*found, clauses.flush()]


def test_it_begins_with_the_first_clause_and_goes_on_in_sentences() -> None:
    text = "In Tokyo, at the moment, it rains. Take a coat, and an umbrella. Well"
    assert pieces(text) == [
        "In Tokyo, at the moment,",
        " it rains.",
        " Take a coat, and an umbrella.",
        " Well",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "It is 3.5 degrees",
        "At 10:30 or so",
        "Ask Dr. Smith or e.g. J. Jones",
        "Hi, there",
        "... and so on",
        "1. the first",
    ],
)
def test_not_every_mark_ends_something(text: str) -> None:
    assert pieces(text) == [text]


def test_a_mark_counts_once_the_space_behind_it_is_there() -> None:
    clauses = Clauses()
    assert clauses.feed("It is 3.") == []
    assert clauses.feed("5 degrees now.") == []
    assert clauses.feed(" And") == ["It is 3.5 degrees now."]


def test_scripts_without_spaces_are_cut_as_well() -> None:
    assert pieces("東京は晴れです。傘は要りません。", 1)[:2] == [
        "東京は晴れです。",
        "傘は要りません。",
    ]


def test_a_sentence_without_end_does_not_wait_for_ever() -> None:
    found = pieces("word " * 200)
    assert all(len(piece) <= LONGEST for piece in found)
    assert len(found) > 3


@given(TEXTS, st.integers(1, 40))
def test_nothing_is_lost_and_every_piece_can_be_spoken(text: str, size: int) -> None:
    *cut, left = pieces(text, size)
    assert "".join([*cut, left]) == text
    assert all(speakable(piece) or len(piece) == LONGEST for piece in cut)
