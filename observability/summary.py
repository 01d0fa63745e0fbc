"""A call's summary as a table for the terminal. Pure."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .call_summary import CallSummary, ToolSummary, median
from .cost import Cost


def render_summary(summary: CallSummary) -> RenderableType:
    """A plain table of two columns, readable on 80 columns and without colour."""
    table = Table(title="Call summary", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in summary_rows(summary):
        table.add_row(name, value)
    problems = [Text(f"Error: {error}", style="red") for error in summary.errors]
    return Group(table, *problems)


def summary_rows(summary: CallSummary) -> list[tuple[str, str]]:
    """Each figure by its name; one without a name belongs to the one before."""
    rows = [
        ("Duration", f"{summary.duration_s:.1f} s"),
        ("Turns of the caller", str(summary.user_turns)),
        ("Responses", str(summary.responses)),
        ("Interruptions", str(summary.interruptions)),
        ("Voice to voice", _latency(summary.voice_to_voice_ms)),
        ("", _each(summary.voice_to_voice_ms)),
        ("Unanswered turns", str(summary.unanswered_turns) if summary.unanswered_turns else ""),
        ("Barge-in to silence", _latency(summary.barge_in_ms)),
        ("Both heard at once", f"{summary.overlap_ms:.0f} ms" if summary.overlap_ms else ""),
        ("First byte of a response", _latency(summary.ttfb_ms)),
        ("Last byte of a response", _latency(summary.ttlb_ms)),
        *((f"Tool {tool.name}", _tool(tool)) for tool in summary.tools),
        ("Tokens in", _tokens_in(summary)),
        ("Tokens out", _tokens_out(summary)),
        ("Cost", _cost(summary)),
        *((f"Cost of {name}", _money(cost)) for name, cost in _shares(summary)),
        ("Other sessions took over", _changes(summary)),
        ("User audio lost", f"{summary.lost_audio_ms:.0f} ms" if summary.lost_audio_ms else ""),
        *((f"Dropped {what}", str(count)) for what, count in summary.dropped.items()),
    ]
    return [(name, value) for name, value in rows if value]


def _latency(values_ms: Sequence[float]) -> str:
    middle_ms = median(values_ms)
    if middle_ms is None:
        return "not measured"
    if len(values_ms) == 1:
        return f"{middle_ms:.0f} ms"
    return f"{middle_ms:.0f} ms median, {max(values_ms):.0f} ms at most"


def _each(values_ms: Sequence[float]) -> str:
    if len(values_ms) < 2:
        return ""
    return "each turn: " + ", ".join(f"{value:.0f}" for value in values_ms) + " ms"


def _tool(tool: ToolSummary) -> str:
    if tool.duration_ms is None:
        told = "not answered"
    else:
        told = f"{'failed' if tool.is_error else 'answered'} after {tool.duration_ms:.0f} ms"
    if tool.acknowledged_ms is not None:
        told += f", acknowledged after {tool.acknowledged_ms:.0f} ms"
    return told


def _changes(summary: CallSummary) -> str:
    """How often, by what, and the longest time in which none took the user's audio."""
    changes = summary.session_changes
    if not changes:
        return ""
    kinds = Counter(change.why for change in changes)
    told = ", ".join(f"{why} {count}×" for why, count in kinds.items())
    return f"{told}; {max(change.gap_ms for change in changes):.0f} ms without one at most"


def _cost(summary: CallSummary) -> str:
    cost = summary.cost
    if not cost.lines:
        return ""
    unpriced = f"unpriced: {', '.join(cost.unpriced)}" if cost.unpriced else ""
    if cost.usd is None:
        return unpriced
    if cost.complete and not cost.usd:
        return "nothing: all of it ran here"
    per_minute = ""
    if not unpriced and summary.duration_s > 0:
        per_minute = f"{_dollars(cost.usd / Decimal(summary.duration_s) * 60)} a minute"
    least = "at least " if unpriced else ""
    return f"{least}{_dollars(cost.usd)} ({unpriced or per_minute})"


def _shares(summary: CallSummary) -> Sequence[tuple[str, Cost]]:
    """Each model's, where there is more than one."""
    models = summary.cost.by_model
    return list(models.items()) if len(models) > 1 else []


def _money(cost: Cost) -> str:
    if cost.usd is None:
        return "unpriced"
    return _dollars(cost.usd) if cost.complete else f"at least {_dollars(cost.usd)}"


def _dollars(usd: Decimal) -> str:
    return f"${usd:.4f}"


def _tokens_in(summary: CallSummary) -> str:
    usage = summary.usage
    return (
        f"{usage.input_tokens} ({usage.input_audio_tokens} audio, {usage.input_text_tokens} text; "
        f"{usage.cached_tokens} of them cached)"
    )


def _tokens_out(summary: CallSummary) -> str:
    usage = summary.usage
    return (
        f"{usage.output_tokens} ({usage.output_audio_tokens} audio, "
        f"{usage.output_text_tokens} text)"
    )
