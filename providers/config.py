"""How a session is asked for, in words that fit every provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from crossfade.conversation.tools import ToolDeclaration


class TurnDetection(Enum):
    """Who decides when the user's turn begins and ends."""

    SERVER = "server"
    """The provider, by the sound."""
    CALLER = "caller"
    """We do: `start_turn`, `end_turn`, `interrupt`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """What the session shall be. Every field has a neutral meaning; each wire has its spelling."""

    instructions: str = ""
    voice: str | None = None
    """A neutral name (warm, bright, calm, deep) or the provider's own; None is its default."""
    tools: Sequence[ToolDeclaration] = ()
    turn_detection: TurnDetection = TurnDetection.SERVER
    silence_ms: int = 500
    """Silence that ends the user's turn, where the provider decides."""
    transcribe: bool = True
    """Whether the user's words are wanted as text."""
    language: str | None = None
    """BCP 47 tag of the user's language, as a hint."""
    max_output_tokens: int | None = None
