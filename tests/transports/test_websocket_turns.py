"""Much sound at once is heard in many turns of the loop, each caller's in order."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.transports.websocket_turns import PIECES_A_TURN, SoundTurns
from tests.clock import run


class Caller:
    """Sound that came at once, and in which turn of the loop each piece was heard."""

    def __init__(self, turns: SoundTurns, frames: int, now: list[int]) -> None:
        self.heard_in: list[int] = []
        self._now, self._left = now, frames
        while self._left and turns.room(self._step):
            self._step()
        if self._left:
            turns.wait(self._step)

    def _step(self) -> bool:
        self._left -= 1
        self.heard_in.append(self._now[0])
        return bool(self._left)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=12))
def test_no_turn_has_more_than_its_share_and_nobody_waits_for_another_to_finish(
    frames: list[int],
) -> None:
    async def scenario() -> None:
        now = [0]
        turns = SoundTurns(asyncio.get_running_loop())
        callers = [Caller(turns, count, now) for count in frames]
        while any(len(c.heard_in) < count for c, count in zip(callers, frames, strict=True)):
            now[0] += 1
            await asyncio.sleep(0)
        heard = [turn for caller in callers for turn in caller.heard_in]
        assert len(heard) == sum(frames)
        assert all(heard.count(turn) <= PIECES_A_TURN for turn in set(heard))
        assert all(max(map(c.heard_in.count, c.heard_in), default=0) <= 1 for c in callers)
        waited = [c.heard_in for c in callers if len(set(c.heard_in)) > 1]
        for caller in waited:
            gaps = [b - a for a, b in pairwise(caller)]
            assert max(gaps) <= 2

    run(scenario())


def test_who_is_in_time_is_heard_at_once() -> None:
    async def scenario() -> None:
        now = [0]
        turns = SoundTurns(asyncio.get_running_loop())
        for turn in range(50):
            now[0] = turn
            for _ in range(PIECES_A_TURN):
                assert Caller(turns, 1, now).heard_in == [turn]
            await asyncio.sleep(0)

    run(scenario())


def test_a_turn_is_asked_for_only_where_it_is_soon_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        asked: list[Callable[..., object]] = []
        turns = SoundTurns(loop)
        monkeypatch.setattr(loop, "call_soon", asked.append)
        for number in range(PIECES_A_TURN // 2 - 1):
            assert Caller(turns, 1, [number]).heard_in == [number]
        assert not asked
        for number in range(3):
            assert Caller(turns, 1, [number]).heard_in == [number]
        assert len(asked) == 1
        monkeypatch.undo()

    run(scenario())


def test_who_has_left_may_come_again() -> None:
    async def scenario() -> None:
        turns = SoundTurns(asyncio.get_running_loop())
        step = lambda: False  # noqa: E731
        assert turns.room(step)
        assert not turns.room(step)
        turns.leave(step)
        assert turns.room(step)

    run(scenario())
