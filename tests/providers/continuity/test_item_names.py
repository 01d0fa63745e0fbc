"""One name for a turn of the user, whichever sessions hear it."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.continuity.item_names import ItemNames, UserEvent
from crossfade.providers.events import (
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)


def spoken(item_id: str) -> list[UserEvent]:
    """All that is told of a turn."""
    return [
        SpeechStarted(item_id=item_id, at_ms=0),
        UserTranscript(item_id=item_id, text="a", final=False),
        SpeechStopped(item_id=item_id, at_ms=1),
        UserTurnCommitted(item_id=item_id),
        UserTranscript(item_id=item_id, text="a b", final=True),
    ]


def tell(names: ItemNames, events: list[UserEvent]) -> list[UserEvent]:
    return [told for event in events if (told := names.tell(event)) is not None]


def test_a_turn_that_is_heard_again_is_told_once_and_under_its_first_name() -> None:
    names = ItemNames()
    first = tell(names, spoken("one")[:2])
    names.hand_over(sent_again=True)
    second = tell(names, spoken("two"))
    assert {event.item_id for event in first + second} == {"one"}
    assert [type(event).__name__ for event in first + second] == [
        "SpeechStarted",
        "UserTranscript",
        "UserTranscript",
        "SpeechStopped",
        "UserTurnCommitted",
        "UserTranscript",
    ]
    assert names.unanswered == ("one",)
    names.answered()
    assert not names.unanswered


def test_a_turn_that_was_answered_is_not_expected_again() -> None:
    names = ItemNames()
    tell(names, spoken("one"))
    names.answered()
    names.hand_over(sent_again=True)
    assert {event.item_id for event in tell(names, spoken("two"))} == {"two"}


def test_a_noise_that_came_to_nothing_gives_its_name_to_nobody() -> None:
    names = ItemNames()
    tell(names, spoken("noise")[:1])
    tell(names, spoken("one")[:1])
    assert names.unanswered == ("one",)


def test_a_session_that_was_resumed_hears_nothing_again() -> None:
    names = ItemNames()
    tell(names, spoken("one"))
    names.hand_over(sent_again=False)
    assert {event.item_id for event in tell(names, spoken("two"))} == {"two"}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_however_often_the_line_dies_each_thing_is_told_once(cuts: list[int]) -> None:
    names, told = ItemNames(), list[UserEvent]()
    for number, cut in enumerate(cuts):
        told += tell(names, spoken(f"name {number}")[:cut])
        names.hand_over(sent_again=True)
    told += tell(names, spoken("last"))
    once = [type(event) for event in told if not isinstance(event, UserTranscript) or event.final]
    assert sorted(kind.__name__ for kind in once) == [
        "SpeechStarted",
        "SpeechStopped",
        "UserTranscript",
        "UserTurnCommitted",
    ]
    assert len({event.item_id for event in told}) == 1


def test_words_of_a_turn_that_was_told_as_it_sounded_are_no_turn_of_the_new_session() -> None:
    names = ItemNames()
    names.tell(UserTurnCommitted(item_id="a"))
    names.answered()
    names.tell(SpeechStarted(item_id="b", at_ms=0))
    names.hand_over(sent_again=True, retold=["a"])
    words = UserTranscript(item_id="a", text="hello", final=True)
    assert names.tell(words) == words
    assert names.tell(SpeechStarted(item_id="c", at_ms=0)) is None, "it is b again"
    assert names.tell(UserTurnCommitted(item_id="c")) == UserTurnCommitted(item_id="b")
