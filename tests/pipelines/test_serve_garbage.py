"""Garbage is looked for when that disturbs the fewest calls."""

import gc
from collections.abc import Iterator

import pytest

from crossfade.pipelines.serve_garbage import LEAST_ENDED, Garbage, leave_rounds_to_us


@pytest.mark.parametrize(
    ("running", "rounds"),
    [
        ([0], 1),
        ([2, 1, 0], 1),
        ([1] * LEAST_ENDED, 1),
        ([1] * (LEAST_ENDED - 1), 0),
        ([100] * 199, 0),
        ([100] * 200, 1),
        ([100] * 1000, 5),
        ([100] * 150 + [50], 1),
    ],
)
def test_twice_as_many_calls_have_ended_as_run_or_nobody_is_left(
    running: list[int], rounds: int
) -> None:
    done = list[str]()
    garbage = Garbage(lambda: done.append("round"))
    for count in running:
        garbage.ended(count)
    assert len(done) == rounds


@pytest.fixture
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("as_before")
def test_the_interpreter_begins_no_full_round_by_itself() -> None:
    leave_rounds_to_us()
    middle, full = (gc.get_stats()[generation]["collections"] for generation in (1, 2))
    kept = [[] for _ in range(500_000)]  # type: list[list[int]]
    assert gc.get_stats()[2]["collections"] == full
    assert gc.get_stats()[1]["collections"] - middle <= 500_000 // (gc.get_threshold()[0] * 100) + 1
    assert len(kept) == 500_000
    assert gc.get_freeze_count() > 10_000
