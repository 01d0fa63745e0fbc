"""Two calls side by side."""

import statistics
from collections.abc import Sequence

from rich.table import Table

from crossfade.observability.summary_file import RunSummary, RunTool


def calls_beside(names: Sequence[str], calls: Sequence[RunSummary]) -> Table:
    """The figures of each call in a column of its own. Two calls prove nothing; they show."""
    table = Table(box=None)
    table.add_column("", style="bold", no_wrap=True)
    for name in names:
        table.add_column(name, overflow="fold")
    rows = {
        "Began": [call.started_at[:19] for call in calls],
        "Model": [str(call.details.get("model", "")) for call in calls],
        "Arm": [str(call.details.get("arm", "")) for call in calls],
        "Duration": [f"{call.duration_s:.1f} s" for call in calls],
        "Turns of the caller": [str(call.user_turns) for call in calls],
        "Responses": [str(call.responses) for call in calls],
        "Interruptions": [str(call.interruptions) for call in calls],
        "Voice to voice": [_median(call.voice_to_voice_ms) for call in calls],
        "Each turn": [_each(call.voice_to_voice_ms) for call in calls],
        "Unanswered turns": [str(call.unanswered_turns or "") for call in calls],
        "Barge-in to silence": [_median(call.barge_in_ms) for call in calls],
        "First byte of a response": [_median(call.ttfb_ms) for call in calls],
        "Last byte of a response": [_median(call.ttlb_ms) for call in calls],
        "Tools": [", ".join(_tool(tool) for tool in call.tools) for call in calls],
        "Tokens in": [_tokens(call, "input_") for call in calls],
        "Tokens out": [_tokens(call, "output_") for call in calls],
        "Cost": [_cost(call) for call in calls],
        "Errors": ["; ".join(call.errors) for call in calls],
    }
    for heading, values in rows.items():
        if any(values):
            table.add_row(heading, *values)
    return table


def _median(values_ms: Sequence[float]) -> str:
    return f"{statistics.median(values_ms):.0f} ms" if values_ms else ""


def _each(values_ms: Sequence[float]) -> str:
    told = ", ".join(f"{value:.0f}" for value in values_ms)
    return f"{told} ms" if len(values_ms) > 1 else ""


def _tool(tool: RunTool) -> str:
    if tool.duration_ms is None:
        return f"{tool.name} not answered"
    return f"{tool.name} {'failed after ' if tool.is_error else ''}{tool.duration_ms:.0f} ms"


def _tokens(call: RunSummary, side: str) -> str:
    return str(sum(count for name, count in call.usage.items() if name.startswith(side)))


def _cost(call: RunSummary) -> str:
    cost = call.cost
    if cost.usd is None:
        return "unpriced" if cost.unpriced else ""
    return f"${cost.usd:.4f}" if cost.complete else f"at least ${cost.usd:.4f}"


__all__ = ["calls_beside"]
