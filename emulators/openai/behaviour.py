"""Which of its documented ways the emulated service takes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Choices between what the service was seen to do at one time or another."""

    rate_limits: Literal["after_done", "after_created", "never"] | None = None
    """When `rate_limits.updated` comes; None is as the dialect has it."""
    early_transcripts: bool = False
    """The user's words are told before the response to them begins, not beside it."""
    batched_dones: bool = False
    """The done events of all items of a response come together just before response.done."""
    semantic_wait: Literal["usual", "longest"] = "usual"
    """How long a pause ends a turn of semantic_vad: the emulator cannot tell a finished sentence
    from another, so it takes all for finished, or all for unfinished."""
