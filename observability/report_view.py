"""What the report says, as text and numbers for its template. Pure over a run."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .call_summary import CallSummary
from .interaction_metrics import FEWEST_EVENTS, InteractionMetrics, interaction_metrics, turns_of
from .problems import Problem, Severity
from .report_words import clock, in_ms, percentile
from .run import Run
from .summary import summary_rows

_ENOUGH = 20
_TOLD_ELSEWHERE = "Cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the large figures at the top."""

    name: str
    value: str
    detail: str = ""


def figures(run: Run, found: Sequence[Problem]) -> list[Figure]:
    """What stands at the top of the page."""
    summary = run.measured
    answers = summary.voice_to_voice_ms
    bad = [problem for problem in found if problem.severity is not Severity.NOTE]
    shown = [
        Figure(name="Duration", value=clock(summary.duration_s), detail=_turns(summary)),
        Figure(
            name="Voice to voice",
            value=in_ms(statistics.median(answers)) if answers else "not measured",
            detail=_worst(answers) if answers else "",
        ),
        Figure(
            name="Interruptions",
            value=str(summary.interruptions),
            detail=f"{in_ms(statistics.median(summary.barge_in_ms))} to silence"
            if summary.barge_in_ms
            else "",
        ),
        Figure(name="Tool calls", value=str(len(summary.tools)), detail=_tools(summary)),
        Figure(name="Session changes", value=str(len(summary.session_changes))),
        Figure(name="Cost", value=cost_told(run), detail=_per_minute(run, summary.duration_s)),
        Figure(name="Problems", value=str(len(bad)), detail=_notes(found)),
    ]
    return shown


def all_figures(run: Run) -> list[tuple[str, str]]:
    """The figures of the summary that stand nowhere else on the page."""
    rows = summary_rows(run.measured)
    return [(name, value) for name, value in rows if not name.startswith(_TOLD_ELSEWHERE)]


def metric_rows(run: Run) -> list[tuple[str, str, str, int]]:
    """Name, meaning, value and events of each figure of the interaction."""
    if run.sound is None:
        return []
    panel = interaction_metrics(turns_of(run.sound.turns.caller), run.sound.turns.agent)
    return [(*told, _metric(panel, name), getattr(panel, name).events) for name, told in _METRICS]


def _metric(panel: InteractionMetrics, name: str) -> str:
    metric = getattr(panel, name)
    if metric.value is None:
        return "no events"
    if metric.shown is None:
        return f"fewer than {FEWEST_EVENTS} events"
    return f"{metric.value:.2f} s" if name.endswith("latency") else f"{metric.value:.2f}"


_METRICS = (
    ("response_latency", ("L_R", "from the end of a turn to the agent's first sound")),
    ("yield_latency", ("L_Y", "from an interruption to the agent's silence")),
    ("response_rate", ("R_R", "turns answered before the caller spoke again")),
    ("yield_rate", ("R_Y", "interruptions at which the agent fell silent within 2 s")),
    ("agent_interruptions", ("I_A", "times the agent spoke over the caller, per turn")),
    ("selectivity_backchannel", ("S_BC", "backchannels that the agent talked through")),
    ("selectivity_vocal_tic", ("S_VT", "vocal tics that the agent ignored")),
    ("selectivity_non_directed", ("S_ND", "speech to somebody else that the agent ignored")),
)


def cost_rows(run: Run) -> list[tuple[str, str, str, str]]:
    """Model, kind, quantity and dollars."""
    lines = run.cost.get("lines")
    if not isinstance(lines, list):
        return []
    return [
        (
            str(line.get("model", "")),
            str(line.get("kind", "")).replace("_", " "),
            _count(line.get("quantity")),
            _usd(line.get("usd")),
        )
        for line in lines
        if isinstance(line, Mapping)
    ]


def _notes(found: Sequence[Problem]) -> str:
    notes = sum(problem.severity is Severity.NOTE for problem in found)
    return f"and {_counted(notes, 'note')}" if notes else ""


def _worst(values: Sequence[float]) -> str:
    """Of a few the largest: a percentile of them would say no more."""
    if len(values) == 1:
        return "one answer"
    few = len(values) < _ENOUGH
    worst = f"{in_ms(max(values))} at most" if few else f"p95 {in_ms(percentile(values, 95))}"
    return f"median; {worst}"


def _turns(summary: CallSummary) -> str:
    return f"{_counted(summary.user_turns, 'turn')}, {_counted(summary.responses, 'response')}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _tools(summary: CallSummary) -> str:
    times = [tool.duration_ms for tool in summary.tools if tool.duration_ms is not None]
    return f"slowest {max(times) / 1000:.1f} s" if times else ""


def cost_told(run: Run) -> str:
    """The whole of it, never 0 for what has no price."""
    if not run.cost.get("lines"):
        return "unknown"
    usd = run.cost.get("usd")
    if not isinstance(usd, int | float):
        return "unpriced"
    whole = run.cost.get("complete") is True and run.log.ended
    if whole and not usd:
        return "nothing"
    return _usd(usd) if whole else f"at least {_usd(usd)}"


def _per_minute(run: Run, duration_s: float) -> str:
    if not run.cost.get("lines"):
        return ""
    if run.cost.get("complete") is not True:
        return "not everything has a price"
    if not run.log.ended:
        return "as far as the log goes"
    usd = run.cost.get("usd")
    if not isinstance(usd, int | float) or not duration_s:
        return ""
    return f"${usd / duration_s * 60:.4f} a minute" if usd else "all of it ran here"


def _count(quantity: object) -> str:
    return f"{quantity:,.0f}" if isinstance(quantity, int | float) else "unknown"


def _usd(usd: object) -> str:
    return f"${usd:.4f}" if isinstance(usd, int | float) else "unpriced"


__all__ = ["Figure", "all_figures", "cost_rows", "cost_told", "figures", "metric_rows"]
