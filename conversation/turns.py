"""What a conversation is made of: turns of the user, turns of the agent, rounds with tools.

All are values: the ledger replaces an entry when more becomes known about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from crossfade.conversation.heard import WordTiming, covered_length, heard_length
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
class UserImage:
    """Something the user showed. Its bytes are kept elsewhere, and not for good."""

    image_id: str
    """Of its own within the conversation."""
    shown_at_s: float
    media_type: str
    """image/jpeg or image/png."""
    sha256: str
    """Of its bytes, in hexadecimal digits."""
    size_bytes: int


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

    def heard(self, complete: bool, *, cut: bool = False) -> str:
        """The text that certainly reached the user.

        Args:
            complete: Whether all of the item's audio has arrived, and none after its text.
            cut: Whether it broke off: its text is what its audio is likely to hold.
        """
        if not self.spoken:
            return self.text
        if self.played_ms is None:
            return ""
        whole = not self.interrupted or self.played_ms >= self.received_ms > 0
        if whole and (complete or cut):
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
    """completed, interrupted, incomplete, failed or cut; None while it is generated. What is left
    of a cut one came in another turn."""
    usage: Usage | None = None
    continues: str | None = None
    """The cut response whose rest this is."""

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

    def covered(self, received_ms: Mapping[str, float], pace: float | None = None) -> Self:
        """This turn with no more text than its audio is likely to hold: of the last item, of which
        audio may be missing; and of one that is written, all.

        Args:
            received_ms: How much audio of each item had come, by its id.
            pace: Characters a second that the voice says, if that is known.
        """
        if not self.items or not self.items[-1].spoken:
            return self
        *earlier, last = self.items
        length = covered_length(
            last.text,
            received_ms=max(0.0, received_ms.get(last.item_id, last.received_ms)),
            timings=last.timings,
            characters_per_s=pace,
        )
        return replace(self, items=(*earlier, replace(last, text=last.text[:length])))

    def heard_by_item(self) -> tuple[str, ...]:
        """The heard beginning of each item."""
        # An item's audio is all there when a later item has begun or the response ran to its end.
        ended, cut = self.status in ("completed", "incomplete"), self.status == "cut"
        last = len(self.items) - 1
        return tuple(item.heard(ended or i < last, cut=cut) for i, item in enumerate(self.items))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRound:
    """One call of a tool and its answer."""

    call: ToolCall
    called_at_s: float
    result: ToolResult | None = None
    answered_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What stands for the oldest entries when the model is told the conversation."""

    text: str
    upto: int
    """It covers so many entries, from the first; of several summaries the last one counts."""
    made_at_s: float


Entry = UserTurn | UserImage | AgentTurn | ToolRound | Summary

__all__ = ["AgentItem", "AgentTurn", "Entry", "Summary", "ToolRound", "UserImage", "UserTurn"]
