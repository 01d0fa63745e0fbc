"""Tool calls, their results and what is said meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from pipecat.frames.frames import (
    FunctionCallCancelFrame,
    FunctionCallFromLLM,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    FunctionCallsStartedFrame,
    SystemFrame,
)

from crossfade.conversation.tools import ToolCall, ToolDeclaration


@dataclass
class ToolCallsFrame(FunctionCallsStartedFrame):
    """All the calls of one response, to be run at once and answered together. Flows downstream."""

    response_id: str = ""
    calls: tuple[ToolCall, ...] = field(default=(), repr=False)
    """As the model made them, secrets included: for whoever runs them, and for nobody else."""
    shown: tuple[ToolCall, ...] = ()
    """As logs and transcripts may hold them."""

    @classmethod
    def of(
        cls,
        response_id: str,
        calls: tuple[ToolCall, ...],
        tools: Sequence[ToolDeclaration] = (),
    ) -> "ToolCallsFrame":
        """Fill pipecat's own list of calls beside ours, for its observers.

        Args:
            response_id: The response that made them.
            calls: The calls.
            tools: Those that are declared, which know what is secret.
        """
        declared = {tool.name: tool for tool in tools}
        shown = tuple(
            declared[call.name].shown(call) if call.name in declared else call for call in calls
        )
        listed = [
            FunctionCallFromLLM(
                function_name=call.name,
                tool_call_id=call.id,
                arguments=call.arguments,
                context=None,
            )
            for call in shown
        ]
        return cls(function_calls=listed, response_id=response_id, calls=calls, shown=shown)


@dataclass
class ToolCallTakenBackFrame(SystemFrame):
    """The provider takes a call back: it must not be answered any more. Flows downstream."""

    call_id: str


@dataclass
class ToolCancelFrame(FunctionCallCancelFrame):
    """A call was cancelled. Sent both ways by the dispatcher; no result of it follows."""

    reason: str = ""
    """In words for the model and the transcript."""
    tell: bool = False
    """Whether the model still waits for an answer and is to be told; it speaks of it only when
    asked, unless `run_llm` says otherwise."""


class ToolPhase(Enum):
    """Where a call stands."""

    STARTED = "started"
    SLOW = "slow"
    """It takes longer than its tool's `acknowledge_after_ms`. Told once a call."""
    PROGRESS = "progress"
    """A part of its result came."""
    ENDED = "ended"
    """It has its result, failed or was cancelled."""


@dataclass
class ToolActivityFrame(SystemFrame):
    """A call moved on: for whoever fills the silence while it runs. Sent both ways."""

    call_id: str
    function_name: str
    phase: ToolPhase
    response_id: str = ""
    phrases: tuple[str, ...] = ()
    """What may be said meanwhile; none where nothing shall be."""


@dataclass
class AcknowledgeFrame(SystemFrame):
    """Asks the speech node to say a phrase while a tool runs. Flows upstream to the node.

    Downstream it only tells: the phrase is being said already. It stands outside the conversation:
    the model does not read it back.
    """

    call_id: str
    text: str


def is_final(frame: FunctionCallResultFrame) -> bool:
    """Whether it ends its call; else it is a placeholder or a part, and the call runs on."""
    return frame.properties is None or frame.properties.is_final


__all__ = [
    "AcknowledgeFrame",
    "FunctionCallCancelFrame",
    "FunctionCallFromLLM",
    "FunctionCallInProgressFrame",
    "FunctionCallResultFrame",
    "FunctionCallResultProperties",
    "FunctionCallsStartedFrame",
    "ToolActivityFrame",
    "ToolCallTakenBackFrame",
    "ToolCallsFrame",
    "ToolCancelFrame",
    "ToolPhase",
    "is_final",
]
