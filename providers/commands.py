"""What a caller asks of a session. One command means one thing on every provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from crossfade.conversation.tools import ToolDeclaration, ToolResult
from crossfade.providers.config import Modality, SessionConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SendText:
    """The user says something in writing."""

    text: str
    respond: bool = False
    """Whether the agent shall answer, as by `Respond`."""
    call_id: str = ""
    """The tool call of which it tells the result: a session that was told that already is spared
    it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendImage:
    """The user shows something."""

    data: bytes
    media_type: str
    """image/jpeg or image/png."""


class Delivery(Enum):
    """When the agent speaks of the result of a tool."""

    INTERRUPT = "interrupt"
    """At once: what it says is cut."""
    WHEN_IDLE = "when_idle"
    """When it has said what it says."""
    SILENT = "silent"
    """Not before it is asked: it only knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendToolResult:
    """Answer a call; of several parts the last is `final`."""

    result: ToolResult
    final: bool = True
    delivery: Delivery = Delivery.WHEN_IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change the session from the next answer on; None leaves a matter as it is."""

    instructions: str | None = None
    tools: Sequence[ToolDeclaration] | None = None
    voice: str | None = None

    def applied_to(self, config: SessionConfig) -> SessionConfig:
        """Give the configuration that holds afterwards."""
        return replace(
            config,
            instructions=config.instructions if self.instructions is None else self.instructions,
            tools=config.tools if self.tools is None else self.tools,
            voice=config.voice if self.voice is None else self.voice,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """The agent shall answer, as soon as no other response is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """The agent shall say these words outside the conversation."""

    text: str
    label: str = ""
    """Comes back as `ResponseStarted.label`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RespondAside:
    """The agent shall answer outside the conversation, beside whatever else it does."""

    instructions: str
    """What it shall do, instead of the session's instructions."""
    text: str | None = None
    """What it knows; nothing if empty, the conversation so far if None."""
    modality: Modality | None = None
    """The session's if None."""
    label: str = ""
    """Comes back as `ResponseStarted.label`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """The running response ends, and the conversation keeps only what was played of it."""

    played_ms: Mapping[str, float]
    """How much was played of each item that is not wholly played, by item id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTurn:
    """The user's turn begins with the audio that is sent from now on."""

    turn_id: str = ""
    """The caller's own name for it; comes back as `UserTurnCommitted.turn_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTurn:
    """The user's turn ends with the audio that was sent so far, and is to be answered."""


Command = (
    SendText
    | SendImage
    | SendToolResult
    | Update
    | Respond
    | RespondAside
    | Say
    | Interrupt
    | StartTurn
    | EndTurn
)

__all__ = [
    "Command",
    "Delivery",
    "EndTurn",
    "Interrupt",
    "Respond",
    "RespondAside",
    "Say",
    "SendImage",
    "SendText",
    "SendToolResult",
    "StartTurn",
    "Update",
]
