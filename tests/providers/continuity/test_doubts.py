"""How often silence is taken for a dead line."""

import pytest

from crossfade.providers.continuity.doubts import Doubts


def heard(doubts: Doubts, seconds: float) -> bool:
    doubts.ear_began(0.0)
    return doubts.ear_ended(seconds)


def times(doubts: Doubts) -> int:
    """How many connections in a row are given up for what the ear heard."""
    count = 0
    while doubts.of_speech:
        doubts.gave_up()
        count += 1
    return count


@pytest.mark.parametrize(
    ("seconds", "brief", "given_up"), [(0.3, True, 2), (0.6, False, 2), (1.5, False, 3)]
)
def test_the_longer_the_speech_the_less_it_is_a_noise(
    seconds: float, brief: bool, given_up: int
) -> None:
    doubts = Doubts()
    assert heard(doubts, seconds) is brief
    assert times(doubts) == given_up


def test_two_noises_in_a_row_are_speech() -> None:
    doubts = Doubts()
    assert heard(doubts, 0.3)
    assert not heard(doubts, 0.3)
    assert times(doubts) == 3
    doubts.taken_up()
    assert heard(doubts, 0.3)


def test_an_answer_ends_all_doubts_and_a_word_those_of_the_line() -> None:
    doubts = Doubts()
    asked = []
    for _ in range(3):
        doubts.gave_up()
        asked.append(doubts.of_a_question)
    assert asked == [True, True, False]
    doubts.dispelled()
    asked.append(doubts.of_a_question)
    assert asked[-1]
    assert heard(doubts, 0.3)
    doubts.answered()
    assert heard(doubts, 0.3), "not the second in a row"
