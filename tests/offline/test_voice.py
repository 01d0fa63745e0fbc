from hypothesis import given
from hypothesis import strategies as st

from crossfade.offline.voice import chunks, sentences


def test_a_text_is_cut_after_each_sentence() -> None:
    text = "Hello there! It is 18.5 degrees… Is that all?  Yes"
    assert sentences(text) == ["Hello there!", "It is 18.5 degrees…", "Is that all?", "Yes"]
    assert sentences("  ") == []


@given(st.text(alphabet="ab .!?\n", max_size=1000))
def test_cutting_loses_no_word_and_leaves_no_long_piece(text: str) -> None:
    pieces = sentences(text)
    assert all(0 < len(piece) <= 300 for piece in pieces)
    assert "".join(" ".join(pieces).split()) == "".join(text.split())


def test_chunks_are_40_ms_but_for_the_last() -> None:
    pcm = bytes(range(250)) * 20
    pieces = list(chunks(pcm, 24000))
    assert b"".join(pieces) == pcm
    assert [len(piece) for piece in pieces] == [1920, 1920, 1160]
