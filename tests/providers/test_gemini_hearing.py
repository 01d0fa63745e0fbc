"""The words of the user's turns, which Gemini tells in no order with its answers."""

import random

import pytest

from crossfade.providers.events import Event, UserTranscript, UserTurnCommitted
from crossfade.providers.gemini_hearing import Hearing
from crossfade.providers.session_ids import Ids


def hearing() -> Hearing:
    return Hearing(Ids(random.Random(1)))


def words(heard: Hearing, text: str) -> list[Event]:
    return heard.words(text, finished=False)


def spoken_turn(heard: Hearing) -> list[Event]:
    """A turn that is answered, and of which no words come meanwhile."""
    heard.begins()
    heard.audio_sent = True
    return heard.answered() + heard.turn_over()


def texts(events: list[Event]) -> list[tuple[str, str, bool]]:
    told = (event for event in events if isinstance(event, UserTranscript))
    return [(event.item_id[-1], event.text, event.final) for event in told]


def test_words_behind_the_whole_answer_are_those_of_the_turn_that_the_caller_marked() -> None:
    heard = hearing()
    (committed,) = spoken_turn(heard)
    assert isinstance(committed, UserTurnCommitted)
    assert texts(words(heard, "hello") + words(heard, " there")) == [
        ("1", "hello", False),
        ("1", "hello there", False),
    ]
    events = spoken_turn(heard)
    assert texts(events) == [("1", "hello there", True)]
    assert [event.item_id[-1] for event in events if isinstance(event, UserTurnCommitted)] == ["2"]
    assert texts(heard.ended()) == [("2", "", True)]


@pytest.mark.parametrize("late", [True, False])
def test_words_in_a_turn_that_was_begun_since_are_its_own(late: bool) -> None:
    heard = hearing()
    if late:
        spoken_turn(heard)
        heard.begins()
    else:
        # It begins in the answer to the one before, which ends then.
        heard.begins()
        heard.audio_sent = True
        heard.answered()
        heard.begins()
        assert texts(heard.turn_over()) == [("1", "", True)]
    events = words(heard, "goodbye")
    assert texts(events)[-1] == ("2", "goodbye", False)
    assert sum(isinstance(event, UserTurnCommitted) for event in events) == 1


def test_where_nobody_marks_turns_words_behind_the_answer_are_said_anew() -> None:
    heard = hearing()
    heard.audio_sent = True
    heard.answered()
    assert texts(heard.turn_over()) == [("1", "", True)]
    assert texts(words(heard, "goodbye")) == [("2", "goodbye", False)]
