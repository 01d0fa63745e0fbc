"""Runs the tools the model calls, without freezing the conversation."""

import asyncio
from collections.abc import Sequence
from typing import Any

from loguru import logger

from crossfade.conversation.tools import ToolCall
from crossfade.errors import SettingsError
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    ToolCallsFrame,
)

from .base import DOWNSTREAM, UPSTREAM, FrameDirection, Processor
from .tools import Tool, ToolArgumentsError


class ToolDispatcher(Processor):
    """Runs all calls of a response at once and has them answered with one response.

    Each result goes both ways as soon as it is there; the last of its response asks the model to
    go on (`run_llm`). A call that outlasts its tool's timeout is cancelled and the model is told;
    one that is slow is acknowledged once, if neither side is speaking then. What a tool raises is
    told to the model by kind only, and logged.

    Args:
        tools: The tools, as declared to the session.
    """

    def __init__(self, tools: Sequence[Tool], *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            raise SettingsError("two tools have the same name; give one another with tool(name=…)")
        self._running: set[asyncio.Task[Any]] = set()
        self._user_speaks = False
        self._agent_speaks = False

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case UserStartedSpeakingFrame():
                self._user_speaks = True
            case UserStoppedSpeakingFrame():
                self._user_speaks = False
            case BotStartedSpeakingFrame():
                self._agent_speaks = True
            case BotStoppedSpeakingFrame():
                self._agent_speaks = False

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)
        if isinstance(frame, ToolCallsFrame) and direction is DOWNSTREAM:
            task = self.create_task(
                self._answer(frame.response_id, frame.calls), f"{self.name}::{frame.response_id}"
            )
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        elif isinstance(frame, EndFrame | CancelFrame):
            await self._stop()

    async def cleanup(self) -> None:
        await super().cleanup()
        await self._stop()

    async def _stop(self) -> None:
        for task in tuple(self._running):
            await self.cancel_task(task)

    async def _answer(self, response_id: str, calls: Sequence[ToolCall]) -> None:
        for call in calls:
            await self.broadcast_frame(
                FunctionCallInProgressFrame,
                function_name=call.name,
                tool_call_id=call.id,
                arguments=call.arguments,
                group_id=response_id,
            )
        open_calls = len(calls)
        acknowledge = self._acknowledgement(calls)
        async with asyncio.TaskGroup() as group:
            acknowledging = group.create_task(acknowledge)
            running = [group.create_task(self._run(call)) for call in calls]
            for next_done in asyncio.as_completed(running):
                call, result, error = await next_done
                open_calls -= 1
                if not open_calls:
                    acknowledging.cancel()
                await self.broadcast_frame(
                    FunctionCallResultFrame,
                    function_name=call.name,
                    tool_call_id=call.id,
                    arguments=call.arguments,
                    result=result,
                    run_llm=not open_calls,
                    error=error,
                )

    async def _run(self, call: ToolCall) -> tuple[ToolCall, Any, str | None]:
        """The call with its result and, where it failed, what was wrong."""
        tool = self._tools.get(call.name)
        if tool is None:
            return _failure(call, f"There is no tool {call.name}.")
        if call.unparsed is not None:
            return _failure(call, "The arguments are not a JSON object. Call again with one.")
        try:
            async with asyncio.timeout(tool.timeout_ms / 1000):
                return call, await tool.run(call.arguments), None
        except TimeoutError:
            return _failure(
                call, f"{call.name} gave no answer within {tool.timeout_ms / 1000:g} seconds."
            )
        except ToolArgumentsError as error:
            return _failure(call, str(error))
        except Exception as error:
            logger.opt(exception=error).error(f"the tool {call.name} failed")
            return _failure(call, f"{call.name} failed ({type(error).__name__}).")

    async def _acknowledgement(self, calls: Sequence[ToolCall]) -> None:
        """Say once that it takes a moment, by the first tool that has a phrase for it."""
        slow = [
            (tool.acknowledge_after_ms, call.id, tool.acknowledge)
            for call in calls
            if (tool := self._tools.get(call.name)) and tool.acknowledge
        ]
        if not slow:
            return
        after_ms, call_id, phrase = min(slow, key=lambda entry: entry[0])
        await asyncio.sleep(after_ms / 1000)
        if not self._user_speaks and not self._agent_speaks:
            await self.push_frame(AcknowledgeFrame(call_id=call_id, text=phrase), UPSTREAM)


def _failure(call: ToolCall, text: str) -> tuple[ToolCall, Any, str | None]:
    return call, {"error": text}, text
