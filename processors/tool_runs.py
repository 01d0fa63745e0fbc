"""Which tools run, which wait for a free place, and who waits for them. Pure."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .tool_actions import Run, Stop
from .tools import Tool

MOST_WAITING = 16
"""Calls of one tool that wait for a free place; what goes beyond is refused."""
_FIRST_RETRY_MS = 200.0


def signature(arguments: Mapping[str, Any]) -> str:
    """The same text for the same arguments, in whatever order they come."""
    return json.dumps(arguments, sort_keys=True, default=repr)


@dataclass(slots=True, kw_only=True, eq=False)
class RunningTool:
    """A tool with its arguments, and the calls that wait for what it gives."""

    id: int
    tool: Tool
    # Errors quote a run, and must not quote a secret.
    arguments: Mapping[str, Any] = field(repr=False)
    signature: str = field(repr=False)
    call_ids: list[str] = field(default_factory=list)
    attempts: int = 0
    """How often it was begun; 0 while it waits for its turn."""
    spoke: bool = False
    """A part of its result is known, so it is not run again."""
    stopped: bool = False
    """Nobody waits for it any more; it may still be cleaning up."""


class ToolRuns:
    """The runs of one conversation."""

    def __init__(self) -> None:
        self._runs: dict[int, RunningTool] = {}
        self._queues: dict[str, deque[RunningTool]] = {}
        self._count = 0

    def get(self, run_id: int) -> RunningTool | None:
        return self._runs.get(run_id)

    def same(self, tool: Tool, mark: str) -> RunningTool | None:
        """The run of a tool with the same arguments that is not over."""
        return next(
            (
                run
                for run in (*self._runs.values(), *self._queues.get(tool.name, ()))
                if run.tool is tool and run.signature == mark and not run.stopped
            ),
            None,
        )

    def full(self, tool: Tool) -> bool:
        """Whether no more calls of a tool can even wait."""
        return len(self._queues.get(tool.name, ())) >= MOST_WAITING

    def add(self, tool: Tool, arguments: Mapping[str, Any], mark: str) -> RunningTool:
        """Have a tool run, as soon as there is a free place."""
        self._count += 1
        run = RunningTool(id=self._count, tool=tool, arguments=arguments, signature=mark)
        self._queues.setdefault(tool.name, deque()).append(run)
        return run

    def due(self) -> list[Run]:
        """Begin what has a free place."""
        begun = []
        for queue in self._queues.values():
            while queue and self._free(queue[0].tool):
                run = queue.popleft()
                self._runs[run.id] = run
                begun.append(self._attempt(run))
        return begun

    def again(self, run: RunningTool) -> Run | None:
        """Run again what failed, if its tool may be."""
        if run.spoke or run.stopped or run.attempts > run.tool.policy.retries:
            return None
        return self._attempt(run)

    def leave(self, run: RunningTool, call_id: str) -> Stop | None:
        """A call waits for it no longer; stop it if that was the last one."""
        run.call_ids.remove(call_id)
        return None if run.call_ids else self.stop(run)

    def stop(self, run: RunningTool) -> Stop | None:
        """Nobody waits for it any more. Its place is free only when it is over."""
        if run.stopped:
            return None
        run.stopped = True
        if run.id in self._runs:
            return Stop(run_id=run.id)
        queue = self._queues.get(run.tool.name, deque())
        if run in queue:
            queue.remove(run)
        return None

    def stop_all(self) -> list[Stop]:
        waiting = [run for queue in self._queues.values() for run in queue]
        stops = [self.stop(run) for run in (*self._runs.values(), *waiting)]
        return [stop for stop in stops if stop is not None]

    def over(self, run_id: int) -> RunningTool | None:
        """A run ended; None if it is not known."""
        return self._runs.pop(run_id, None)

    def _free(self, tool: Tool) -> bool:
        busy = sum(run.tool is tool for run in self._runs.values())
        return busy < tool.policy.max_concurrency

    def _attempt(self, run: RunningTool) -> Run:
        after_ms = 0.0 if not run.attempts else _FIRST_RETRY_MS * 2 ** (run.attempts - 1)
        run.attempts += 1
        return Run(run_id=run.id, tool=run.tool, arguments=run.arguments, after_ms=after_ms)


__all__ = ["MOST_WAITING", "RunningTool", "ToolRuns", "signature"]
