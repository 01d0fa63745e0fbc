"""Running tools beside a conversation."""

import asyncio
from typing import Any

import pytest

from crossfade.conversation.tools import ToolCall
from crossfade.errors import SettingsError
from crossfade.frames.control import BotStartedSpeakingFrame, UserStartedSpeakingFrame
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    ToolCallsFrame,
)
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.tool_dispatcher import ToolDispatcher
from crossfade.processors.tools import Tool, tool
from tests.clock import run
from tests.processors.chain import Chain, running


def sleeper(name: str, seconds: float, result: Any, **policy: Any) -> Tool:
    @tool(name=name, **policy)
    async def sleep(city: str = "Tokyo") -> Any:
        """Sleep."""
        await asyncio.sleep(seconds)
        return result

    return sleep


def calls(*names: str, **arguments: Any) -> ToolCallsFrame:
    return ToolCallsFrame.of(
        "response",
        tuple(
            ToolCall(id=f"call {name}", name=name, arguments=arguments, response_id="response")
            for name in names
        ),
    )


def results(chain: Chain) -> list[tuple[str, Any, bool | None]]:
    up = chain.first.frames(FunctionCallResultFrame, UPSTREAM)
    down = chain.last.frames(FunctionCallResultFrame, DOWNSTREAM)
    assert [f.tool_call_id for f in up] == [f.tool_call_id for f in down]
    return [(f.function_name, f.result, f.run_llm) for f in up]


def test_parallel_calls_run_at_once_and_only_the_last_result_asks_for_the_answer() -> None:
    async def scenario() -> None:
        tools = [sleeper("slow", 2, "s"), sleeper("quick", 1, "q")]
        async with running(ToolDispatcher(tools)) as chain:
            started_s = asyncio.get_running_loop().time()
            await chain.down(calls("slow", "quick"))
            await asyncio.sleep(2.01)
            assert results(chain) == [("quick", "q", False), ("slow", "s", True)]
            assert asyncio.get_running_loop().time() - started_s < 2.1
            assert len(chain.first.frames(FunctionCallInProgressFrame)) == 2

    run(scenario())


@pytest.mark.parametrize("nothing", [{}, "", 0, None, False])
def test_a_falsy_result_is_a_result(nothing: Any) -> None:
    async def scenario() -> None:
        async with running(ToolDispatcher([sleeper("tool", 0, nothing)])) as chain:
            await chain.down(calls("tool"))
            await asyncio.sleep(0.1)
            assert results(chain) == [("tool", nothing, True)]

    run(scenario())


def test_a_call_that_outlasts_its_timeout_is_cancelled_and_the_model_is_told() -> None:
    async def scenario() -> None:
        slow = sleeper("slow", 60, "never", timeout_ms=1500)
        async with running(ToolDispatcher([slow])) as chain:
            await chain.down(calls("slow"))
            await asyncio.sleep(1.6)
            assert results(chain) == [
                ("slow", {"error": "slow gave no answer within 1.5 seconds."}, True)
            ]

    run(scenario())


def test_a_slow_call_is_acknowledged_once_and_a_quick_one_is_not() -> None:
    async def scenario() -> None:
        slow = sleeper("slow", 3, "s", acknowledge="Hold on.", acknowledge_after_ms=500)
        slower = sleeper("slower", 4, "s", acknowledge="Wait.", acknowledge_after_ms=900)
        quick = sleeper("quick", 0.4, "q", acknowledge="Hold on.", acknowledge_after_ms=500)
        async with running(ToolDispatcher([slow, slower, quick])) as chain:
            await chain.down(calls("quick"))
            await asyncio.sleep(2)
            assert not chain.first.frames(AcknowledgeFrame)
            await chain.down(calls("slower", "slow"))
            await asyncio.sleep(0.49)
            assert not chain.first.frames(AcknowledgeFrame)
            await asyncio.sleep(5)
            assert [f.text for f in chain.first.frames(AcknowledgeFrame)] == ["Hold on."]

    run(scenario())


@pytest.mark.parametrize("speaking", [UserStartedSpeakingFrame, BotStartedSpeakingFrame])
def test_nothing_is_acknowledged_while_somebody_speaks(speaking: Any) -> None:
    async def scenario() -> None:
        slow = sleeper("slow", 3, "s", acknowledge="Hold on.")
        async with running(ToolDispatcher([slow])) as chain:
            await chain.down(speaking())
            await chain.down(calls("slow"))
            await asyncio.sleep(4)
            assert not chain.first.frames(AcknowledgeFrame)

    run(scenario())


def test_unknown_tools_and_bad_arguments_are_told_to_the_model() -> None:
    async def scenario() -> None:
        unparsed = ToolCall(id="call", name="tool", arguments={}, unparsed="{")
        async with running(ToolDispatcher([sleeper("tool", 0, "r")])) as chain:
            await chain.down(calls("other"))
            await chain.down(calls("tool", town="Tokyo"))
            await chain.down(ToolCallsFrame.of("response", (unparsed,)))
            await asyncio.sleep(0.1)
            told = [result["error"] for _, result, _ in results(chain)]
            assert told[0] == "There is no tool other."
            assert "town: Extra inputs are not permitted" in told[1]
            assert "not a JSON object" in told[2]

    run(scenario())


def test_what_a_tool_raises_is_told_by_its_kind_only() -> None:
    @tool
    async def broken() -> None:
        """Break."""
        raise ConnectionError("secret-token-123")

    async def scenario() -> None:
        async with running(ToolDispatcher([broken])) as chain:
            await chain.down(calls("broken"))
            await asyncio.sleep(0.1)
            assert results(chain) == [
                ("broken", {"error": "broken failed (ConnectionError)."}, True)
            ]

    run(scenario())


def test_a_call_that_runs_at_the_end_is_cancelled() -> None:
    cancelled = False

    @tool
    async def endless() -> None:
        """Never end."""
        nonlocal cancelled
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            cancelled = True
            raise

    async def scenario() -> None:
        async with running(ToolDispatcher([endless])) as chain:
            await chain.down(calls("endless"))
            await asyncio.sleep(0.1)
        assert cancelled

    run(scenario())


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="same name"):
        ToolDispatcher([sleeper("a", 0, 0), sleeper("a", 0, 0)])
