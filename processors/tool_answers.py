"""Results of tools in the form that a session understands. Pure."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.frames.tools import FunctionCallResultFrame, ToolCancelFrame, is_final
from crossfade.providers.commands import Delivery, Respond, SendText, SendToolResult
from crossfade.providers.profiles import Profile

from .tool_actions import ToolWire
from .tool_results import as_text, sayable

Request = SendToolResult | SendText | Respond

# Far more than are open at a time; the oldest are taken for answered.
_MOST_CALLS = 512


def tool_wire(profile: Profile) -> ToolWire:
    """How a model takes answers."""
    if not profile.async_tools:
        return ToolWire.WAITS
    return ToolWire.PARTS if profile.partial_tool_results else ToolWire.ONCE


@dataclass(slots=True, kw_only=True)
class _Call:
    asked: str
    """Its tool and its arguments, as logs may hold them."""
    name: str
    wire: ToolWire
    closed: bool = False
    """It cannot be answered in this session: it was answered already, or made in an earlier one.
    What comes of it is told as text."""


class ToolAnswers:
    """The calls of one conversation that are not over, and how each is answered.

    Args:
        profile: What the session's model can do.
        tools: What is declared to it.
    """

    def __init__(self, profile: Profile, tools: Sequence[ToolDeclaration]) -> None:
        self._wire = tool_wire(profile)
        self._tools = {tool.name: tool for tool in tools}
        self._calls: OrderedDict[str, _Call] = OrderedDict()

    def called(self, calls: Sequence[ToolCall]) -> None:
        """The session's model made calls."""
        for call in calls:
            tool = self._tools.get(call.name)
            shown = call if tool is None else tool.shown(call)
            self._calls[call.id] = self._new(call.name, shown.arguments)
        while len(self._calls) > _MOST_CALLS:
            self._calls.popitem(last=False)

    def succeed(
        self, profile: Profile, tools: Sequence[ToolDeclaration], *, open_calls: bool
    ) -> None:
        """Another session takes the conversation over.

        Args:
            profile: What its model can do.
            tools: What is declared to it.
            open_calls: Whether it knows the open calls of the earlier one, and awaits them.
        """
        self._wire = tool_wire(profile)
        self._tools = {tool.name: tool for tool in tools}
        for call in self._calls.values():
            call.wire = self._wire_of(call.name)
            call.closed |= not open_calls

    def result(self, frame: FunctionCallResultFrame) -> list[Request]:
        """Give a result, a part of it or its placeholder to the session."""
        call_id, final, ask = frame.tool_call_id, is_final(frame), bool(frame.run_llm)
        call = self._calls.get(call_id) or self._new(frame.function_name, frame.arguments)
        if final:
            self._calls.pop(call_id, None)
        if call.closed:
            words = _as_words(call, frame, final=final)
            return [SendText(text=words, respond=ask, call_id=call_id)]
        error = frame.error
        output = ToolResult(
            call_id=call_id,
            output=sayable(frame.result if error is None else error),
            is_error=error is not None,
        )
        # Who waits is answered once, by whatever comes first.
        call.closed = call.wire is ToolWire.WAITS
        # Only who takes parts can be told to keep silent.
        silent = call.wire is ToolWire.PARTS and not ask
        answer = SendToolResult(
            result=output,
            final=final or call.closed,
            delivery=Delivery.SILENT if silent else Delivery.WHEN_IDLE,
        )
        return [answer, Respond()] if ask else [answer]

    def cancelled(self, frame: ToolCancelFrame) -> list[Request]:
        """Tell the session that a call has no result, and have it speak of the others."""
        call_id, ask = frame.tool_call_id, bool(frame.run_llm)
        call = self._calls.pop(call_id, None) or self._new(frame.function_name, {})
        if not frame.tell:
            # Asked without a word, not every model speaks of results that it was told silently.
            words = f"[The tool call {call.asked} of before was taken back. Go on without it.]"
            return [SendText(text=words, respond=True)] if ask else []
        if call.closed:
            words = f"[The tool call {call.asked} of before was cancelled: {frame.reason}]"
            return [SendText(text=words, respond=ask, call_id=call_id)]
        output = ToolResult(call_id=call_id, output=frame.reason, is_error=True)
        silent = call.wire is ToolWire.PARTS and not ask
        delivery = Delivery.SILENT if silent else Delivery.WHEN_IDLE
        answer = SendToolResult(result=output, delivery=delivery)
        return [answer, Respond()] if ask else [answer]

    def _new(self, name: str, arguments: Mapping[str, Any]) -> _Call:
        asked = f"{name}({as_text(dict(arguments))})"
        return _Call(asked=asked, name=name, wire=self._wire_of(name))

    def _wire_of(self, name: str) -> ToolWire:
        tool = self._tools.get(name)
        return ToolWire.WAITS if tool is not None and tool.blocking else self._wire


def _as_words(call: _Call, frame: FunctionCallResultFrame, *, final: bool) -> str:
    """What a call gave, for a model that cannot be answered any more."""
    if frame.error is not None:
        return f"[The tool call {call.asked} of before failed: {as_text(frame.error)}]"
    what = "has its result now" if final else "is at this now, and runs on"
    return f"[The tool call {call.asked} of before {what}: {as_text(frame.result)}]"


__all__ = ["Request", "ToolAnswers", "tool_wire"]
