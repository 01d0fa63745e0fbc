"""Running tools beside a conversation."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loguru import logger
from pipecat.observers.function_call_observer import FunctionCallObserver
from pydantic import SecretStr

from crossfade.conversation.tools import ToolCall
from crossfade.errors import SettingsError
from crossfade.frames.continuity import SessionContinuedFrame
from crossfade.frames.control import (
    InterruptionFrame,
    StartFrame,
)
from crossfade.frames.tools import (
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    ToolActivityFrame,
    ToolCallsFrame,
    ToolCallTakenBackFrame,
    ToolCancelFrame,
    ToolPhase,
    is_final,
)
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.tool_dispatcher import CLEANUP_S, ToolDispatcher
from crossfade.processors.tools import OnInterruption, Tool, tool
from crossfade.providers import Profile
from crossfade.providers.events import Handover
from tests.clock import run
from tests.processors.chain import Chain, running, settled


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


def finals(chain: Chain) -> list[tuple[str, Any, bool | None]]:
    """The results of what is over, without placeholders and parts."""
    up = chain.first.frames(FunctionCallResultFrame, UPSTREAM)
    return [(f.function_name, f.result, f.run_llm) for f in up if is_final(f)]


def slow_ones(chain: Chain) -> list[tuple[str, tuple[str, ...]]]:
    """The calls of which something may be said, with what."""
    told = chain.first.frames(ToolActivityFrame, UPSTREAM)
    return [(f.function_name, f.phrases) for f in told if f.phase is ToolPhase.SLOW]


def test_parallel_calls_run_at_once_and_only_the_last_result_asks_for_the_answer() -> None:
    async def scenario() -> None:
        tools = [sleeper(n, s, n[0], timeout_ms=5000) for n, s in (("slow", 2), ("quick", 1))]
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


def test_a_call_that_outlasts_its_timeout_runs_on_until_its_deadline() -> None:
    async def scenario() -> None:
        slow = sleeper("slow", 60, "never", timeout_ms=500, deadline_ms=1500, placeholder="Soon.")
        async with running(ToolDispatcher([slow])) as chain:
            await chain.down(calls("slow"))
            await asyncio.sleep(1.4)
            assert results(chain) == [("slow", "Soon.", False)]
            await asyncio.sleep(0.2)
            error = {"error": "slow gave no answer within 1.5 seconds."}
            assert finals(chain) == [("slow", error, True)]

    run(scenario())


def test_a_slow_call_is_told_of_when_it_may_be_acknowledged_and_a_quick_one_is_not() -> None:
    async def scenario() -> None:
        slow = sleeper("slow", 3, "s", acknowledge=("Hold on.",), acknowledge_after_ms=500)
        quick = sleeper("quick", 0.4, "q", acknowledge=("Hold on.",), acknowledge_after_ms=500)
        async with running(ToolDispatcher([slow, quick])) as chain:
            await chain.down(calls("quick", "slow"))
            await asyncio.sleep(0.49)
            assert not slow_ones(chain)
            await asyncio.sleep(0.02)
            assert slow_ones(chain) == [("slow", ("Hold on.",))]

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
            assert told[0] == "There is no tool other. The tools are: tool."
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


@tool
async def gives_up() -> None:
    """Be cancelled by what it waits for."""
    raise asyncio.CancelledError


@tool
async def quits() -> None:
    """Quit."""
    sys.exit(3)


@tool
def quits_its_thread() -> None:
    """Quit."""
    sys.exit(3)


@tool
def stops() -> None:
    """Stop."""
    raise StopIteration


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (gives_up, "CancelledError"),
        (quits, "SystemExit"),
        (quits_its_thread, "StrayExit"),
        (stops, "StrayExit"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_a_tool_raises_ends_its_call_and_nothing_else(broken: Tool, kind: str) -> None:
    async def scenario() -> None:
        async with running(ToolDispatcher([broken, sleeper("look", 0, "seen")])) as chain:
            await chain.down(calls(broken.name))
            await asyncio.sleep(0.5)
            error = {"error": f"{broken.name} failed ({kind})."}
            assert results(chain) == [(broken.name, error, True)]
            await chain.down(calls("look"))
            await asyncio.sleep(0.1)
            assert finals(chain)[1:] == [("look", "seen", True)]
            assert not chain.errors

    run(scenario())


def test_no_log_quotes_the_error_of_a_tool_that_takes_a_secret() -> None:
    @tool
    async def unlock(pin: SecretStr) -> None:
        """Unlock."""
        raise ValueError(f"{pin.get_secret_value()} is wrong")

    @tool
    async def look(city: str) -> None:
        """Look."""
        raise ValueError(f"{city} is too far")

    logged: list[str] = []

    async def scenario() -> None:
        async with running(ToolDispatcher([unlock, look])) as chain:
            await chain.down(calls("unlock", pin="4711-0815"))
            await chain.down(calls("look", city="Oslo"))
            await asyncio.sleep(0.1)
            assert len(results(chain)) == 2

    sink = logger.add(logged.append, level=0)
    try:
        run(scenario())
    finally:
        logger.remove(sink)
    ours = "".join(line for line in logged if "failed" in line)
    assert "4711" not in ours
    assert "the tool unlock failed: ValueError\n" in ours
    assert "the tool look failed: ValueError: Oslo is too far" in ours


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


def test_a_tool_that_ignores_its_end_is_left_behind_and_ends_nothing() -> None:
    released = asyncio.Event()

    @tool
    async def stubborn() -> str:
        """Go on."""
        try:
            await released.wait()
        except asyncio.CancelledError:
            await released.wait()
        return "done"

    async def scenario() -> None:
        async with running(ToolDispatcher([stubborn])) as chain:
            await chain.down(calls("stubborn"))
            await asyncio.sleep(0.1)
            began_s = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began_s < CLEANUP_S + 1
        released.set()
        await settled()

    run(scenario())


def test_a_call_that_is_taken_back_is_cancelled_both_ways_and_has_no_result() -> None:
    async def scenario() -> None:
        async with running(ToolDispatcher([sleeper("slow", 3, "s")])) as chain:
            await chain.down(calls("slow"))
            await asyncio.sleep(0.1)
            await chain.down(ToolCallTakenBackFrame(call_id="call slow"))
            await asyncio.sleep(5)
            for probe in (chain.first, chain.last):
                (cancel,) = probe.frames(ToolCancelFrame)
                assert (cancel.tool_call_id, cancel.tell) == ("call slow", False)
            assert results(chain) == []

    run(scenario())


def test_where_a_call_stands_is_told_both_ways() -> None:
    @tool(acknowledge=("Wait.", "Still."), acknowledge_after_ms=200)
    async def count() -> AsyncIterator[int]:
        """Count."""
        await asyncio.sleep(0.5)
        yield 1

    async def scenario() -> None:
        async with running(ToolDispatcher([count])) as chain:
            await chain.down(calls("count"))
            await asyncio.sleep(1)
            for probe in (chain.first, chain.last):
                told = probe.frames(ToolActivityFrame)
                assert [frame.phase for frame in told] == [
                    ToolPhase.STARTED,
                    ToolPhase.SLOW,
                    ToolPhase.PROGRESS,
                    ToolPhase.ENDED,
                ]
                assert {frame.phrases for frame in told} == {("Wait.", "Still.")}

    run(scenario())


def test_secret_arguments_reach_the_tool_and_no_observer() -> None:
    got: list[str] = []

    @tool
    async def unlock(pin: SecretStr) -> None:
        """Unlock."""
        got.append(pin.get_secret_value())
        raise RuntimeError("no")

    async def scenario() -> None:
        async with running(ToolDispatcher([unlock])) as chain:
            call = ToolCall(id="c", name="unlock", arguments={"pin": "1234"})
            await chain.down(ToolCallsFrame.of("response", (call,), [unlock.declaration]))
            await asyncio.sleep(0.1)
            frames = [frame for frame, _ in (*chain.first.seen, *chain.last.seen)]
            seen = [frame for frame in frames if not isinstance(frame, StartFrame)]
            assert got == ["1234"]
            assert not [frame for frame in seen if "1234" in repr(frame)]
            (result,) = chain.last.frames(FunctionCallResultFrame)
            assert result.arguments == {"pin": "[secret]"}

    run(scenario())


def test_pipecats_own_observer_follows_each_call() -> None:
    slow = sleeper("slow", 2, "s")
    useless = sleeper("useless", 9, "u", on_interruption=OnInterruption.CANCEL)

    async def scenario() -> None:
        observer = FunctionCallObserver()
        seen: list[tuple[str, str]] = []

        @observer.event_handler("on_function_call_event")  # type: ignore[untyped-decorator]
        async def on_event(_observer: Any, event: Any) -> None:
            seen.append((event.function_name, event.kind.value.removeprefix("function_call_")))

        async with running(ToolDispatcher([slow, useless])) as chain:
            chain.worker.add_observer(observer)
            await chain.down(calls("slow", "useless", "unknown"))
            await asyncio.sleep(0.5)
            await chain.down(InterruptionFrame())
            await asyncio.sleep(3)
        names = ("slow", "useless", "unknown")
        assert {name: [kind for who, kind in seen if who == name] for name in names} == {
            "slow": ["started", "in_progress", "completed"],
            "useless": ["started", "in_progress", "cancelled"],
            "unknown": ["started", "in_progress", "failed"],
        }

    run(scenario())


def test_a_session_of_another_kind_has_its_placeholder_spoken_of() -> None:
    async def scenario() -> None:
        waits = Profile(model="m", input_rate_hz=16000, output_rate_hz=24000, tools=True)
        async with running(ToolDispatcher([sleeper("look", 3, "r")])) as chain:
            await chain.down(
                SessionContinuedFrame(
                    why=Handover.FAILOVER, provider="gemini:m", session_id="s", profile=waits
                )
            )
            await chain.down(calls("look"))
            await asyncio.sleep(1.5)
            (placeholder,) = chain.first.frames(FunctionCallResultFrame, UPSTREAM)
            assert (is_final(placeholder), placeholder.run_llm) == (False, True)

    run(scenario())
