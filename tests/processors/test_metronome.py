"""One timer for all calls of a loop."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.processors.metronome import PERIOD_MS, SLOT_S, Metronome, metronome
from tests.clock import run

PERIOD_S = PERIOD_MS / 1000


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_every_member_beats_each_20_ms_first_15_to_20_ms_after_it_joined(
    waits_s: list[float],
) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        beats: list[list[float]] = []

        def join(times: list[float]) -> None:
            metronome().join(lambda: times.append(loop.time()))

        for wait_s in waits_s:
            await asyncio.sleep(wait_s)
            beats.append([loop.time()])
            join(beats[-1])
        await asyncio.sleep(1)
        for joined_s, first_s, *rest in beats:
            assert PERIOD_S - SLOT_S - 1e-6 < first_s - joined_s <= PERIOD_S + 1e-6
            expected = [first_s + PERIOD_S * (n + 1) for n in range(len(rest))]
            assert rest == pytest.approx(expected, abs=1e-6)
            assert len(rest) >= 47

    run(scenario())


def test_ten_minutes_do_not_drift() -> None:
    async def scenario() -> None:
        loop, times = asyncio.get_running_loop(), []
        beat = lambda: times.append(loop.time())  # noqa: E731
        metronome().join(beat)
        await asyncio.sleep(600)
        metronome().leave(beat)
        assert len(times) == pytest.approx(30_000, abs=1)
        assert times[-1] - times[0] == pytest.approx((len(times) - 1) * PERIOD_S, abs=1e-4)

    run(scenario())


def test_without_members_there_is_no_timer_and_all_share_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        armed: list[asyncio.TimerHandle] = []
        call_at = loop.call_at

        def counted(when_s: float, callback: Callable[..., object]) -> asyncio.TimerHandle:
            armed.append(call_at(when_s, callback))
            return armed[-1]

        shared = Metronome(loop)
        monkeypatch.setattr(loop, "call_at", counted, raising=False)
        members = [lambda n=n: None for n in range(100)]
        for member in members:
            shared.join(member)
        assert len([timer for timer in armed if not timer.cancelled()]) == 1
        monkeypatch.undo()
        await asyncio.sleep(0.1)
        for member in members:
            shared.leave(member)
            shared.leave(member)
        await asyncio.sleep(0.1)
        timers = gc.get_referrers(shared)
        assert not [t for t in timers if isinstance(t, asyncio.TimerHandle) and not t.cancelled()]

    run(scenario())


def test_who_leaves_on_a_beat_is_not_called_and_one_who_fails_harms_nobody() -> None:
    async def scenario() -> None:
        loop, shared = asyncio.get_running_loop(), metronome()
        called: list[str] = []
        failures: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: failures.append(context))

        def first() -> None:
            called.append("first")
            shared.leave(second)

        def second() -> None:
            called.append("second")

        def third() -> None:
            raise ValueError("no good")

        def fourth() -> None:
            called.append("fourth")

        for beat in (first, second, third, fourth):
            shared.join(beat)
        await asyncio.sleep(0.025)
        for beat in (first, second, third, fourth):
            shared.leave(beat)
        assert called == ["first", "fourth"]
        assert [str(failure["exception"]) for failure in failures] == ["no good"]

    run(scenario())


def test_a_loop_that_was_busy_calls_each_member_once_for_what_it_missed() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        shared, times = metronome(), []
        beat = lambda: times.append(loop.time())  # noqa: E731
        shared.join(beat)
        await asyncio.sleep(0.021)
        late_s = 0.25
        loop._now_s += late_s  # type: ignore[attr-defined]
        await asyncio.sleep(0.021)
        shared.leave(beat)
        assert len(times) in (2, 3)
        on_grid = (times[-1] - times[0]) / PERIOD_S
        assert len(times) == 2 or on_grid == pytest.approx(round(on_grid), abs=1e-3)

    run(scenario())
