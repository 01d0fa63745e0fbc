"""Tools that give what they gave in a captured call."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any

from crossfade.errors import CrossfadeError
from crossfade.observability.capture_file import CapturedCall, Record
from crossfade.processors.tool_arguments import ToolArgumentsError
from crossfade.processors.tools import Tool

from .capture_call import captured_tool
from .capture_tools import BEGAN, FAILED, PART

_Key = tuple[str, int]


class ReplayedTools:
    """Gives out results as they become due.

    Args:
        call: The captured call.
        tools: How the tools are declared now; None takes them from the capture.
    """

    def __init__(self, call: CapturedCall, tools: Sequence[Tool] | None = None) -> None:
        records = list(call.of("tool"))
        self._known = {_key(record) for record in records if record.fields["event"] == BEGAN}
        self._in_parts = {r.fields["name"] for r in records if r.fields["event"] == PART}
        self._due: defaultdict[_Key, asyncio.Queue[Record]] = defaultdict(asyncio.Queue)
        self._runs: Counter[str] = Counter()
        if tools is None:
            declared = call.settings.get("tools", {})
            tools = [captured_tool(name, each, _nothing) for name, each in declared.items()]
        self.tools = [replace(tool, handler=self._handler(tool.name)) for tool in tools]

    def release(self, record: Record) -> None:
        """A tool gave this now."""
        if record.fields["event"] != BEGAN:
            self._due[_key(record)].put_nowait(record)

    def _handler(self, name: str) -> Callable[..., Any]:
        async def parts(*_: Any, **__: Any) -> AsyncGenerator[Any, None]:
            key = self._begun(name)
            while (record := await self._due[key].get()).fields["event"] == PART:
                yield record.fields["value"]
            _given(record)

        async def whole(*_: Any, **__: Any) -> Any:
            key = self._begun(name)
            return _given(await self._due[key].get())

        return parts if name in self._in_parts else whole

    def _begun(self, name: str) -> _Key:
        self._runs[name] += 1
        key = name, self._runs[name]
        if key not in self._known:
            raise NotCaptured(f"run {key[1]} of the tool {name} is not in the capture")
        return key


class NotCaptured(CrossfadeError):
    """The call asks for something that the captured one did not."""


async def _nothing(*_: Any, **__: Any) -> None:
    """Stands where another handler comes."""


def _key(record: Record) -> _Key:
    return record.fields["name"], record.fields["number"]


def _given(record: Record) -> Any:
    fields = record.fields
    if fields["event"] != FAILED:
        return fields.get("value")
    if fields["kind"] == ToolArgumentsError.__name__:
        raise ToolArgumentsError(fields["words"])
    # The model is told the kind of an error, and nothing else of it.
    raise type(fields["kind"], (CrossfadeError,), {})(fields["words"])


__all__ = ["NotCaptured", "ReplayedTools"]
