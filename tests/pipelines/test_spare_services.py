import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import ProviderFault
from crossfade.pipelines.cascaded_settings import CascadedSettings
from crossfade.pipelines.spare_services import MOST_KEPT, SpareServices
from tests.clock import run

SETTINGS = CascadedSettings(llm="embedded")
TOOL = ToolDeclaration(name="look", description="Look.", parameters={"type": "object"})
COMES_UP_S = 3.0


class Factory:
    """Makes services, which are numbers, in some seconds."""

    def __init__(self) -> None:
        self.made = 0
        self.alive: set[int] = set()
        self.fails = False

    @contextlib.asynccontextmanager
    async def make(
        self, settings: CascadedSettings, tools: Sequence[ToolDeclaration]
    ) -> AsyncIterator[Any]:
        await asyncio.sleep(COMES_UP_S)
        if self.fails:
            raise ProviderFault("The recogniser does not start.")
        self.made += 1
        number = self.made
        self.alive.add(number)
        try:
            yield number, settings.voice
        finally:
            self.alive.discard(number)


async def took_s(context: Any, stack: contextlib.AsyncExitStack) -> tuple[int, float]:
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    number, _ = await stack.enter_async_context(context)
    return number, loop.time() - before_s


def test_a_call_that_needs_them_has_them_at_once_and_the_next_one_too() -> None:
    async def scenario() -> None:
        factory = Factory()
        async with SpareServices(factory.make) as spares, contextlib.AsyncExitStack() as calls:
            find = spares.expect(SETTINGS, [TOOL])
            spares.expect(SETTINGS.model_copy(update={"instructions": "Be kind."}), [TOOL])
            await asyncio.sleep(COMES_UP_S + 0.1)
            assert factory.made == 1
            assert await took_s(find(), calls) == (1, 0)
            await asyncio.sleep(10)
            assert await took_s(find(), calls) == (2, 0)
            # Two at the same moment: one of them waits as ever.
            assert await took_s(find(), calls) == (3, COMES_UP_S)
            await calls.aclose()
            assert factory.alive == set()
            await asyncio.sleep(10)
            assert factory.alive == {4}
        assert factory.alive == set()

    run(scenario())


def test_one_that_is_coming_up_is_waited_for_and_a_call_that_gives_up_leaves_nothing() -> None:
    async def scenario() -> None:
        factory = Factory()
        async with SpareServices(factory.make) as spares, contextlib.AsyncExitStack() as calls:
            find = spares.expect(SETTINGS, [])
            await asyncio.sleep(1)
            assert await took_s(find(), calls) == (1, COMES_UP_S - 1)
            await asyncio.sleep(4)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(took_s(find(), calls), 0.5)
            assert factory.alive == {1}
        assert factory.alive == set()

    run(scenario())


def test_those_of_other_tools_are_not_handed_out_and_only_the_last_wanted_are_kept() -> None:
    async def scenario() -> None:
        factory = Factory()
        async with SpareServices(factory.make) as spares, contextlib.AsyncExitStack() as calls:
            first = spares.expect(SETTINGS, [])
            others = [
                spares.expect(SETTINGS.model_copy(update={"voice": str(number)}), [TOOL])
                for number in range(MOST_KEPT)
            ]
            await asyncio.sleep(COMES_UP_S + 1)
            assert len(factory.alive) == MOST_KEPT
            assert (await took_s(first(), calls))[1] == COMES_UP_S
            for number, find in enumerate(others):
                async with find() as (_, voice):
                    assert voice == str(number)

    run(scenario())


def test_where_none_can_be_had_the_call_that_needs_them_is_told_and_tries_anew() -> None:
    async def scenario() -> None:
        factory = Factory()
        factory.fails = True
        async with SpareServices(factory.make) as spares, contextlib.AsyncExitStack() as calls:
            find = spares.expect(SETTINGS, [])
            await asyncio.sleep(1)
            with pytest.raises(ProviderFault, match="does not start"):
                await took_s(find(), calls)
            await asyncio.sleep(20)
            factory.fails = False
            assert await took_s(find(), calls) == (1, COMES_UP_S)

    run(scenario())
