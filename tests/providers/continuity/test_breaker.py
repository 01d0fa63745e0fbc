"""When a provider is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.continuity.breaker import Breaker, BreakerState


def opened(breaker: Breaker, now_s: float, failures: int = 3) -> Breaker:
    for _ in range(failures):
        assert breaker.allows(now_s)
        breaker.failed(now_s)
    return breaker


def test_it_opens_after_some_failures_in_a_row() -> None:
    breaker = Breaker(failures=3, cool_s=60.0)
    breaker.failed(0.0)
    breaker.failed(0.0)
    breaker.succeeded(1.0)
    opened(breaker, 2.0)
    assert not breaker.allows(61.9)
    assert breaker.allowed_at_s == 62.0
    assert breaker.state(62.0) is BreakerState.HALF_OPEN
    assert breaker.allows(62.0)


def test_one_more_failure_leaves_it_alone_for_longer() -> None:
    breaker = opened(Breaker(cool_s=60.0, longest_s=200.0), 0.0)
    now_s = 60.0
    for cool_s in (120.0, 200.0, 200.0):
        breaker.failed(now_s)
        assert breaker.allowed_at_s == now_s + cool_s
        now_s += cool_s


def test_success_closes_it_and_begins_anew() -> None:
    breaker = opened(Breaker(cool_s=60.0), 0.0)
    breaker.failed(60.0)
    breaker.succeeded(200.0)
    assert breaker.state(200.0) is BreakerState.CLOSED
    assert breaker.allowed_at_s is None
    assert opened(breaker, 300.0).allowed_at_s == 360.0


def test_a_cause_that_does_not_pass_opens_it_for_long() -> None:
    breaker = Breaker(fatal_s=3600.0)
    breaker.failed(0.0, fatal=True)
    assert not breaker.allows(3599.0)
    breaker.failed(10.0)
    assert not breaker.allows(3599.0), "no lesser cause shortens it"
    assert breaker.allows(3600.0)


@given(st.lists(st.tuples(st.sampled_from(["fail", "fatal", "succeed"]), st.integers(0, 500))))
def test_it_is_never_open_for_ever_and_closed_after_success(steps: list[tuple[str, int]]) -> None:
    breaker, now_s = Breaker(), 0.0
    for step, after_s in steps:
        now_s += after_s
        if step == "succeed":
            breaker.succeeded(now_s)
            assert breaker.state(now_s) is BreakerState.CLOSED
        else:
            breaker.failed(now_s, fatal=step == "fatal")
        assert breaker.allows(now_s) is (breaker.state(now_s) is not BreakerState.OPEN)
        assert breaker.allows(now_s + 3600.0)
