"""The conversation as a text model is told it, in the messages that all of pipecat's LLMs take."""

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import orjson
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult

from .tool_results import as_text

RUNS_STILL = "It is still running. Its result will follow; do not call it again."
"""Stands for the result of a call that has none yet."""

_DEFINED = "#/$defs/"
_NONE: frozenset[str] = frozenset()
_Message = dict[str, Any]
_ROLES = {Speaker.USER: "user", Speaker.AGENT: "assistant"}


class DeclaredTool(FunctionSchema):
    """A tool with the whole of its JSON Schema, where the model's adapter takes it.

    Adapters that take the properties alone, as Anthropic's, get them with their `$defs` filled in.
    """

    def __init__(self, declaration: ToolDeclaration) -> None:
        self._schema = declaration.parameters
        super().__init__(
            declaration.name,
            declaration.description,
            _filled_in(self._schema.get("properties") or {}, self._schema.get("$defs") or {}),
            list(self._schema.get("required") or ()),
        )

    def to_default_dict(self) -> dict[str, Any]:
        """The tool as OpenAI has it."""
        schema = {"type": "object", "properties": {}, "required": [], **self._schema}
        return {**super().to_default_dict(), "parameters": schema}


def _filled_in(schema: Any, definitions: Mapping[str, Any], within: frozenset[str] = _NONE) -> Any:
    """A part of a schema with what it refers to in place; of what holds itself, an open end.

    Args:
        schema: The part.
        definitions: The whole schema's `$defs`.
        within: Those that are being filled in.
    """
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        name = reference.removeprefix(_DEFINED) if isinstance(reference, str) else ""
        if name not in definitions:
            return {key: _filled_in(each, definitions, within) for key, each in schema.items()}
        besides = {key: each for key, each in schema.items() if key != "$ref"}
        if name in within:
            return besides
        defined = _filled_in(definitions[name], definitions, within | {name})
        return {**defined, **_filled_in(besides, definitions, within)}
    if isinstance(schema, list | tuple):
        return [_filled_in(each, definitions, within) for each in schema]
    return schema


class ContextBuilder:
    """Makes the context of each request anew from the conversation.

    Args:
        tools: What the model may call.
    """

    def __init__(self, tools: Sequence[ToolDeclaration]) -> None:
        self._tools = ToolsSchema([DeclaredTool(tool) for tool in tools]) if tools else None

    def build(
        self,
        history: Sequence[HistoryItem],
        *,
        parts: Mapping[str, Any] | None = None,
        fresh: Collection[str] = (),
    ) -> LLMContext:
        """Tell a history.

        Args:
            history: As `Conversation.history` gives it.
            parts: What is known so far of calls without a result, by call id.
            fresh: Calls whose results are to be spoken of now; they are told last.
        """
        telling = _Telling(parts or {})
        answered = {item.call_id for item in history if isinstance(item, ToolResult)}
        for item in _fresh_last(history, fresh):
            telling.tell(item)
            if isinstance(item, ToolCall) and item.id not in answered:
                telling.tell_open(item)
        told = cast(list[LLMContextMessage], telling.messages)
        return LLMContext(told) if self._tools is None else LLMContext(told, self._tools)


def _fresh_last(history: Sequence[HistoryItem], fresh: Collection[str]) -> list[HistoryItem]:
    def is_fresh(item: HistoryItem) -> bool:
        match item:
            case ToolCall(id=call_id) | ToolResult(call_id=call_id):
                return call_id in fresh
        return False

    return [item for item in history if not is_fresh(item)] + [
        item for item in history if is_fresh(item)
    ]


class _Telling:
    """Messages being written; the calls of one response are one message."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self.messages: list[_Message] = []
        self._parts = parts
        self._response_id = ""
        self._calls: list[_Message] = []

    def tell(self, item: HistoryItem) -> None:
        match item:
            case ToolCall():
                self._call(item)
                return
            case ToolResult(call_id=call_id, output=output):
                self._result(call_id, as_text(output))
                return
            case Utterance(speaker=speaker, text=text):
                self.messages.append({"role": _ROLES[speaker], "content": text})
            case Notice(text=text):
                self.messages.append({"role": "developer", "content": text})
            case Picture():
                self.messages.append(_picture(item))
        self._response_id = ""

    def tell_open(self, call: ToolCall) -> None:
        """Tell where a call stands that has no result yet."""
        self._result(call.id, as_text(self._parts.get(call.id, RUNS_STILL)))

    def _call(self, call: ToolCall) -> None:
        if not call.response_id or call.response_id != self._response_id:
            self._response_id, self._calls = call.response_id, []
            self.messages.append({"role": "assistant", "tool_calls": self._calls})
        function = {"name": call.name, "arguments": orjson.dumps(dict(call.arguments)).decode()}
        self._calls.append({"id": call.id, "type": "function", "function": function})

    def _result(self, call_id: str, text: str) -> None:
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})


def _picture(picture: Picture) -> _Message:
    data = base64.b64encode(picture.data).decode()
    url = f"data:{picture.media_type};base64,{data}"
    return cast(_Message, LLMContext.create_image_url_message(url=url))


__all__ = ["RUNS_STILL", "ContextBuilder", "DeclaredTool"]
