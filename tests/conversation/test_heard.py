"""A word counts as heard only when it surely was."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.heard import WordTiming, covered_length, heard_length

TEN_WORDS = "aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj"


def heard(
    text: str, played_ms: float, received_ms: float = 5000.0, *, complete: bool = True
) -> str:
    length = heard_length(text, played_ms=played_ms, received_ms=received_ms, complete=complete)
    return text[:length]


def test_nothing_played_is_nothing_heard() -> None:
    assert heard(TEN_WORDS, 0.0) == ""


def test_a_sound_shorter_than_the_doubt_is_no_word() -> None:
    assert heard("a b c d e", 200.0, 400.0) == ""


def test_words_are_counted_by_their_share_of_the_sound() -> None:
    # 49 characters in 5 s; 2.2 s played, of which 2 s are sure: 19.6 characters.
    assert heard(TEN_WORDS, 2200.0) == "aaaa bbbb cccc dddd"


def test_a_word_cut_in_the_middle_is_not_heard() -> None:
    assert heard("aaaa bbbbbbbbbbbb", 3000.0) == "aaaa"


def test_text_ahead_of_its_audio_is_limited_by_the_pace_of_speech() -> None:
    # All the text is known, 3 s of audio came: by share, 47 characters would be heard.
    assert heard(TEN_WORDS, 2900.0, 3000.0, complete=True) == TEN_WORDS[:44]
    assert heard(TEN_WORDS, 2900.0, 3000.0, complete=False) == TEN_WORDS[:24]


def test_known_word_ends_decide() -> None:
    timings = [
        WordTiming(end_character=4, end_ms=900.0),
        WordTiming(end_character=9, end_ms=1500.0),
    ]
    length = heard_length(
        TEN_WORDS, played_ms=1000.0, received_ms=5000.0, complete=True, timings=timings
    )
    assert TEN_WORDS[:length] == "aaaa"


def test_scripts_without_spaces_are_counted_by_characters() -> None:
    assert heard("今日は東京は晴れです", 2700.0) == "今日は東京"


@given(
    text=st.text(max_size=200),
    played_ms=st.floats(0, 60_000),
    received_ms=st.floats(0, 60_000),
    complete=st.booleans(),
)
def test_more_played_is_never_less_heard_and_words_stay_whole(
    text: str, played_ms: float, received_ms: float, complete: bool
) -> None:
    length = len(heard(text, played_ms, received_ms, complete=complete))
    assert len(heard(text, played_ms / 2, received_ms, complete=complete)) <= length <= len(text)
    if complete:
        assert len(heard(text, played_ms, received_ms, complete=False)) <= length
    before, after = text[length - 1 : length], text[length : length + 1]
    assert not before or not before.isspace()
    if before and after and before < "\u2e80" and after < "\u2e80":
        assert after.isspace()


def covered(text: str, received_ms: float, pace: float | None = None) -> str:
    return text[: covered_length(text, received_ms=received_ms, characters_per_s=pace)]


def test_what_broke_off_ends_at_the_nearest_word_end() -> None:
    # 13 characters a second by the typical pace.
    assert covered(TEN_WORDS, 1000.0) == "aaaa bbbb cccc"
    assert covered(TEN_WORDS, 880.0) == "aaaa bbbb"
    assert covered(TEN_WORDS, 60_000.0) == TEN_WORDS
    assert covered(TEN_WORDS, 1000.0, pace=19.0) == "aaaa bbbb cccc dddd"
    assert covered("今日は東京は晴れです", 1000.0) == "今日は東"


def test_too_little_sound_for_half_a_word_is_no_word_whatever_the_voice() -> None:
    assert covered(TEN_WORDS, 150.0) == ""
    assert covered(TEN_WORDS, 150.0, pace=100.0) == ""
    assert covered(TEN_WORDS, 160.0) == "aaaa"
    assert covered(TEN_WORDS, 160.0, pace=1.0) == "aaaa"


def test_known_word_ends_decide_what_broke_off() -> None:
    timings = [
        WordTiming(end_character=4, end_ms=900.0),
        WordTiming(end_character=9, end_ms=1500.0),
    ]
    assert covered_length(TEN_WORDS, received_ms=1600.0, timings=timings) == 9
    assert covered_length(TEN_WORDS, received_ms=1400.0, timings=timings) == 4


@given(
    text=st.text(max_size=200),
    received_ms=st.floats(0, 60_000),
    pace=st.none() | st.floats(1, 100),
)
def test_all_who_know_text_and_sound_agree_whether_anything_came(
    text: str, received_ms: float, pace: float | None
) -> None:
    length = len(covered(text, received_ms, pace))
    assert bool(length) is bool(covered(text, received_ms))
    assert not text[:length][-1:].isspace()
    assert length >= len(covered(text, received_ms / 2, pace))
