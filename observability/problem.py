"""What can be found wrong in a call. Data only."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad it is for the caller."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class ProblemKind(Enum):
    """What went wrong."""

    RATE_MISMATCH = "rate mismatch"
    SILENCE = "silence"
    NO_ANSWER = "no answer"
    SLOW_ANSWER = "slow answer"
    SLOW_TOOL = "slow tool"
    TOOL_FAILED = "tool failed"
    LATE_TRANSCRIPT = "late transcript"
    CUT_ANSWER = "cut answer"
    INTERRUPTED = "interrupted answer"
    SLOW_YIELD = "slow to yield"
    SESSION_CHANGE = "session change"
    NODE_FAILED = "node failed"
    AUDIO_LOST = "audio lost"
    CLIPPED = "clipped input"
    QUIET = "quiet input"
    BUDGET = "budget crossed"
    ERROR = "error"
    DROPPED = "dropped"
    UNFINISHED = "unfinished record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding."""

    kind: ProblemKind
    severity: Severity
    at_s: float
    """Where to look, or listen."""
    text: str


__all__ = ["Problem", "ProblemKind", "Severity"]
