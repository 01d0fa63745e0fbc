"""What is to be done about the calls of a conversation, as `ToolCalls` decides it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from crossfade.conversation.tools import ToolCall
from crossfade.frames.tools import ToolPhase

from .tools import Tool


class ToolWire(Enum):
    """How often a call can be answered, and what the model does until then."""

    PARTS = "talks on, and takes parts of a result before the result"
    ONCE = "talks on, and takes the result alone"
    WAITS = "is silent until it has its one answer; what comes later is told as text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A call is taken up."""

    call: ToolCall
    tool: Tool | None
    """None where there is no tool of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run a tool, and tell what comes of it under this number."""

    run_id: int
    tool: Tool
    arguments: Mapping[str, Any]
    after_ms: float = 0
    """It failed before, and is run again so much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Nobody waits for a run any more: cancel it."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Give the model the result of a call, a part of it, or its placeholder."""

    call: ToolCall
    tool: Tool | None
    output: Any
    error: str | None = None
    """Why there is no result; the output is then no more than this."""
    final: bool = True
    ask: bool = False
    """Whether the model shall speak of it as soon as it can; else it only knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A call is over without a result."""

    call: ToolCall
    reason: str
    tell: bool
    """Whether the model still waits for an answer."""
    ask: bool = False
    """Whether the model shall speak of the other calls of its response now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A call moved on."""

    call: ToolCall
    phase: ToolPhase
    phrases: tuple[str, ...] = ()
    """What may be said while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """What came is not told to anybody, by rule."""

    name: str
    why: str


Action = Begin | Run | Stop | Tell | Cancel | Note | Drop

__all__ = ["Action", "Begin", "Cancel", "Drop", "Note", "Run", "Stop", "Tell", "ToolWire"]
