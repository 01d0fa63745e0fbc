"""Calls begin one after the other."""

import asyncio
import time
from itertools import pairwise

import pytest

from crossfade.pipelines.serve_admission import EVERY_S, LONGEST_S, Admission
from tests.clock import run


async def admitted(admission: Admission, name: str, order: list[tuple[str, float]]) -> None:
    await admission.turn(new=name.startswith("new"))
    order.append((name, asyncio.get_running_loop().time()))


def test_a_call_alone_waits_for_nothing() -> None:
    async def scenario() -> None:
        loop, admission = asyncio.get_running_loop(), Admission()
        for _ in range(2):
            before_s = loop.time()
            await admission.turn(new=True)
            assert loop.time() == before_s
            await asyncio.sleep(1)

    run(scenario())


def test_of_many_at_once_one_begins_in_each_20_ms_and_those_that_go_on_are_first() -> None:
    async def scenario() -> None:
        admission, order = Admission(), list[tuple[str, float]]()
        names = [*(f"new {n}" for n in range(50)), *(f"old {n}" for n in range(50))]
        await asyncio.gather(*(admitted(admission, name, order) for name in names))
        expected = ["new 0", *(f"old {n}" for n in range(50)), *(f"new {n}" for n in range(1, 50))]
        assert [name for name, _ in order] == expected
        moments = [at_s for _, at_s in order]
        apart_s = [after - before for before, after in pairwise(moments)]
        assert min(apart_s) == pytest.approx(EVERY_S)
        assert max(apart_s) == pytest.approx(EVERY_S)

    run(scenario())


def test_who_gives_up_costs_the_others_no_turn() -> None:
    async def scenario() -> None:
        loop, admission, order = asyncio.get_running_loop(), Admission(), list[tuple[str, float]]()
        tasks = [asyncio.create_task(admitted(admission, f"new {n}", order)) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[1:19]:
            task.cancel()
        started_s = loop.time()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [name for name, _ in order] == ["new 0", "new 19"]
        assert loop.time() - started_s == pytest.approx(EVERY_S)

    run(scenario())


def test_a_loop_that_is_late_puts_calls_off_but_not_for_ever() -> None:
    async def scenario() -> None:
        loop, admission, order = asyncio.get_running_loop(), Admission(), list[tuple[str, float]]()
        tasks = [asyncio.create_task(admitted(admission, f"new {n}", order)) for n in range(3)]
        busy = True

        def work() -> None:
            # The loop has no time for anything else, in each of its turns.
            time.sleep(0.03)
            if busy:
                loop.call_soon(work)

        await asyncio.sleep(0)
        work()
        await tasks[-1]
        busy = False
        moments = [at_s for _, at_s in order]
        for before, after in pairwise(moments):
            assert LONGEST_S < after - before < LONGEST_S + EVERY_S + 0.15

    asyncio.run(scenario())
