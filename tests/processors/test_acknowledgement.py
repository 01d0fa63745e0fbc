"""When something is said while tools run, and what."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.processors.acknowledgement import SILENCE_S, WORTH_S, Acknowledgement

AFTER_S = 0.3


def anything(text: str) -> bool:
    return True


def running(*phrases: str, began_s: float = 10.0, spoke: bool = False) -> Acknowledgement:
    plan = Acknowledgement()
    plan.began("call", began_s, phrases or ("One.", "Two."), spoke=spoke)
    return plan


def test_nothing_is_due_without_a_call_or_without_phrases() -> None:
    assert Acknowledgement().due_s(0) is None
    plan = Acknowledgement()
    plan.began("call", 10, (), spoke=False)
    plan.slow("call", 10.3)
    assert plan.due_s(0) is None
    assert plan.choose(anything) is None


def test_a_slow_call_is_acknowledged_at_once_if_nothing_was_heard_since_it_was_made() -> None:
    plan = running()
    assert plan.due_s(9.8) == pytest.approx(9.8 + SILENCE_S)
    plan.slow("call", 10 + AFTER_S)
    assert plan.due_s(9.8) == pytest.approx(10 + AFTER_S)


@pytest.mark.parametrize(("spoke", "quiet_since_s"), [(True, 9.8), (False, 10.1)])
def test_who_heard_something_is_told_after_a_second_of_silence(
    spoke: bool, quiet_since_s: float
) -> None:
    plan = running(spoke=spoke)
    plan.slow("call", 10 + AFTER_S)
    assert plan.due_s(quiet_since_s) == pytest.approx(quiet_since_s + SILENCE_S)


def test_after_a_long_silence_a_call_is_acknowledged_as_soon_as_it_is_worth_it() -> None:
    assert running().due_s(5) == pytest.approx(10 + WORTH_S)


def test_nothing_is_due_once_the_result_is_there() -> None:
    plan = running()
    plan.slow("call", 10 + AFTER_S)
    plan.ended("call")
    assert plan.due_s(0) is None
    assert plan.choose(anything) is None
    plan.slow("call", 11)
    assert plan.due_s(0) is None


def test_a_call_goes_through_its_phrases_and_begins_again() -> None:
    plan = running("One.", "Two.", "Three.")
    said = [plan.choose(anything) for _ in range(4)]
    assert said == [("call", text) for text in ("One.", "Two.", "Three.", "One.")]


def test_a_single_phrase_is_said_again_only_when_the_model_has_spoken() -> None:
    plan = running("One.")
    assert plan.choose(anything) == ("call", "One.")
    assert plan.choose(anything) is None
    plan.model_spoke()
    assert plan.choose(anything) == ("call", "One.")


def test_a_phrase_without_a_voice_is_passed_over() -> None:
    plan = running("One.", "Two.", "Three.")
    assert plan.choose(lambda text: text != "One.") == ("call", "Two.")
    assert plan.choose(lambda text: False) is None


def test_when_the_first_call_ends_another_one_is_spoken_of() -> None:
    plan = running("One.")
    plan.began("other", 10.5, ["Else."], spoke=False)
    plan.choose(anything)
    plan.ended("call")
    assert plan.due_s(11) == pytest.approx(11 + SILENCE_S)
    assert plan.choose(anything) == ("other", "Else.")


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=1, max_size=4), st.data())
def test_no_phrase_is_ever_said_twice_in_a_row(
    phrases: list[list[str]], data: st.DataObject
) -> None:
    plan = Acknowledgement()
    for number, each in enumerate(phrases):
        plan.began(str(number), number, each, spoke=False)
    said: list[str] = []
    for _ in range(20):
        sayable = data.draw(st.sets(st.sampled_from("abc"), min_size=2))
        if (chosen := plan.choose(sayable.__contains__)) is not None:
            assert chosen[1] in phrases[int(chosen[0])]
            said.append(chosen[1])
    assert all(one != other for one, other in itertools.pairwise(said))


@given(
    began_s=st.floats(0, 100),
    quiet_since_s=st.floats(0, 100),
    slow=st.booleans(),
    spoke=st.booleans(),
)
def test_no_silence_lasts_longer_than_a_second_while_a_call_runs(
    began_s: float, quiet_since_s: float, slow: bool, spoke: bool
) -> None:
    plan = running(began_s=began_s, spoke=spoke)
    if slow:
        plan.slow("call", began_s + AFTER_S)
    due_s = plan.due_s(quiet_since_s)
    assert due_s is not None
    assert began_s + WORTH_S <= due_s <= max(began_s + WORTH_S, quiet_since_s + SILENCE_S)
