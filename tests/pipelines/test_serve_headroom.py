"""Whether there is time for another call."""

import asyncio
import time

import pytest

from crossfade.pipelines.serve_headroom import WINDOW_S, Headroom, Meter, Second
from tests.clock import run


def after(*seconds: tuple[float, float, float], busy_at: float = 0.85) -> Headroom:
    headroom = Headroom(busy_at)
    for cpu, late, calls in seconds:
        headroom.note(Second(cpu=cpu, late=late, calls=calls))
    return headroom


def test_a_process_that_knows_nothing_yet_takes_calls() -> None:
    assert not Headroom(0.85).busy(0)
    assert not Headroom(0.85).busy(50)


def test_what_the_next_call_will_take_counts() -> None:
    headroom = after(*[(0.82, 0, 82)] * WINDOW_S)
    assert not headroom.busy(82)
    assert after(*[(0.82, 0, 82)] * WINDOW_S).busy(85)


def test_calls_that_have_just_begun_count_before_they_are_measured() -> None:
    headroom = after(*[(0.4, 0, 40)] * WINDOW_S)
    assert not headroom.busy(70)
    assert headroom.busy(90)


def test_late_beats_count_whoever_has_the_core() -> None:
    assert not after(*[(0.3, 0.15, 20)] * WINDOW_S).busy(20)
    assert after(*[(0.3, 0.3, 20)] * WINDOW_S).busy(20)
    # One bad second is none.
    assert not after((0.3, 0.5, 20), (0.3, 0, 20), (0.3, 0, 20)).busy(20)
    assert not after((0.3, 1.0, 20)).busy(20)


def test_who_was_busy_takes_calls_again_when_it_is_well_below() -> None:
    headroom = after(*[(0.9, 0, 90)] * WINDOW_S)
    assert headroom.busy(90)
    for _ in range(WINDOW_S):
        headroom.note(Second(cpu=0.8, late=0, calls=80))
    assert headroom.busy(80)
    for _ in range(WINDOW_S):
        headroom.note(Second(cpu=0.7, late=0, calls=70))
    assert not headroom.busy(70)


def test_where_nobody_is_in_a_call_nobody_can_be_disturbed() -> None:
    assert not after(*[(1.0, 1.0, 0)] * WINDOW_S).busy(0)


def test_who_wants_no_limit_has_none() -> None:
    assert not after(*[(1.0, 1.0, 50)] * WINDOW_S, busy_at=0).busy(50)


def test_the_process_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop, stood_s = asyncio.get_running_loop(), 0.0
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + stood_s)
        monkeypatch.setattr(time, "process_time", lambda: now() / 2)
        headroom = Headroom(0.85)
        with Meter(headroom) as meter:
            meter.runs(10)
            await asyncio.sleep(4.5)
            assert headroom.cpu == pytest.approx(0.5, abs=0.02)
            assert headroom.late == 0
            assert headroom.expected(10) == pytest.approx(0.5, abs=0.02)
            # The loop stands still for as long as it runs.
            for _ in range(9):
                await asyncio.sleep(0.5)
                stood_s += 0.5
            assert headroom.late == pytest.approx(0.5, abs=0.1)

    run(scenario())
