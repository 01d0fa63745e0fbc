"""What the papers' shell lines are, each by the first rule that fits: run, and when, or why not."""

import re
from dataclasses import dataclass
from enum import Enum


class How(Enum):
    """What is done with a line."""

    IN_PROCESS = "by each test run, in virtual time"
    RUN = "by CI, as it stands"
    SERVES = "by CI, until it listens"
    NOT = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of line."""

    line: str
    """A regular expression, from the line's beginning."""
    how: How
    why: str = ""
    code: int = 0
    """With which it ends."""


RULES = (
    Rule(line=r"make demo", how=How.NOT, why=".ci/package holds the demo's call"),
    Rule(line=r"make talk", how=How.NOT, why="opens a browser; .ci/browser talks by one"),
    Rule(line=r"make (test|lint|types|docs)\b", how=How.NOT, why=".ci/run makes it"),
    Rule(line=r"make (bench|soak)\b", how=How.NOT, why="takes minutes or hours"),
    Rule(line=r"make (lock|setup|clean)\b", how=How.NOT, why="changes the checkout"),
    Rule(line=r".*pre-commit", how=How.NOT, why="changes the checkout, or examines what changed"),
    Rule(line=r".*\bpip install", how=How.NOT, why="needs a package index"),
    Rule(line=r".*--(stt deepgram|llm anthropic)", how=How.NOT, why="needs keys"),
    Rule(line=r".*--(llm|llm-base-url) (ollama|http)", how=How.NOT, why="needs a model's server"),
    Rule(line=r".*\bmy(package|_agent)\b", how=How.NOT, why="is the reader's own"),
    Rule(line=r".*postgresql", how=How.NOT, why="needs PostgreSQL; .ci/services has it"),
    Rule(line=r".*crossfade bench continuity", how=How.NOT, why=".ci/run has a sample of it"),
    Rule(line=r".*crossfade bench (?!imports)", how=How.NOT, why="takes minutes"),
    Rule(line=r".*--microphone|.*--list-devices", how=How.NOT, why="needs a sound card"),
    Rule(line=r".*(livekit|daily)", how=How.NOT, why="needs a room and its key"),
    Rule(line=r".*(crossfade|pipelines/\w+\.py).*--open", how=How.NOT, why="opens a browser"),
    Rule(line=r".*\bcrossfade (serve|emulate)|.* --serve", how=How.SERVES),
    Rule(line=r".*crossfade (native|cascaded|bench)", how=How.RUN),
    Rule(line=r".*crossfade replay .*--threshold", how=How.RUN, code=1),
    Rule(line=r".*crossfade replay .*--write-test", how=How.RUN),
    Rule(
        line=r".*crossfade (report|replay|doctor|new|calls|cost|route|compare)\b",
        how=How.IN_PROCESS,
    ),
    Rule(line=r"export \w+=…", how=How.NOT, why="is the reader's own"),
    Rule(line=r"(cd|export|cp|\.) ", how=How.RUN),
    Rule(line=r"pytest|python |\.venv/bin/(pytest|python|pre-commit) ", how=How.RUN),
)


def rule_for(line: str) -> Rule | None:
    """The first rule that fits."""
    return next((rule for rule in RULES if re.match(rule.line, line)), None)


__all__ = ["RULES", "How", "Rule", "rule_for"]
