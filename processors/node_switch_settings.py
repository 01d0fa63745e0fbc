"""How nodes are swapped: what may be set, and what is asked for."""

from dataclasses import dataclass
from enum import Enum


class When(Enum):
    """The moment of a swap, once the incoming node is up."""

    QUIET = "quiet"
    """Nobody speaks, nothing is played or owed, and no tool runs; or the deadline has come."""
    NOW = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSettings:
    """The times of a swap."""

    quiet_s: float = 0.3
    """So long nothing must have happened for a moment to be quiet."""
    patience_s: float = 8.0
    """What a node should tell, and does not, is waited for no longer than this."""
    deadline_s: float = 20.0
    """A quiet moment is waited for no longer than this; then the swap comes in any state."""
    come_up_s: float = 20.0
    """An incoming node must be up in this time."""
    keep_s: float = 60.0
    """So much of what the user says is kept for the incoming node."""
    preroll_ms: float = 700.0
    """So much from before the user was heard to speak goes along."""
    linger_s: float = 3.0
    """A node that served may still tell the words of a turn for so long."""
    return_after_s: float = 5.0
    """A node that failed is tried again after so long; twice as long each time after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A swap that is asked for."""

    node: str
    when: When
    why: str
    speaks: bool = False
    """The node has the next word, where nothing is owed anyway."""
    deadline_s: float | None = None
    """How long a quiet moment is waited for; None: until it comes."""


__all__ = ["Order", "SwitchSettings", "When"]
