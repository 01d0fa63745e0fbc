import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability import arm_statistics
from crossfade.observability.arm_statistics import (
    Array,
    bootstrap,
    difference,
    holm,
    median,
    ratio,
    wilson,
)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_statistics, "DRAWS", 800)


def calls(*pairs: tuple[float, float]) -> Array:
    return np.array(pairs, dtype=np.float64)


def test_a_ratio_is_of_the_sums_and_not_of_the_calls() -> None:
    assert ratio(calls((1, 1), (0, 3))) == 0.25
    assert np.isnan(ratio(calls((0, 0))))


def test_a_median_is_of_the_first_numbers() -> None:
    assert median(calls((3, 1), (1, 1), (2, 1))) == 2


def test_a_bootstrap_covers_what_it_should() -> None:
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        sample = np.stack([chance.normal(5, 2, 60), np.ones(60)], axis=1)
        interval = bootstrap(sample, ratio)
        held += interval.low <= 5 <= interval.high
    assert 88 <= held <= 100


def test_the_same_seed_gives_the_same_answer() -> None:
    sample = calls(*((float(number**2), 1.0) for number in range(20)))
    assert bootstrap(sample, ratio) == bootstrap(sample, ratio)
    assert bootstrap(sample, ratio) != bootstrap(sample, ratio, seed=2)


def test_a_difference_is_found_and_its_interval_holds_it() -> None:
    chance = np.random.default_rng(2)
    base = np.stack([chance.normal(10, 1, 80), np.ones(80)], axis=1)
    apart = difference(base, base + np.array([2, 0]), median)
    assert apart.absolute == pytest.approx(2)
    assert apart.interval.low < 2 < apart.interval.high
    assert apart.p < 0.01


def test_without_a_difference_one_test_in_twenty_finds_one() -> None:
    chance = np.random.default_rng(3)
    found = 0
    for _ in range(200):
        both = np.stack([chance.lognormal(0, 0.6, 40), chance.uniform(1, 3, 40)], axis=1)
        found += difference(both[:20], both[20:], ratio).p < 0.05
    assert found <= 20


def test_what_is_the_same_everywhere_is_no_difference() -> None:
    same = calls((1, 1), (1, 1), (1, 1))
    assert difference(same, same, ratio).p == 1


def test_two_calls_of_each_prove_nothing() -> None:
    assert difference(calls((1, 1), (1, 1)), calls((9, 1), (9, 1)), ratio).p > 0.2


def test_memory_is_spared_and_the_answer_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = np.stack([np.arange(50.0), np.ones(50)], axis=1)
    whole = bootstrap(sample, ratio)
    monkeypatch.setattr(arm_statistics, "_MOST_AT_ONCE", 500)
    in_parts = bootstrap(sample, ratio)
    assert in_parts.low == pytest.approx(whole.low, rel=0.05)


def test_wilson_stays_within_0_and_1() -> None:
    # The example of Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263.
    interval = wilson(81, 263)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 5).low == 0
    assert wilson(5, 5).high == 1
    assert wilson(5, 5).low < 0.6


def test_holm_corrects_the_smallest_most() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_a_corrected_p_is_never_smaller_and_keeps_its_place(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(before <= after <= 1 for before, after in zip(ps, corrected, strict=True))
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    assert [corrected[index] for index in order] == sorted(corrected)
