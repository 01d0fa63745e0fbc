"""What the log of a call tells of problems. Pure over a run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .call_summary import interrupting
from .problem import Problem, ProblemKind, Severity
from .run import Run

SLOW_TOOL_MS = 2000
LATE_TRANSCRIPT_MS = 1500
SLOW_YIELD_MS = 800


def rate_mismatch(run: Run) -> Iterator[Problem]:
    for line in run.log.of("call.rate_mismatch"):
        declared, likely = line.fields.get("declared_hz"), line.fields.get("likely_hz")
        yield Problem(
            kind=ProblemKind.RATE_MISMATCH,
            severity=Severity.ERROR,
            at_s=line.at_s,
            text=f"The caller's sound is declared as {declared} Hz, but comes as sound of "
            f"{likely} Hz does: it is heard too {_speed(declared, likely)}. "
            "Declare the source's own rate.",
        )


def _speed(declared: Any, likely: Any) -> str:
    known = isinstance(declared, int | float) and isinstance(likely, int | float)
    return "slow and too low" if known and likely > declared else "fast and too high"


def tools(run: Run) -> Iterator[Problem]:
    for tool in run.tally.tools.values():
        if tool.duration_ms is None:
            text, kind = f"{tool.name} was never answered.", ProblemKind.TOOL_FAILED
        elif tool.is_error:
            text = f"{tool.name} failed after {tool.duration_ms / 1000:.1f} s."
            kind = ProblemKind.TOOL_FAILED
        elif tool.duration_ms > SLOW_TOOL_MS:
            heard = "with a word" if tool.acknowledge_s is not None else "without a word"
            text = f"{tool.name} took {tool.duration_ms / 1000:.1f} s, {heard} to the caller."
            kind = ProblemKind.SLOW_TOOL
        else:
            continue
        failed = kind is ProblemKind.TOOL_FAILED
        yield Problem(
            kind=kind,
            severity=Severity.ERROR if failed else Severity.WARNING,
            at_s=tool.called_s,
            text=text,
        )


def late_transcripts(run: Run) -> Iterator[Problem]:
    committed: dict[str, float] = {}
    for line in run.log.lines:
        item_id = str(line.fields.get("item_id", ""))
        if line.type == "UserTurnCommittedFrame":
            committed[item_id] = line.at_s
        elif line.type == "UserTranscriptFrame" and item_id in committed:
            late_ms = (line.at_s - committed.pop(item_id)) * 1000
            if late_ms > LATE_TRANSCRIPT_MS:
                yield Problem(
                    kind=ProblemKind.LATE_TRANSCRIPT,
                    severity=Severity.WARNING,
                    at_s=line.at_s,
                    text=f"What the caller said was known only {late_ms / 1000:.1f} s "
                    "after the end of the turn.",
                )


def cut_answers(run: Run) -> Iterator[Problem]:
    for line in run.log.of("ResponseEndFrame"):
        told = _ENDS.get(str(line.fields.get("status")))
        if told is not None:
            reason = line.fields.get("reason") if told is not _ENDS["cut"] else None
            yield Problem(
                kind=ProblemKind.CUT_ANSWER,
                severity=Severity.ERROR,
                at_s=line.at_s,
                text=told + (f" ({str(reason).rstrip('.')})." if reason else "."),
            )


_ENDS = {
    "cut": "The line died in the middle of an answer",
    "failed": "The model failed to answer",
    "incomplete": "The model broke its answer off",
}


def interruptions(run: Run) -> Iterator[Problem]:
    barge_ins = run.sound.turns.barge_ins if run.sound else ()
    for line in run.log.of("SpeechPlayedFrame"):
        items = line.fields.get("items")
        if not line.fields.get("interrupted") or not isinstance(items, list) or not items:
            continue
        played_s, come_s = (_total_s(items, name) for name in ("played_ms", "received_ms"))
        yield Problem(
            kind=ProblemKind.INTERRUPTED,
            severity=Severity.NOTE,
            at_s=line.at_s,
            text=f"The caller cut the answer: {played_s:.1f} s of the {come_s:.1f} s "
            "that had come were heard.",
        )
        for cut in interrupting(barge_ins, [line.at_s]):
            if cut.to_silence_ms > SLOW_YIELD_MS:
                yield Problem(
                    kind=ProblemKind.SLOW_YIELD,
                    severity=Severity.WARNING,
                    at_s=cut.caller_start_s,
                    text=f"The agent spoke on for {cut.to_silence_ms:.0f} ms "
                    "when the caller began to speak.",
                )


def _total_s(items: Sequence[Any], name: str) -> float:
    return sum(_number(item.get(name)) for item in items if isinstance(item, Mapping)) / 1000


def _number(value: object) -> float:
    """A log that is read back may hold anything."""
    return float(value) if isinstance(value, int | float) else 0.0


def sessions(run: Run) -> Iterator[Problem]:
    for change in run.tally.session_changes:
        told = _CHANGES.get(change.why, f"{change.why}: {{0}} serves")
        told = told.replace("{0}", change.provider)
        planned = change.why in ("rotation", "return", "switch")
        yield Problem(
            kind=ProblemKind.SESSION_CHANGE,
            severity=Severity.NOTE if planned else Severity.WARNING,
            at_s=change.at_s,
            text=f"{told}; {change.gap_ms:.0f} ms without a session.",
        )
    for line in run.log.of("NodeFailedFrame"):
        yield Problem(
            kind=ProblemKind.NODE_FAILED,
            severity=Severity.WARNING,
            at_s=line.at_s,
            text=f"The speech node {line.fields.get('node')} cannot serve: "
            f"{str(line.fields.get('reason')).rstrip('.')}.",
        )
    for line in run.log.of("AudioLostFrame"):
        lost_s = _number(line.fields.get("lost_ms")) / 1000
        yield Problem(
            kind=ProblemKind.AUDIO_LOST,
            severity=Severity.ERROR,
            at_s=line.at_s,
            text=f"{lost_s:.1f} s of what the caller said reached no model.",
        )


_CHANGES = {
    "reconnect": "Reconnect: the line was lost, and made again to {0}",
    "rotation": "Rotation: a new session of {0} took over",
    "failover": "Failover: {0} took the call over",
    "return": "Return: {0} serves again",
    "switch": "Swap: the speech node {0} took over",
}


def budgets(run: Run) -> Iterator[Problem]:
    for line in run.log.of("call.budget"):
        spent_usd, usd = (_number(line.fields.get(name)) for name in ("spent_usd", "usd"))
        yield Problem(
            kind=ProblemKind.BUDGET,
            severity=Severity.WARNING,
            at_s=line.at_s,
            text=f"The call had cost ${spent_usd:.4f}, more than its budget of ${usd:.4f}"
            f"{_THEN.get(str(line.fields.get('then')), '')}.",
        )


_THEN = {
    "downgrade": ": a cheaper node was asked to take over",
    "end": ": it was ended when the agent had finished",
}


def errors(run: Run) -> Iterator[Problem]:
    for line in run.log.of("ErrorFrame", "call.error"):
        text = str(line.fields.get("error", "unknown"))
        yield Problem(
            kind=ProblemKind.ERROR, severity=Severity.ERROR, at_s=line.at_s, text=f"Error: {text}"
        )


def record(run: Run) -> Iterator[Problem]:
    end_s = run.duration_s
    ended = run.log.first("call.ended")
    if ended is None:
        cut = ", and its last line is cut" if run.log.unreadable else ""
        yield Problem(
            kind=ProblemKind.UNFINISHED,
            severity=Severity.WARNING,
            at_s=end_s,
            text=f"The log has no end{cut}: the call still runs, or its process was killed.",
        )
        return
    dropped = ended.fields.get("dropped")
    for what, count in (dropped if isinstance(dropped, Mapping) else {}).items():
        yield Problem(
            kind=ProblemKind.DROPPED,
            severity=Severity.WARNING,
            at_s=end_s,
            text=f"Dropped {what}: {count}.",
        )


__all__ = [
    "budgets",
    "cut_answers",
    "errors",
    "interruptions",
    "late_transcripts",
    "rate_mismatch",
    "record",
    "sessions",
    "tools",
]
