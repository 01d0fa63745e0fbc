"""What a conversation is made of: turns of the user, turns of the agent, rounds with tools.

All are values: the ledger replaces an entry when more becomes known about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.conversation.heard import WordTiming, heard_length
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTurn:
    """One turn of the user, from its first sound."""

    started_at_s: float
    stopped_at_s: float | None = None
    item_id: str | None = None
    """The provider's name for the turn, once it is known."""
    text: str = ""
    final: bool = False
    """Whether `text` is the transcript, or what is known of it so far."""
    committed: bool = False
    """Whether the turn is part of the conversation that the model knows."""
    typed: bool = False
    """Written, not spoken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentItem:
    """A stretch of an answer: one piece of speech, or of writing."""

    item_id: str
    text: str = ""
    """As generated."""
    spoken: bool = True
    played_ms: float | None = None
    """How much of its audio was played; None until its playout has ended."""
    received_ms: float = 0.0
    """How much of its audio had arrived by then."""
    interrupted: bool = False
    """Whether its playout was cut."""
    timings: Sequence[WordTiming] = ()

    def heard(self, complete: bool) -> str:
        """The text that certainly reached the user.

        Args:
            complete: Whether all of the item's audio has arrived, and none after its text.
        """
        if not self.spoken:
            return self.text
        if self.played_ms is None:
            return ""
        if complete and (not self.interrupted or self.played_ms >= self.received_ms > 0):
            return self.text
        length = heard_length(
            self.text,
            played_ms=self.played_ms,
            received_ms=self.received_ms,
            complete=complete,
            timings=self.timings,
        )
        return self.text[:length]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTurn:
    """One response of the agent."""

    response_id: str
    started_at_s: float
    injected: bool = False
    """Spoken by us outside the conversation; the model does not know of it."""
    items: tuple[AgentItem, ...] = ()
    status: str | None = None
    """completed, interrupted, incomplete or failed; None while it is generated."""
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """Everything that was generated."""
        return " ".join(item.text.strip() for item in self.items if item.text.strip())

    @property
    def heard(self) -> str:
        """The beginning of `text` that certainly reached the user."""
        parts = []
        for item, heard in zip(self.items, self.heard_by_item(), strict=True):
            if heard.strip():
                parts.append(heard.strip())
            if len(heard) < len(item.text.rstrip()):
                break
        return " ".join(parts)

    @property
    def interrupted(self) -> bool:
        return self.status == "interrupted" or any(item.interrupted for item in self.items)

    def heard_by_item(self) -> tuple[str, ...]:
        """The heard beginning of each item."""
        # An item's audio is all there when a later item has begun or the response ran to its end.
        ended = self.status in ("completed", "incomplete")
        last = len(self.items) - 1
        return tuple(item.heard(ended or i < last) for i, item in enumerate(self.items))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRound:
    """One call of a tool and its answer."""

    call: ToolCall
    called_at_s: float
    result: ToolResult | None = None
    answered_at_s: float | None = None


Entry = UserTurn | AgentTurn | ToolRound

__all__ = ["AgentItem", "AgentTurn", "Entry", "ToolRound", "UserTurn"]
