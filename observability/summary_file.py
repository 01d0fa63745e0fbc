"""A call's summary as JSON: `summary.json`, which other programs read after the call."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from crossfade.errors import SettingsError

from .call_summary import CallSummary

SUMMARY = "summary.json"
VERSION = 1


def summary_json(
    summary: CallSummary,
    *,
    started_at: str,
    details: Mapping[str, Any],
    rest: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The summary as `json.dumps` takes it: the fields of `CallSummary`, and these.

    Args:
        summary: What the call came to.
        started_at: Wall clock, ISO 8601.
        details: What is known of the call beside, such as model and arm.
        rest: Called between small pieces of work.
    """
    content = {
        each.name: _plain(getattr(summary, each.name))
        for each in dataclasses.fields(summary)
        if each.name != "cost"
    }
    content["cost"] = summary.cost.to_dict(rest)
    return {"version": VERSION, "started_at": started_at, "details": dict(details), **content}


def _plain(value: Any) -> Any:
    """As `dataclasses.asdict` has it, but for figures by the hundred: these are no copies."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunTool(_Read):
    """One call of a tool."""

    name: str
    duration_ms: float | None
    is_error: bool

    @property
    def answered(self) -> bool:
        """It ended with a result."""
        return self.duration_ms is not None and not self.is_error


class RunCost(_Read):
    """What the call cost."""

    usd: float | None = None
    complete: bool = False
    unpriced: tuple[str, ...] = ()


class RunSummary(_Read):
    """A summary as it is read back; each field as in `CallSummary`."""

    version: int
    started_at: str
    details: dict[str, Any]
    duration_s: float
    user_turns: int
    responses: int
    interruptions: int
    tools: tuple[RunTool, ...]
    voice_to_voice_ms: tuple[float, ...]
    unanswered_turns: int = 0
    barge_in_ms: tuple[float, ...]
    ttfb_ms: tuple[float, ...]
    ttlb_ms: tuple[float, ...]
    usage: dict[str, int]
    errors: tuple[str, ...]
    cost: RunCost = RunCost()


def read_summary(folder: Path) -> RunSummary:
    """Read the summary in the folder of a call.

    Raises:
        SettingsError: There is none, or it is none of ours.
    """
    path = folder / SUMMARY
    try:
        return RunSummary.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); give the folder of a call that has ended"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(f"{path}: {where}: {first['msg']}") from error


__all__ = ["SUMMARY", "VERSION", "RunCost", "RunSummary", "RunTool", "read_summary", "summary_json"]
