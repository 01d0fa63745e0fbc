"""Which connection serves: the table of a session's states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.continuity.machine import Happening, Service, Step, advance


def after(*happenings: Happening) -> tuple[Service, list[Step]]:
    state, steps = Service.SERVING, []
    for happening in happenings:
        state, step = advance(state, happening)
        steps.append(step)
    return state, steps


def test_a_lost_connection_is_followed_by_the_next_that_opens() -> None:
    state, steps = after(Happening.LOST, Happening.WANTED, Happening.FAILED, Happening.WANTED)
    assert state is Service.DIALLING
    assert steps == [Step.NOTHING, Step.OPEN, Step.NOTHING, Step.OPEN]
    assert advance(state, Happening.OPENED) == (Service.SERVING, Step.SWITCH)


def test_one_that_was_opened_in_time_waits_for_its_moment() -> None:
    state, _ = after(Happening.WANTED, Happening.OPENED)
    assert state is Service.READY
    assert advance(state, Happening.MOMENT) == (Service.SERVING, Step.SWITCH)
    assert advance(state, Happening.LOST) == (Service.SERVING, Step.SWITCH)
    assert advance(state, Happening.NEEDLESS) == (Service.SERVING, Step.DISMISS)


def test_one_that_is_being_opened_takes_over_from_one_that_dies() -> None:
    state, _ = after(Happening.WANTED, Happening.LOST)
    assert state is Service.DIALLING


def test_when_all_is_spent_the_session_is_over() -> None:
    assert after(Happening.LOST, Happening.SPENT) == (Service.OVER, [Step.NOTHING, Step.END])
    with pytest.raises(ValueError, match="cannot happen while over"):
        advance(Service.OVER, Happening.WANTED)


@given(st.lists(st.sampled_from(Happening), max_size=40))
def test_whatever_happens_it_serves_or_something_is_being_done(happenings: list[Happening]) -> None:
    state, opened = Service.SERVING, 0
    for happening in happenings:
        try:
            state, step = advance(state, happening)
        except ValueError:
            continue
        opened += step is Step.OPEN
        opened -= step in (Step.SWITCH, Step.DISMISS) or happening is Happening.FAILED
        assert opened == (state in (Service.PREPARING, Service.READY, Service.DIALLING))
