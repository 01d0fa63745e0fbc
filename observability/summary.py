"""A call's summary as a table for the terminal. Pure."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .call_summary import CallSummary, ToolSummary, median


def render_summary(summary: CallSummary) -> RenderableType:
    """A plain table of two columns, readable on 80 columns and without colour."""
    table = Table(title="Call summary", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in _rows(summary):
        table.add_row(name, value)
    problems = [Text(f"Error: {error}", style="red") for error in summary.errors]
    return Group(table, *problems)


def _rows(summary: CallSummary) -> list[tuple[str, str]]:
    rows = [
        ("Duration", f"{summary.duration_s:.1f} s"),
        ("Turns of the caller", str(summary.user_turns)),
        ("Responses", str(summary.responses)),
        ("Interruptions", str(summary.interruptions)),
        ("Voice to voice", _latency(summary.voice_to_voice_ms)),
        ("", _each(summary.voice_to_voice_ms)),
        ("Barge-in to silence", _latency(summary.barge_in_ms)),
        ("First byte of a response", _latency(summary.ttfb_ms)),
        ("Last byte of a response", _latency(summary.ttlb_ms)),
        *((f"Tool {tool.name}", _tool(tool)) for tool in summary.tools),
        ("Tokens in", _tokens_in(summary)),
        ("Tokens out", _tokens_out(summary)),
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
