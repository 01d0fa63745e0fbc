"""What a caller asks of a session. One command means one thing on every provider."""

from collections.abc import Mapping
from dataclasses import dataclass

from crossfade.conversation.tools import ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SendText:
    """The user says something in writing."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendToolResult:
    result: ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """The agent shall answer, as soon as no other response is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """The agent shall say these words outside the conversation."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """The running response ends, and the conversation keeps only what was played of it."""

    played_ms: Mapping[str, float]
    """How much was played of each item that is not wholly played, by item id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTurn:
    """The user's turn begins with the audio that is sent from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTurn:
    """The user's turn ends with the audio that was sent so far, and is to be answered."""


Command = SendText | SendToolResult | Respond | Say | Interrupt | StartTurn | EndTurn

__all__ = [
    "Command",
    "EndTurn",
    "Interrupt",
    "Respond",
    "Say",
    "SendText",
    "SendToolResult",
    "StartTurn",
]
