"""What is wrong with the sound of a call. Pure over a run."""

from collections.abc import Iterator

from .latency_budget import LatencyBudget, check
from .problem import Problem, ProblemKind, Severity
from .run import Run
from .sound_spans import THRESHOLD_DBFS
from .unanswered import SILENCE_S, dead_air

QUIET_DBFS = -38.0
CLIPPED_MS = 50


def silences(run: Run) -> Iterator[Problem]:
    """Between two parts of the agent's speech, after a turn of the caller without an answer, and
    after the caller's last. Other silence before the caller speaks is the caller's own."""
    if run.sound is None:
        return
    turns = run.sound.turns
    heard = [(span.start_s, span.end_s, False) for span in turns.caller]
    heard += [(span.start_s, span.end_s, True) for span in turns.agent]
    heard.sort()
    until_s, by_agent = 0.0, True
    for start_s, end_s, agent in heard:
        gap_s = start_s - until_s
        if gap_s > SILENCE_S and until_s and agent and by_agent:
            yield _silence(until_s, f"{gap_s:.1f} s of silence in the agent's speech.")
        if end_s > until_s:
            until_s, by_agent = end_s, agent
    for gap in dead_air(turns, run.tally.turn_edges):
        if not gap.to_end:
            text = (
                f"{gap.lasted_s:.1f} s of silence after the caller's turn, until the caller spoke."
            )
            yield _silence(gap.start_s, text)
    left_s = turns.duration_s - until_s
    if heard and not by_agent and left_s > SILENCE_S:
        yield Problem(
            kind=ProblemKind.NO_ANSWER,
            severity=Severity.ERROR,
            at_s=until_s,
            text=f"The caller's last words were not answered in {left_s:.1f} s.",
        )


def _silence(at_s: float, text: str) -> Problem:
    return Problem(kind=ProblemKind.SILENCE, severity=Severity.WARNING, at_s=at_s, text=text)


def waits(run: Run, budget: LatencyBudget) -> Iterator[Problem]:
    """Answers out of budget, and those after which there was silence in any case."""
    for fall in run.waterfalls:
        waited_ms, at_s = fall.answer.voice_to_voice_ms, fall.answer.caller_end_s
        slow = check(fall, budget)
        blame = ""
        if slow is not None:
            blame = f": {slow.hop.value} took {slow.took_ms:.0f} ms"
            if slow.took_ms > slow.budget_ms:
                blame += f", its budget is {slow.budget_ms:.0f} ms"
        if waited_ms > SILENCE_S * 1000:
            yield _silence(at_s, f"{waited_ms / 1000:.1f} s of silence before the answer{blame}.")
        elif slow is not None:
            yield Problem(
                kind=ProblemKind.SLOW_ANSWER,
                severity=Severity.WARNING,
                at_s=at_s,
                text=f"Answered after {waited_ms:.0f} ms{blame}.",
            )


def levels(run: Run) -> Iterator[Problem]:
    if run.sound is None:
        return
    caller = run.sound.caller
    clipped_ms = len(caller.clipped_s) * 10
    if clipped_ms >= CLIPPED_MS:
        yield Problem(
            kind=ProblemKind.CLIPPED,
            severity=Severity.WARNING,
            at_s=caller.clipped_s[0],
            text=f"The caller's sound is clipped for {clipped_ms} ms: turn the microphone down.",
        )
    if caller.loud_dbfs is None:
        text = "Nothing was heard of the caller: the line brings silence."
    elif caller.loud_dbfs < QUIET_DBFS:
        text = (
            f"The caller's sound is too quiet: {caller.loud_dbfs:.0f} dBFS where it is loud, and "
            f"what is under {THRESHOLD_DBFS:.0f} dBFS counts as silence. Turn the microphone up."
        )
    else:
        return
    yield Problem(kind=ProblemKind.QUIET, severity=Severity.WARNING, at_s=0.0, text=text)


__all__ = ["levels", "silences", "waits"]
