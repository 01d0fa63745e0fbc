"""What the measurement of the record takes for late."""

import numpy as np
import pytest

from crossfade.benchmarks.record import RecordResult, held, lateness_ms

BEATS_NS = [round((7 + 20 * n) * 1e6) for n in range(1000)]


def late_by(moved: dict[int, float]) -> list[float]:
    """The lateness of these frames, each of which is moved by so many ms."""
    written = [at_ns + round(moved.get(n, 0) * 1e6) for n, at_ns in enumerate(BEATS_NS)]
    return list(lateness_ms(written)[list(moved)])


def test_a_frame_on_its_beat_is_in_time() -> None:
    assert lateness_ms(BEATS_NS).max() == pytest.approx(0, abs=0.001)
    assert not lateness_ms([]).size


def test_a_frame_is_as_late_as_it_was_written_and_the_next_ones_are_not() -> None:
    assert late_by({300: 0.5, 301: 0, 500: 8, 501: 0}) == pytest.approx([0.5, 0, 8, 0], abs=0.001)


def test_who_misses_a_beat_is_later_by_one() -> None:
    written = [at_ns for n, at_ns in enumerate(BEATS_NS) if n != 400]
    written.insert(400, BEATS_NS[401])
    assert lateness_ms(written)[400] == pytest.approx(20, abs=0.001)


def test_after_a_pause_nobody_is_late() -> None:
    later = [at_ns + round(3000e6) for at_ns in BEATS_NS]
    assert lateness_ms([*BEATS_NS, *later]).max() == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize(("added_ms", "well"), [(0.4, True), (1.6, False)])
def test_the_goal_is_told_by_the_difference_of_the_rounds(added_ms: float, well: bool) -> None:
    off = [np.full(100, 0.1 * n) for n in range(5)]
    result = RecordResult(recorded=[each + added_ms for each in off], unrecorded=off)
    assert result.added_ms(99) == pytest.approx(added_ms)
    assert held(result) is well
