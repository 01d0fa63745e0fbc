"""A call that is not over, and those that its response made with it. Pure."""

import json
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from crossfade.conversation.tools import ToolCall

from .tool_runs import RunningTool
from .tools import Tool


class Stage(Enum):
    """Where an open call stands."""

    IN_TIME = "in time"
    """Its response waits for it."""
    LATE = "late"
    """It was answered by a placeholder or a part of its result, and runs on."""
    READY = "ready"
    """Its result waits until it can be told."""


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """The calls of one response."""

    waiting: set[str]
    real: bool = False
    """Something came of one of them that is worth a word."""
    owed: bool = False
    """The model shall speak of it, and there was nothing to tell that would have it speak."""

    def answered(self, call_id: str, *, real: bool) -> bool:
        """Note an answer; true if it was the last, and the model shall speak."""
        owed, self.owed = self.owed, False
        if call_id not in self.waiting:
            return owed
        self.waiting.remove(call_id)
        self.real |= real
        return owed or (self.real and not self.waiting)


@dataclass(slots=True, kw_only=True, eq=False)
class OpenCall:
    """A call that has no result yet, or none that was told."""

    call: ToolCall
    tool: Tool | None
    group: Group
    began_ms: float
    stage: Stage = Stage.IN_TIME
    slow: bool = False
    stranger: bool = False
    """The session that serves now does not know it: what comes of it is told as text."""
    run: RunningTool | None = None
    parts: deque[Any] = field(default_factory=lambda: deque(maxlen=1))
    """The newest part, if it was not told yet."""
    told: str | None = None
    """The part that was told last, as text."""
    result: tuple[Any, str | None] = (None, None)
    """With its error, once it is ready."""


def clocks_of(call: OpenCall) -> list[float]:
    """When something is due for a call by itself, in ms."""
    if call.tool is None or call.run is None:
        return []
    policy, times = call.tool.policy, []
    if call.stage is not Stage.READY:
        times.append(call.began_ms + policy.deadline_ms)
    if call.stage is Stage.IN_TIME:
        times.append(call.began_ms + policy.timeout_ms)
    if not call.slow:
        times.append(call.began_ms + policy.acknowledge_after_ms)
    return times


def text_of(output: Any) -> str:
    """The same text for the same output."""
    return json.dumps(output, sort_keys=True, default=repr)


__all__ = ["Group", "OpenCall", "Stage", "clocks_of", "text_of"]
