"""Tools whose results are kept in the capture of the call."""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any

from crossfade.observability.capture import Capture
from crossfade.processors.tool_arguments import ToolArgumentsError
from crossfade.processors.tool_results import plain
from crossfade.processors.tools import Tool

BEGAN, PART, ENDED, FAILED = "began", "part", "ended", "failed"
"""What a `tool` record tells of a run of a tool."""

_Tell = Callable[[str, dict[str, Any]], None]


def captured_tools(tools: Sequence[Tool], capture: Capture) -> list[Tool]:
    """The same tools; what their handlers give goes into the capture as well, and when."""
    return [replace(tool, handler=_captured(tool, capture)) for tool in tools]


def _captured(tool: Tool, capture: Capture) -> Callable[..., Any]:
    """A handler of the same kind as the tool's own."""
    numbers = count(1)

    def begin() -> _Tell:
        number = next(numbers)

        def tell(event: str, fields: dict[str, Any]) -> None:
            record = {"name": tool.name, "number": number, "event": event, **fields}
            capture.note("tool", record, size_bytes=len(str(fields)))

        tell(BEGAN, {})
        return tell

    @functools.wraps(tool.handler)
    def handler(*args: Any, **kwargs: Any) -> Any:
        tell = begin()
        try:
            given = tool.handler(*args, **kwargs)
        except BaseException as error:
            _failed(tell, error)
            raise
        return _told(given, tell)

    # A plain function is run in a thread, and must stay one.
    if inspect.isasyncgenfunction(tool.handler):

        async def parts(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            async with aclosing(handler(*args, **kwargs)) as values:
                async for value in values:
                    yield value

        return functools.wraps(tool.handler)(parts)
    if inspect.iscoroutinefunction(tool.handler):

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return await handler(*args, **kwargs)

        return functools.wraps(tool.handler)(awaited)
    return handler


def _told(given: Any, tell: _Tell) -> Any:
    """What a handler gave, told of when it is there."""
    if inspect.isasyncgen(given):
        return _stream(given, tell)
    if inspect.isawaitable(given):
        return _awaited(given, tell)
    _ended(tell, given)
    return given


async def _awaited(given: Awaitable[Any], tell: _Tell) -> Any:
    try:
        result = await given
    except BaseException as error:
        _failed(tell, error)
        raise
    _ended(tell, result)
    return result


async def _stream(given: AsyncGenerator[Any, Any], tell: _Tell) -> AsyncGenerator[Any, None]:
    try:
        async with aclosing(given) as values:
            async for value in values:
                tell(PART, {"value": _kept(value)})
                yield value
    except BaseException as error:
        _failed(tell, error)
        raise
    tell(ENDED, {})


def _ended(tell: _Tell, result: Any) -> None:
    tell(ENDED, {"value": _kept(result)})


def _failed(tell: _Tell, error: BaseException) -> None:
    # The error's own words may quote what is secret; those of the model's mistakes are for it.
    words = str(error) if isinstance(error, ToolArgumentsError) else ""
    tell(FAILED, {"kind": type(error).__name__, "words": words})


def _kept(value: Any) -> Any:
    try:
        return plain(value)
    except Exception:
        # The dispatcher meets the same, and tells the model.
        return str(value)


__all__ = ["BEGAN", "ENDED", "FAILED", "PART", "captured_tools"]
