"""When a connection is replaced, though it is well."""

from crossfade.providers import Continuity
from crossfade.providers.continuity.schedule import SHORTEST_S, schedule


def test_before_the_provider_ends_it() -> None:
    plan = schedule(Continuity(), 100.0, 3700.0)
    assert (plan.look_s, plan.force_s) == (3640.0, 3690.0)


def test_one_that_lives_shortly_serves_for_half_of_its_life() -> None:
    plan = schedule(Continuity(), 100.0, 130.0)
    assert (plan.look_s, plan.force_s) == (115.0, 120.0)


def test_after_so_long_where_that_is_wanted() -> None:
    plan = schedule(Continuity(rotate_after_s=600.0), 100.0, None)
    assert (plan.look_s, plan.force_s) == (700.0, None)
    assert schedule(Continuity(), 100.0, None).look_s is None


def test_a_wrong_clock_does_not_make_it_rotate_again_and_again() -> None:
    plan = schedule(Continuity(), 100.0, 110.0, rotated_s=100.0)
    assert (plan.look_s, plan.force_s) == (100.0 + SHORTEST_S, 100.0 + SHORTEST_S)
    plan = schedule(Continuity(), 100.0, 3700.0, rotated_s=100.0)
    assert (plan.look_s, plan.force_s) == (3640.0, 3690.0)
    plan = schedule(Continuity(rotate_after_s=5.0), 100.0, 3700.0, rotated_s=100.0)
    assert plan.look_s == 105.0
