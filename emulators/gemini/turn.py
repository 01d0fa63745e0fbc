"""A turn of the model, and what it answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from ..backends.backend import Reply, ToolOutput, Trigger
from ..faults.moments import State
from ..user_audio import UserTurn
from .speech import Spoken
from .tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the model is to answer."""

    trigger: Trigger
    words: asyncio.Task[str] | None = None
    """What was heard, once it is recognised; what was typed is in the conversation."""
    outputs: Sequence[ToolOutput] = ()
    heard: UserTurn | None = None
    """Where what was heard is kept, if it is."""


class Stage(Enum):
    """How far a turn of the model is."""

    THINKING = State.THINKING
    SPEAKING = State.SPEAKING
    CALLING = State.TOOL_PENDING
    """It waits for the answer to a blocking call."""
    PLAYING = "playing"
    """Everything is generated; the client may still play it."""


@dataclass(slots=True)
class Turn:
    """A turn of the model, from its first thought to turnComplete."""

    request: Request
    stage: Stage = Stage.THINKING
    task: asyncio.Task[None] | None = None
    reply: Reply | None = None
    heard: list[UserTurn] = field(default_factory=list)
    """The kept turns of the user that it answers."""
    asked: str | None = None
    """The words that are answered, once they are all known."""
    told: Sequence[ToolOutput] = ()
    """The results that are answered with them."""
    shown: bool = False
    """The client was given something of the reply, besides speech."""
    read: Tokens = field(default_factory=Tokens)
    spoken: Spoken = field(default_factory=Spoken)
    thought: int = 0
    outputs: list[ToolOutput] = field(default_factory=list)
    """What has come of the blocking calls that it waits for."""
