"""Tool calls, their results and what is said meanwhile."""

from dataclasses import dataclass

from pipecat.frames.frames import (
    FunctionCallFromLLM,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    SystemFrame,
)

from crossfade.conversation.tools import ToolCall


@dataclass
class ToolCallsFrame(FunctionCallsStartedFrame):
    """All the calls of one response, to be run at once and answered together. Flows downstream."""

    response_id: str = ""
    calls: tuple[ToolCall, ...] = ()

    @classmethod
    def of(cls, response_id: str, calls: tuple[ToolCall, ...]) -> "ToolCallsFrame":
        """Fill pipecat's own list of calls beside ours, for its observers."""
        listed = [
            FunctionCallFromLLM(
                function_name=call.name,
                tool_call_id=call.id,
                arguments=call.arguments,
                context=None,
            )
            for call in calls
        ]
        return cls(function_calls=listed, response_id=response_id, calls=calls)


@dataclass
class AcknowledgeFrame(SystemFrame):
    """Asks the speech node to say a phrase while a tool runs. Flows upstream to the node.

    The phrase stands outside the conversation: the model does not read it back.
    """

    call_id: str
    text: str


__all__ = [
    "AcknowledgeFrame",
    "FunctionCallFromLLM",
    "FunctionCallInProgressFrame",
    "FunctionCallResultFrame",
    "FunctionCallsStartedFrame",
    "ToolCallsFrame",
]
