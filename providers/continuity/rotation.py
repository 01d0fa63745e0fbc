"""How a session moves to another connection: what there is to choose from, and by what."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from crossfade.providers.events import ResumptionHandle


class Plan(Enum):
    """How the next connection takes over."""

    PARALLEL = "parallel"
    """It is opened beside the old one, told what was said, and hears what is not answered; then
    the old one is closed."""
    RESUME = "resume"
    """The old one is closed first; the next takes its session up by the handle, and is told
    nothing."""
    REOPEN = "reopen"
    """The old one is closed first, if it is not dead; the next is told what was said, where it can
    be, and hears what is not answered."""


class Moment(Enum):
    """Why it moves now."""

    QUIET = "quiet"
    """Nobody speaks, and nothing is owed."""
    FORCED = "forced"
    """The old one is about to end, in whatever state the conversation is."""
    LOST = "lost"
    """The old one is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What a later connection can take the session up with."""

    token: str
    told_s: float
    """When the provider told it: it holds what was said until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How the conversation stands. Times are of one clock."""

    moment: Moment
    now_s: float
    utterance: bool = False
    """The user speaks, or said something that is not answered yet."""
    open_calls: bool = False
    """A call of a tool is not answered yet."""
    handle: Handle | None = None
    last_turn_s: float | None = None
    """When anything last came into the conversation: words, a result, an image."""


class Rotation(Protocol):
    """The way of one provider. Knows no clock and no socket."""

    def prepares(self, situation: Situation) -> bool:
        """Whether the next connection is opened ahead, without the history, for the moment."""
        ...

    def plan(self, situation: Situation) -> Plan: ...


class Handles:
    """The latest handle of a session."""

    def __init__(self) -> None:
        self.latest: Handle | None = None

    def told(self, event: ResumptionHandle, now_s: float) -> None:
        """Note what the provider tells. What cannot be resumed now is not resumed at all: the
        handle before it lacks the latest of the conversation."""
        usable = event.resumable and event.handle
        self.latest = Handle(token=event.handle, told_s=now_s) if usable else None

    def drop(self) -> None:
        """Forget it: it was used, or it was refused."""
        self.latest = None


__all__ = ["Handle", "Handles", "Moment", "Plan", "Rotation", "Situation"]
