"""When to try again."""

import random

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.continuity.backoff import Backoff
from crossfade.providers.continuity.settings import Continuity

SETTINGS = Continuity(attempts=4, first_delay_s=0.5, longest_delay_s=1.5, healthy_s=30.0)


class Longest(random.Random):
    """Always waits as long as it may."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_first_attempt_is_made_at_once_and_each_later_one_waits_longer() -> None:
    backoff = Backoff(SETTINGS, Longest())
    backoff.serving(0.0)
    assert backoff.lost(100.0) == 0.0
    assert [backoff.failed(100.0) for _ in range(4)] == [0.5, 1.0, 1.5, None]
    assert backoff.failed(200.0) is None


def test_the_budget_is_new_after_a_while_of_service() -> None:
    backoff = Backoff(SETTINGS, Longest())
    assert backoff.lost(0.0) == 0.0
    backoff.serving(1.0)
    assert backoff.lost(30.9) == 0.5, "it did not last"
    backoff.serving(31.0)
    assert backoff.lost(61.0) == 0.0


def test_a_line_that_opens_and_dies_spends_the_budget() -> None:
    backoff = Backoff(SETTINGS, Longest())
    delays = []
    for now in range(5):
        backoff.serving(now)
        delays.append(backoff.lost(now + 0.5))
    assert delays == [0.0, 0.5, 1.0, 1.5, None]


def test_another_provider_is_tried_at_once() -> None:
    backoff = Backoff(SETTINGS, Longest())
    while backoff.failed(0.0) is not None:
        pass
    backoff.renewed()
    assert backoff.failed(0.0) == 0.0


@given(st.integers(1, 2000), st.integers())
def test_no_delay_is_longer_than_allowed_and_all_end(attempts: int, seed: int) -> None:
    settings = Continuity(attempts=attempts)
    backoff = Backoff(settings, random.Random(seed))
    made = 0
    while (delay_s := backoff.failed(0.0)) is not None:
        limit_s = 0.0 if made == 0 else settings.first_delay_s * 2.0 ** min(made - 1, 64)
        assert 0.0 <= delay_s <= min(limit_s, settings.longest_delay_s)
        made += 1
    assert made == attempts
