"""What an examination found. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rich.text import Text


class State(StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    """Something that not everybody needs is not there."""
    BAD = "bad"
    """Calls will fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    said: str
    cure: str = ""
    """What to do; empty where all is well."""


Check = Callable[[], Iterable[Finding]]

_STYLES = {State.OK: "green", State.NOTE: "yellow", State.BAD: "bold red"}


def ok(what: str, said: str) -> Finding:
    return Finding(what=what, state=State.OK, said=said)


def note(what: str, said: str, cure: str) -> Finding:
    return Finding(what=what, state=State.NOTE, said=said, cure=cure)


def bad(what: str, said: str, cure: str) -> Finding:
    return Finding(what=what, state=State.BAD, said=said, cure=cure)


def examine(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Make all checks; one that breaks is a finding, too."""
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:
            yield bad(
                name,
                f"cannot be examined: {type(error).__name__}: {error}",
                "report it as a bug, with this line",
            )


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether calls can be made."""
    return all(finding.state is not State.BAD for finding in findings)


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """For other programs."""
    listed = [asdict(finding) for finding in findings]
    return {"healthy": all(each["state"] != State.BAD for each in listed), "findings": listed}


def as_lines(findings: Iterable[Finding]) -> Iterator[Text]:
    """For people; a cure stands below what it cures."""
    for finding in findings:
        line = Text(f"{finding.state.value:<5}", _STYLES[finding.state])
        yield line.append(f" {finding.what}", "bold").append(f": {finding.said}", "not bold")
        if finding.cure:
            yield Text(f"      → {finding.cure}", "italic")


__all__ = [
    "Check",
    "Finding",
    "State",
    "as_json",
    "as_lines",
    "bad",
    "examine",
    "healthy",
    "note",
    "ok",
]
