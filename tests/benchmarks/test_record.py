"""What the measurement of the record takes for late."""

import numpy as np
import pytest

from crossfade.benchmarks.record import RecordResult, Round, content, held, lateness_ms

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


def test_every_answer_has_a_beat_of_its_own_and_begins_as_it_comes() -> None:
    later = [at_ns + round((30_000 + 7 + 20 * (n > 0)) * 1e6) for n, at_ns in enumerate(BEATS_NS)]
    later[0] += round(4e6)
    assert lateness_ms([*BEATS_NS, *later]).max() == pytest.approx(0, abs=0.001)
    assert lateness_ms([BEATS_NS[0]]).tolist() == [0]


@pytest.mark.parametrize(
    ("added_ms", "more_cpu", "well"), [(0.4, 0.08, True), (1.6, 0.08, False), (0.4, 0.12, False)]
)
def test_the_goals_are_told_by_the_differences_of_the_rounds(
    added_ms: float, more_cpu: float, well: bool
) -> None:
    late = [np.full(100, 0.1 * n) for n in range(5)]
    off = [Round(cpu_percent=1 + n, late_ms=each) for n, each in enumerate(late)]
    on = [
        Round(cpu_percent=(1 + n) * (1 + more_cpu), late_ms=each + added_ms)
        for n, each in enumerate(late)
    ]
    result = RecordResult(recorded=on, unrecorded=off)
    assert result.added_ms(99) == pytest.approx(added_ms)
    assert content(result)["cpu_share"] == pytest.approx(more_cpu)
    assert held(result) is well
