"""A line of the event log as people read it. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rich.text import Text

from crossfade.observability.report_words import plain

from .tail_follow import Line

_ARROWS = {"out": ("→", "cyan"), "in": ("←", "green"), "frame": ("·", "yellow"), "call": ("■", "")}
_IDS = ("response_id", "item_id", "call_id")
# Said by the arrow, the time and the ids.
_SHOWN_ALREADY = frozenset({"t", "dir", "type", "bytes", "audio_bytes", "at_ms", "event_id", *_IDS})
_ID_CHARACTERS = 14
_REST_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines are wanted; where nothing is given, all are."""

    types: Sequence[str] = ()
    """Types, `*` stands for anything: `response.*`."""
    directions: Sequence[str] = ()

    def wants(self, line: Line) -> bool:
        kind, direction = line["type"], line["dir"]
        return (not self.directions or direction in self.directions) and (
            not self.types or any(fnmatchcase(kind, wanted) for wanted in self.types)
        )


def readable(line: Line, *, full: bool = False) -> Text:
    """Time, direction, type, sizes and ids, and what else it says.

    Args:
        line: Of the log.
        full: All that it says; else what fits a line or two.
    """
    arrow, style = _ARROWS.get(line["dir"], ("?", ""))
    kind = line["type"]
    text = Text(f"{line['t']:9.3f} ", "dim").append(f"{arrow} ", style)
    wrong = kind == "ErrorFrame" or "error" in kind
    text.append(f"{kind:<40}", "bold red" if wrong else style)
    if size := _size(line):
        text.append(f" {size}", "dim")
    for name in _IDS:
        if isinstance(value := line.get(name), str) and value:
            text.append(f" {_short(value, full)}", "magenta")
    if rest := _rest(line):
        said = json.dumps(rest, ensure_ascii=False, default=str)
        cut = not full and len(said) > _REST_CHARACTERS
        text.append(f" {said[:_REST_CHARACTERS]}…" if cut else f" {said}")
    # One for one, so that the styles keep their places.
    text.plain = plain(text.plain).replace("\n", " ")
    return text


def _size(line: Line) -> str:
    if "audio_bytes" in line:
        at_ms = line.get("at_ms")
        count = f" in {len(at_ms)}" if isinstance(at_ms, list) else ""
        return f"{line['audio_bytes']} B of sound{count}"
    return f"{line['bytes']} B" if "bytes" in line else ""


def _short(value: str, full: bool) -> str:
    return value if full or len(value) <= _ID_CHARACTERS else f"…{value[1 - _ID_CHARACTERS :]}"


def _rest(line: Line) -> dict[str, Any]:
    rest = {name: value for name, value in line.items() if name not in _SHOWN_ALREADY}
    body = rest.pop("body", None)
    return rest | body if isinstance(body, dict) else rest


__all__ = ["Filter", "readable"]
