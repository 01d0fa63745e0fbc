"""Whose words are whose, whenever they come."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.processors.cascade_turn import (
    Foreseen,
    Heard,
    HeardTurns,
    Partial,
    Said,
    Withdrawn,
)


def said(heard: list[Heard]) -> list[tuple[str, str, bool]]:
    return [(h.item_id, h.text, h.answer) for h in heard if isinstance(h, Said)]


def test_a_turn_is_told_once_with_all_its_words() -> None:
    turns = HeardTurns()
    turns.onset()
    turns.began()
    assert turns.heard("what is", final=False) == [Partial(item_id="user_1", text="what is")]
    turns.heard("what is the weather", final=True)
    assert turns.heard("in", final=False) == [
        Partial(item_id="user_1", text="what is the weather in")
    ]
    turns.fell_silent()
    assert turns.ended() == []
    assert said(turns.heard("in Tokyo", final=True, finalized=True)) == [
        ("user_1", "what is the weather in Tokyo", True)
    ]
    assert not turns.has_floor
    assert turns.ended() == turns.late() == []


def test_words_that_are_complete_before_the_turn_ends_are_not_waited_for() -> None:
    turns = HeardTurns()
    turns.onset()
    turns.began()
    turns.fell_silent()
    turns.heard("yes", final=True)
    assert said(turns.ended()) == [("user_1", "yes", True)]


def test_words_from_before_a_pause_are_no_end() -> None:
    turns = HeardTurns()
    turns.onset()
    turns.began()
    turns.fell_silent()
    turns.heard("well", final=True, finalized=True)
    turns.onset()
    turns.fell_silent()
    assert turns.ended() == []
    assert said(turns.heard("yes", final=True)) == [("user_1", "well yes", True)]


def test_what_only_is_partial_counts_when_time_is_up() -> None:
    turns = HeardTurns()
    turns.began()
    turns.heard("hello the", final=False)
    turns.ended()
    assert said(turns.late()) == [("user_1", "hello the", True)]


def test_words_that_come_far_too_late_are_still_answered() -> None:
    turns = HeardTurns()
    turns.began()
    turns.ended()
    assert turns.late() == []
    assert not turns.has_floor
    assert said(turns.heard("hello", final=True)) == [("user_1", "hello", True)]


def test_a_turn_without_words_is_told_when_the_next_begins() -> None:
    turns = HeardTurns()
    turns.began()
    turns.ended()
    turns.late()
    assert said(turns.onset()) == [("user_1", "", False)]
    turns.began()
    turns.heard("hello", final=True, finalized=True)
    assert said(turns.ended()) == [("user_2", "hello", True)]


def test_a_turn_that_is_overtaken_by_the_next_is_told_and_not_answered() -> None:
    turns = HeardTurns()
    turns.began()
    turns.heard("wait", final=True)
    turns.ended()
    turns.onset()
    assert said(turns.began()) == [("user_1", "wait", False)]


def test_a_cough_leaves_no_words_behind() -> None:
    turns = HeardTurns()
    turns.onset()
    turns.heard("the", final=False)
    turns.dropped()
    assert turns.heard("the", final=True, finalized=True) == []
    turns.onset()
    assert turns.began() == []


def test_words_of_an_onset_belong_to_the_turn_that_it_becomes() -> None:
    turns = HeardTurns()
    turns.onset()
    turns.heard("stop", final=False)
    assert turns.began() == [Partial(item_id="user_1", text="stop")]


def test_late_words_of_an_answered_turn_go_to_the_next() -> None:
    turns = HeardTurns()
    turns.began()
    turns.fell_silent()
    turns.heard("tell me", final=True)
    turns.ended()
    turns.heard("about Rome", final=True)
    turns.onset()
    turns.began()
    turns.heard("please", final=True, finalized=True)
    assert said(turns.ended()) == [("user_2", "about Rome please", True)]


def test_the_late_end_of_what_was_said_before_does_not_settle_the_next_turn() -> None:
    turns = HeardTurns()
    turns.began()
    turns.heard("tell me", final=False)
    turns.fell_silent()
    turns.ended()
    assert said(turns.late()) == [("user_1", "tell me", True)]
    turns.onset()
    turns.began()
    assert turns.heard("Tell me, please.", final=True, finalized=True) == [
        Partial(item_id="user_2", text="please.")
    ]
    turns.fell_silent()
    assert turns.ended() == []
    assert said(turns.heard("now", final=True, finalized=True)) == [("user_2", "please. now", True)]


def test_the_words_of_an_overtaken_turn_do_not_settle_the_one_that_overtook_it() -> None:
    turns = HeardTurns()
    turns.began()
    turns.fell_silent()
    turns.ended()
    turns.onset()
    assert said(turns.began()) == [("user_1", "", False)]
    turns.fell_silent()
    assert turns.ended() == []
    assert turns.heard("tell me", final=True, finalized=True) == []
    assert said(turns.heard("about Rome", final=True)) == [("user_2", "tell me about Rome", True)]


def test_words_that_were_owed_and_never_come_hold_up_one_turn_and_no_more() -> None:
    turns = HeardTurns()
    turns.began()
    turns.heard("hell", final=False)
    turns.fell_silent()
    turns.ended()
    turns.late()
    for number, told in enumerate(("late", "at once"), 2):
        turns.onset()
        turns.began()
        turns.fell_silent()
        turns.heard("hello", final=True, finalized=True)
        assert bool(turns.ended()) is (told == "at once")
        if told == "late":
            assert said(turns.late()) == [(f"user_{number}", "hello", True)]


def test_the_same_words_said_again_are_not_taken_for_those_of_before() -> None:
    turns = HeardTurns()
    turns.began()
    turns.heard("yes", final=False)
    turns.fell_silent()
    turns.ended()
    assert said(turns.late()) == [("user_1", "yes", True)]
    turns.onset()
    turns.began()
    turns.fell_silent()
    turns.heard("yes", final=True, finalized=True)
    turns.ended()
    assert said(turns.late()) == [("user_2", "yes", True)]


def test_a_recogniser_of_segments_gives_one_transcript_for_each() -> None:
    turns = HeardTurns(segments=True)
    turns.onset()
    turns.began()
    turns.fell_silent()
    turns.onset()
    turns.fell_silent()
    assert turns.ended() == []
    assert said(turns.heard("what is", final=True, finalized=True)) == []
    assert turns.waiting
    assert said(turns.heard("the weather", final=True, finalized=True)) == [
        ("user_1", "what is the weather", True)
    ]


def test_a_turn_is_told_while_somebody_may_be_speaking_again() -> None:
    turns = HeardTurns(segments=True)
    turns.onset()
    turns.began()
    turns.fell_silent()
    turns.ended()
    turns.onset()
    assert said(turns.heard("hello", final=True, finalized=True)) == [("user_1", "hello", True)]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=6))
def test_however_late_segments_are_a_turn_is_not_told_before_its_last(
    spoken: list[tuple[int, int]],
) -> None:
    turns, number = HeardTurns(segments=True), 0
    waiting: list[str] = []
    last: dict[str, str] = {}
    told: list[tuple[str, str, bool]] = []

    def deliver(count: int) -> None:
        for word in waiting[:count]:
            told.extend(said(turns.heard(word, final=True, finalized=True)))
        del waiting[:count]

    for turn, (segments, delivered) in enumerate(spoken, 1):
        for segment in range(segments):
            turns.onset()
            if segment == 0:
                told += said(turns.began())
            turns.fell_silent()
            number += 1
            waiting.append(f"w{number}")
            if segment % 2:
                deliver(delivered)
        last[f"user_{turn}"] = f"w{number}"
        told += said(turns.ended())
        deliver(delivered)
    deliver(len(waiting))
    answered = [(item_id, text) for item_id, text, answer in told if answer]
    assert all(text.split()[-1] == last[item_id] for item_id, text in answered)
    assert answered[-1][0] == f"user_{len(spoken)}"


def test_an_early_end_is_told_once_with_all_the_words() -> None:
    turns = HeardTurns()
    assert turns.foreseen("too early") == []
    turns.began()
    turns.heard("what is", final=True)
    foreseen = Foreseen(item_id="user_1", text="what is the weather")
    assert turns.foreseen("the weather") == [foreseen]
    assert turns.foreseen(" the weather") == []
    turns.heard("the weather", final=True, finalized=True)
    assert said(turns.ended()) == [("user_1", "what is the weather", True)]
    assert turns.withdrawn() == turns.foreseen("the weather") == []


def test_a_user_who_speaks_on_or_a_recogniser_that_says_so_withdraws_it() -> None:
    turns = HeardTurns()
    turns.began()
    turns.foreseen("what is")
    assert turns.onset() == [Withdrawn(item_id="user_1")]
    assert turns.onset() == []
    turns.foreseen("what is the weather")
    assert turns.withdrawn() == [Withdrawn(item_id="user_1")]
    assert turns.withdrawn() == []


WORD = st.tuples(st.just("heard"), st.sampled_from(["", "a", "b"]), st.booleans(), st.booleans())
STEPS = st.lists(
    st.sampled_from(
        ["onset", "dropped", "fell_silent", "began", "ended", "late", "withdrawn", "foreseen"]
    )
    | WORD,
    max_size=40,
)


@given(STEPS)
def test_in_any_order_each_turn_is_told_once_and_in_order(steps: list[object]) -> None:
    turns, told, began = HeardTurns(), [], 0
    for step in steps:
        match step:
            case (_, str() as text, bool() as final, bool() as finalized):
                told += said(turns.heard(text, final=final, finalized=finalized))
            case "foreseen":
                told += said(turns.foreseen("a"))
            case "began" if not turns.has_floor or turns.waiting:
                told += said(turns.began())
                began += 1
            case str() as name if name != "began":
                told += said(getattr(turns, name)())
    numbers = [int(item_id.removeprefix("user_")) for item_id, _, _ in told]
    assert numbers == list(range(1, len(told) + 1))
    assert began - 1 <= len(told) <= began
