"""Finds the calls that are to be compared, and tells them as figures."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossfade.errors import SettingsError
from crossfade.observability.arms import CallFigures
from crossfade.observability.run import read_run
from crossfade.observability.summary_file import SUMMARY, RunSummary, read_summary, summary_json


def call_folders(paths: Sequence[Path], *, holding: str, or_named: str = "") -> list[Path]:
    """The folders of calls among these and right below them, by name.

    Args:
        paths: Folders of calls, or of many calls.
        holding: The file that makes a folder one of a call.
        or_named: The file that does the same for a folder that is named itself.

    Raises:
        SettingsError: One of them holds no call.
    """
    found: list[Path] = []
    for path in paths:
        if any((path / file).is_file() for file in (holding, or_named) if file):
            found.append(path)
            continue
        below = sorted(file.parent for file in path.glob(f"*/{holding}"))
        if not below:
            raise SettingsError(f"{path}: no {holding} in it or right below; name a call's folder")
        found += below
    return list(dict.fromkeys(found))


def summary_of(folder: Path) -> RunSummary:
    """What a call came to: as its summary says or, where its process was killed, its log.

    Raises:
        SettingsError: It is no call, or its summary none of ours.
    """
    if (folder / SUMMARY).is_file():
        return read_summary(folder)
    run = read_run(folder)
    told = summary_json(run.measured, started_at=run.started_at or "", details=run.details)
    whole = run.log.ended and run.cost.get("complete") is True
    told["cost"] = {**run.cost, "complete": whole}
    return RunSummary.model_validate(told)


def figures(summaries: Iterable[RunSummary], *, by: str) -> list[CallFigures]:
    """What each call came to, as far as arms are judged by it.

    Args:
        summaries: Of the calls.
        by: The detail of a call that tells its arm, such as `arm` or `model`.

    Raises:
        SettingsError: Some calls have no such detail.
    """
    known = list(summaries)
    if missing := sum(by not in summary.details for summary in known):
        raise SettingsError(
            f"{missing} of {len(known)} calls do not say their {by}; name others, or another --by"
        )
    return [_figures(summary, str(summary.details[by])) for summary in known]


def _figures(summary: RunSummary, arm: str) -> CallFigures:
    heard_ms = summary.voice_to_voice_ms
    return CallFigures(
        arm=arm,
        duration_s=summary.duration_s,
        user_turns=summary.user_turns,
        voice_to_voice_ms=statistics.median(heard_ms) if heard_ms else None,
        interruptions=summary.interruptions,
        tool_calls=len(summary.tools),
        tools_answered=sum(tool.answered for tool in summary.tools),
        usd=summary.cost.usd if summary.cost.complete else None,
    )


__all__ = ["call_folders", "figures", "summary_of"]
