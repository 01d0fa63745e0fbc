"""Reads an event log back, as far as it was written. The format: docs/event-log.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from crossfade.errors import SettingsError

_HEAD = frozenset({"t", "dir", "type"})
LONGEST_S = 1e9
"""No call is 30 years long; what says so is broken, and figures of it would be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line: a message of the wire, a frame, or something about the call."""

    at_s: float
    """Seconds since the call's start."""
    direction: str
    """in, out, frame or call."""
    type: str
    fields: Mapping[str, Any]
    """All but the three above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """What an event log tells."""

    lines: tuple[LogLine, ...]
    unreadable: int
    """Lines that are no entry of a log, such as the last one of a process that was killed."""

    @property
    def ended(self) -> bool:
        """Whether the call came to an orderly end."""
        return any(line.type == "call.ended" for line in self.lines)

    def first(self, kind: str) -> LogLine | None:
        """The first line of a type."""
        return next((line for line in self.lines if line.type == kind), None)

    def of(self, *kinds: str) -> tuple[LogLine, ...]:
        """All lines of these types."""
        return tuple(line for line in self.lines if line.type in kinds)


def read_log(path: Path) -> RunLog:
    """Read events.jsonl; what is no line of a log is passed over and counted.

    Raises:
        SettingsError: The file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); give the folder of a call"
        ) from error
    texts = [text for text in raw.split(b"\n") if text.strip()]
    lines = [line for text in texts if (line := _line(text)) is not None]
    # Audio messages are written when their run is over, which is later than other lines.
    lines.sort(key=lambda line: line.at_s)
    return RunLog(lines=tuple(lines), unreadable=len(texts) - len(lines))


def _line(text: bytes) -> LogLine | None:
    try:
        entry = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(entry, dict):
        return None
    at_s, direction, kind = entry.get("t"), entry.get("dir"), entry.get("type")
    if not isinstance(direction, str) or not isinstance(kind, str):
        return None
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or abs(at_s) > LONGEST_S:
        return None
    fields = {name: value for name, value in entry.items() if name not in _HEAD}
    return LogLine(at_s=float(at_s), direction=direction, type=kind, fields=fields)


__all__ = ["LONGEST_S", "LogLine", "RunLog", "read_log"]
