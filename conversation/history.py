"""The conversation as a model is told it: what seeds a session or a text model."""

from dataclasses import dataclass
from enum import Enum

from crossfade.conversation.tools import ToolCall, ToolResult


class Speaker(Enum):
    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one side said; of a cut answer only what was heard."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the user showed."""

    data: bytes
    media_type: str
    """image/jpeg or image/png."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the model shall know and nobody said: a summary of the oldest turns, that its answer
    was cut off."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording(Notice):
    """What the user said and nobody has put into words yet, as it sounded; where a model cannot
    be given sound, `text` is told instead."""

    audio: bytes
    """In the form in which the model hears the user."""
    item_id: str = ""
    """The user's turn: a session that can puts it into words under this name."""


HistoryItem = Utterance | Picture | Notice | ToolCall | ToolResult
"""A tool call is followed by its result, or it is still open."""

__all__ = ["HistoryItem", "Notice", "Picture", "Recording", "Speaker", "Utterance"]
