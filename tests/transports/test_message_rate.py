"""So many messages a second, and some at once."""

from crossfade.transports.message_rate import MessageRate


def passed(rate: MessageRate, *, messages: int, at_s: float) -> int:
    return sum(rate.passes(at_s) for _ in range(messages))


def test_some_pass_at_once_and_then_as_many_as_time_allows() -> None:
    rate = MessageRate(a_second=8, at_once=20)
    assert passed(rate, messages=100, at_s=50.0) == 20
    assert passed(rate, messages=100, at_s=50.0) == 0
    assert passed(rate, messages=100, at_s=51.0) == 8
    assert passed(rate, messages=100, at_s=1000.0) == 20


def test_an_even_pace_passes_for_ever_and_a_faster_one_does_not() -> None:
    even = MessageRate(a_second=100, at_once=5)
    assert all(even.passes(number / 100) for number in range(100_000))
    faster = MessageRate(a_second=100, at_once=5)
    assert 1000 <= sum(faster.passes(number / 200) for number in range(2000)) <= 1006


def test_what_was_refused_is_not_counted() -> None:
    rate = MessageRate(a_second=1, at_once=1)
    assert rate.passes(0)
    assert not any(rate.passes(0.5) for _ in range(1000))
    assert rate.passes(1)
