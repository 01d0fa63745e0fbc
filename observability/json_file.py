"""JSON files that may be missing or broken."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Mapping[str, Any] | None:
    """The object in a file; None if there is no such thing, or if it holds NaN or Infinity."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_number, parse_float=_number)
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, Mapping) else None


def _number(text: str) -> float:
    """A number as JSON has them: neither infinite nor none."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


__all__ = ["read_json"]
