"""What went wrong in a call, in words. Pure over a run.

Each finding says what happened, when, and where it helps what to do. What belongs to a call, such
as a caller who interrupts, is a note.
"""

from collections.abc import Callable, Iterable

from . import problems_heard, problems_logged
from .latency_budget import LatencyBudget
from .problem import Problem, ProblemKind, Severity
from .run import Run

_LOOKS: tuple[Callable[[Run], Iterable[Problem]], ...] = (
    problems_logged.rate_mismatch,
    problems_heard.silences,
    problems_logged.tools,
    problems_logged.late_transcripts,
    problems_logged.cut_answers,
    problems_logged.interruptions,
    problems_logged.sessions,
    problems_heard.levels,
    problems_logged.budgets,
    problems_logged.errors,
    problems_logged.record,
)


def problems(run: Run, budget: LatencyBudget | None = None) -> list[Problem]:
    """All findings, in order of time."""
    found = [problem for look in _LOOKS for problem in look(run)]
    found += problems_heard.waits(run, budget or LatencyBudget())
    return sorted(found, key=lambda problem: problem.at_s)


__all__ = ["Problem", "ProblemKind", "Severity", "problems"]
