"""Times and figures as the report writes them. Pure."""

import math
import re
from collections.abc import Sequence

# What a terminal or a browser obeys: control characters, half characters, changes of direction.
_OBEYED = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\u202a-\\u202e\\u2066-\\u2069]"
)


def clock(at_s: float) -> str:
    """Seconds as people read them: 1:02.5."""
    tenths = round(at_s * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}:{rest // 10:02}.{rest % 10}"
    return f"{hours}:{text:0>7}" if hours else text


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank, of at least one value."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def in_ms(ms: float) -> str:
    """Milliseconds, none of them broken."""
    return f"{ms:,.0f} ms"


def plain(text: str) -> str:
    """What was said or reported, without what is obeyed instead of shown."""
    return text if text.isprintable() else _OBEYED.sub(" ", text)


__all__ = ["clock", "in_ms", "percentile", "plain"]
