"""What an emulator asks of the mind behind it, in words that belong to no wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

SPEECH_RATE_HZ = 24_000
"""The rate of what a backend speaks; all emulated wires answer at it."""


class Trigger(Enum):
    """What a reply answers."""

    SPEECH = "speech"
    TEXT = "text"
    TOOL_RESULTS = "tool_results"
    REQUEST = "request"
    """The client asked for a response although nothing new was said."""


class Told(Enum):
    """What a client tells of a conversation besides what it says in it."""

    USER = "user"
    """Words of the user, as text; they may be typed just now."""
    AGENT = "agent"
    """Words of the agent."""
    NOTICE = "notice"
    """What the client wants the model to know."""
    CALL = "call"
    """A call that the agent made: the function's name."""
    RESULT = "result"
    """What it gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function the client offers."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schema of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """What the client answered to one call."""

    name: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is to be answered."""

    trigger: Trigger
    text: str = ""
    """The words heard or typed."""
    outputs: Sequence[ToolOutput] = ()
    instructions: str = ""
    """The instructions in force for this reply."""
    tools: Sequence[Tool] = ()
    """The functions that this reply may call."""
    out_of_band: bool = False
    """The reply stands outside the conversation."""


@dataclass(frozen=True, slots=True)
class Say:
    """Words to be spoken, or written in a session without sound."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of one of the client's functions."""

    name: str
    arguments: str
    """A JSON object, as text."""


Part = Say | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer: what to say and call, in order."""

    parts: Sequence[Part]
    think_ms: float | None = None
    """Time before the first part; None leaves it to the emulator."""


class Dialogue(Protocol):
    """One client's conversation with a backend."""

    def configure(self, tools: Sequence[Tool]) -> None:
        """Tell which functions the client offers, for what the user may speak of."""

    def told(self, who: Told, text: str) -> None:
        """The client tells what was said before, on another connection, in order."""

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        """The words of one utterance, s16le mono; empty where there are none."""

    async def reply(self, prompt: Prompt) -> Reply:
        """The answer to `prompt`."""

    def retract(self, reply: Reply) -> None:
        """Take `reply` back: it was cut off before its first part, so nobody knows of it."""

    async def render(self, sentence: str) -> bytes:
        """A sentence as sound: s16le mono at `SPEECH_RATE_HZ`."""

    async def close(self) -> None:
        """The client is gone."""


class Backend(Protocol):
    """The mind behind one emulator, shared by its sessions."""

    async def start(self) -> None:
        """Load what replies need.

        Raises:
            SettingsError: Something the backend needs is missing.
        """

    async def close(self) -> None:
        """Let go of processes and files. Closing twice is harmless."""

    def dialogue(self) -> Dialogue:
        """Begin a conversation."""
