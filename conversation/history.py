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


HistoryItem = Utterance | ToolCall | ToolResult
"""A tool call is followed by its result."""

__all__ = ["HistoryItem", "Speaker", "Utterance"]
