"""What is measured of a caller who speaks while the connection is replaced, or dies."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from crossfade.benchmarks.continuity_beside import Beside, content, holds, judged, table
from crossfade.benchmarks.continuity_service import Arrivals, Service

FRAME = 960
SAID = np.random.default_rng(5).integers(-8000, 8000, 24 * 6000).astype("<i2").tobytes()


def connection(spans: list[tuple[int, int]], *, begun_s: float) -> Arrivals:
    """Frames from one to before another, a span of them after the other, 20 ms apart."""
    arrivals = Arrivals(cast(Any, None))
    for first, end in spans:
        for number in range(first, end):
            arrivals.times_s.append(begun_s + len(arrivals.times_s) * 0.02)
            arrivals.pcm += SAID[number * FRAME : (number + 1) * FRAME]
    return arrivals


def found(event: str, *connections: Arrivals, struck_s: float | None = None) -> Beside:
    service = Service(60.0)
    service.connections += connections
    return judged("crossfade", event, service, SAID, struck_s)


def test_a_replaced_connection_that_is_given_everything_again_loses_nothing() -> None:
    old, new = connection([(0, 150)], begun_s=0), connection([(0, 300)], begun_s=3.01)
    result = found("rotation", old, new)
    assert (result.lost_ms, result.stranded_ms) == (0, 0)
    assert result.gap_ms == pytest.approx(10, abs=0.1)
    assert holds([result])


def test_what_only_the_old_connection_has_is_stranded() -> None:
    old, new = connection([(0, 150)], begun_s=0), connection([(150, 300)], begun_s=3.3)
    result = found("rotation", old, new)
    assert (result.lost_ms, result.stranded_ms) == (0, 3000)
    assert result.gap_ms == pytest.approx(300, abs=0.1)
    assert not holds([result])


def test_what_no_connection_has_is_lost() -> None:
    old, new = connection([(0, 150)], begun_s=0), connection([(0, 140), (151, 300)], begun_s=3.2)
    result = found("abort", old, new, struck_s=3.0)
    assert (result.lost_ms, result.stranded_ms) == (20, 200)
    assert result.restored_ms == 200
    assert not holds([result])


def test_a_connection_that_never_comes_back_has_no_end_of_its_gap() -> None:
    result = found("abort", connection([(0, 150)], begun_s=0), struck_s=3.0)
    assert result.gap_ms is None
    assert result.lost_ms == 2700
    assert not holds([result])
    assert table([result]).row_count == 3
    assert content([result])["clients"][0]["stranded_ms"] > 0


def test_goals_are_of_both_events_and_of_ours() -> None:
    good = Beside(
        client="crossfade",
        event="abort",
        gap_ms=210.0,
        restored_ms=205.0,
        lost_ms=0.0,
        stranded_ms=0.0,
    )
    assert holds([good])
    assert not holds([])
    assert not holds([replace(good, client="other")])
    assert not holds([replace(good, restored_ms=240.0)])
    assert not holds([replace(good, event="rotation", restored_ms=None, gap_ms=21.0)])
    assert not holds([good, replace(good, stranded_ms=20.0)])
