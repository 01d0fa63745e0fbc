"""Runs the tools the model calls, without freezing the conversation."""

import asyncio
import functools
import traceback
from collections import deque
from collections.abc import Sequence
from typing import Any

from loguru import logger

from crossfade.errors import SettingsError
from crossfade.frames.continuity import NodeSwitchedFrame, SessionContinuedFrame
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.tools import (
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    ToolActivityFrame,
    ToolCallsFrame,
    ToolCallTakenBackFrame,
    ToolCancelFrame,
)

from .base import DOWNSTREAM, FrameDirection, Processor
from .tool_actions import Action, Begin, Cancel, Drop, Note, Run, Stop, Tell, ToolWire
from .tool_answers import tool_wire
from .tool_calls import ToolCalls
from .tool_floor import UserSound
from .tool_policy import OnInterruption
from .tool_threads import TooManyThreads
from .tools import Tool, ToolArgumentsError

CLEANUP_S = 2.0
"""How long tools may clean up when the conversation ends; what takes longer is left behind."""
_SOUNDS: dict[type[Frame], UserSound] = {
    VADUserStartedSpeakingFrame: UserSound.BEGAN,
    SpeechConfirmedFrame: UserSound.CONFIRMED,
    SpeechDroppedFrame: UserSound.DROPPED,
    VADUserStoppedSpeakingFrame: UserSound.ENDED,
}


class ToolDispatcher(Processor):
    """Has each call of a tool answered once, whatever the tool does.

    What is done and when is decided by `ToolCalls`; here are the tasks, timers and frames. All
    calls of a response run at once; results go both ways as FunctionCallResultFrame, and the one
    with `run_llm` has the model speak of all. Placeholders and parts of results go the same way,
    marked as not final. A cancelled call is a ToolCancelFrame instead. ToolActivityFrame tells
    where each call stands; from that an Acknowledger fills the silence. What a tool raises is told
    to the model by kind only, and logged.

    Args:
        tools: The tools, as declared to the session.
        wire: How the model takes answers.
    """

    hears = (
        ToolCallsFrame,
        ToolCallTakenBackFrame,
        ResponseStartFrame,
        ResponseEndFrame,
        InterruptionFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        BotStartedSpeakingFrame,
        BotStoppedSpeakingFrame,
        SessionContinuedFrame,
        NodeSwitchedFrame,
        *_SOUNDS,
    )
    passes_on = (InterruptionFrame,)

    def __init__(
        self,
        tools: Sequence[Tool],
        *,
        wire: ToolWire = ToolWire.PARTS,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        by_name = {tool.name: tool for tool in tools}
        if len(by_name) != len(tools):
            raise SettingsError("two tools have the same name; give one another with tool(name=…)")
        self._calls = ToolCalls(by_name, wire)
        self._actions: deque[Action] = deque()
        self._acting = False
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        calls, now_ms = self._calls, self._now_ms()
        match frame:
            case ToolCallsFrame() if direction is DOWNSTREAM:
                self._decided(calls.called(frame.calls, now_ms))
            case ToolCallTakenBackFrame():
                self._decided(calls.taken_back(frame.call_id, now_ms))
            case ResponseStartFrame() if not frame.injected:
                self._decided(calls.response_started(frame.response_id, now_ms))
            case ResponseEndFrame():
                self._decided(calls.response_ended(frame.response_id, now_ms))
            case UserStartedSpeakingFrame() | UserStoppedSpeakingFrame():
                speaks = isinstance(frame, UserStartedSpeakingFrame)
                self._decided(calls.user_speaks(speaks, now_ms))
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                speaks = isinstance(frame, BotStartedSpeakingFrame)
                self._decided(calls.agent_speaks(speaks, now_ms))
            case InterruptionFrame():
                self._decided(calls.interrupted(now_ms))
            case SessionContinuedFrame():
                calls.succeeded(tool_wire(frame.profile), open_calls=frame.open_calls)
            case NodeSwitchedFrame(profile=profile):
                wire = ToolWire.PARTS if profile is None else tool_wire(profile)
                calls.succeeded(wire, open_calls=frame.open_calls)
            case EndFrame() | CancelFrame():
                self._decided(calls.hung_up())
            case _ if sound := _SOUNDS.get(type(frame)):
                self._decided(calls.user_sounds(sound, now_ms))

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        ends = isinstance(frame, EndFrame | CancelFrame)
        if ends:
            await self._act()
        await self.push_frame(frame, direction)
        await self._act()
        if ends:
            await self._stop()

    async def cleanup(self) -> None:
        await super().cleanup()
        self._decided(self._calls.hung_up())
        await self._stop()

    def _now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    # From decisions to tasks and frames

    def _decided(self, actions: Sequence[Action]) -> None:
        self._actions += actions
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at_ms := self._calls.wake_at_ms) is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(wake_at_ms / 1000, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._decided(self._calls.wake(self._now_ms()))
        self._act_soon()

    def _act_soon(self) -> None:
        if self._actions and not self._acting:
            self.create_task(self._act(), f"{self.name}::due")

    async def _act(self) -> None:
        """Do what was decided, in the order of the decisions, whoever is doing so already."""
        if self._acting:
            return
        self._acting = True
        try:
            while self._actions:
                await self._do(self._actions.popleft())
        finally:
            self._acting = False

    async def _do(self, action: Action) -> None:
        match action:
            case Begin():
                await self._begin(action)
            case Run():
                self._tasks[action.run_id] = self.create_task(
                    self._run(action), f"{self.name}::{action.tool.name}"
                )
            case Stop():
                if task := self._tasks.get(action.run_id):
                    task.cancel()
            case Tell():
                await self._tell(action)
            case Cancel():
                await self.broadcast_frame(
                    ToolCancelFrame,
                    function_name=action.call.name,
                    tool_call_id=action.call.id,
                    run_llm=action.ask,
                    reason=action.reason,
                    tell=action.tell,
                )
            case Note():
                await self._publish(action)
            case Drop():
                logger.info(f"dropped the result of the tool {action.name}: {action.why}")

    async def _begin(self, action: Begin) -> None:
        call, tool = action.call, action.tool
        cancels = tool is not None and tool.policy.on_interruption is OnInterruption.CANCEL
        shown = call if tool is None else tool.declaration.shown(call)
        await self.broadcast_frame(
            FunctionCallInProgressFrame,
            function_name=call.name,
            tool_call_id=call.id,
            arguments=shown.arguments,
            cancel_on_interruption=cancels,
            group_id=call.response_id or None,
        )

    async def _tell(self, action: Tell) -> None:
        call, tool = action.call, action.tool
        shown = call if tool is None else tool.declaration.shown(call)
        properties = None if action.final else FunctionCallResultProperties(is_final=False)
        await self.broadcast_frame(
            FunctionCallResultFrame,
            function_name=call.name,
            tool_call_id=call.id,
            arguments=shown.arguments,
            result=action.output if action.error is None else {"error": action.error},
            run_llm=action.ask,
            properties=properties,
            error=action.error,
        )

    async def _publish(self, note: Note) -> None:
        await self.broadcast_frame(
            ToolActivityFrame,
            call_id=note.call.id,
            function_name=note.call.name,
            phase=note.phase,
            response_id=note.call.response_id,
            phrases=note.phrases,
        )

    # The tools

    async def _run(self, run: Run) -> None:
        """Run a tool once, and have what came of it decided upon."""
        name = run.tool.name
        try:
            if run.after_ms:
                await asyncio.sleep(run.after_ms / 1000)
            on_part = functools.partial(self._part, run.run_id)
            output = await run.tool.run(run.arguments, on_part)
        except asyncio.CancelledError as error:
            if not _is_cancelled():
                # What the tool waited for was cancelled, and not the tool.
                self._broke(run, error)
            else:
                self._forget(run.run_id)
                self._decided(self._calls.stopped(run.run_id, self._now_ms()))
                self._act_soon()
                raise
        except ToolArgumentsError as error:
            self._failed(run, str(error), hopeless=True)
        except TooManyThreads:
            self._failed(run, f"{name} is busy with other calls. Try again in a while.")
        except (Exception, SystemExit) as error:
            self._broke(run, error)
        else:
            self._forget(run.run_id)
            self._decided(self._calls.returned(run.run_id, output, self._now_ms()))
        await self._act()

    def _part(self, run_id: int, value: Any) -> None:
        self._decided(self._calls.part(run_id, value, self._now_ms()))
        self._act_soon()

    def _broke(self, run: Run, error: BaseException) -> None:
        """A tool raised what is not meant for the model."""
        name, kind = run.tool.name, type(error).__name__
        # Not with the logger's own traceback: that may print the values of secret arguments. And
        # an error's own words may quote them.
        said = "" if run.tool.declaration.secrets else f": {error}"
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error(f"the tool {name} failed: {kind}{said}\n{where}")
        self._failed(run, f"{name} failed ({kind}).")

    def _failed(self, run: Run, why: str, *, hopeless: bool = False) -> None:
        self._forget(run.run_id)
        failed = self._calls.failed(run.run_id, why, self._now_ms(), hopeless=hopeless)
        self._decided(failed)

    def _forget(self, run_id: int) -> None:
        # A run that is begun again has another task by then.
        if self._tasks.get(run_id) is asyncio.current_task():
            del self._tasks[run_id]

    async def _stop(self) -> None:
        """Wait for the tools to clean up, but not for ever."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=CLEANUP_S)
        for task in left:
            logger.warning(f"{task.get_name()} goes on although it was cancelled; it is left alone")


def _is_cancelled() -> bool:
    """Whether somebody cancelled this very task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
