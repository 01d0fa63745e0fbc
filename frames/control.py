"""Who speaks, when a response begins and ends, and the life of the chain."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    SpeechControlParamsFrame,
    StartFrame,
    SystemFrame,
    UserSpeakingFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from crossfade.conversation.usage import Usage


@dataclass
class UserTurnStartProposedFrame(ProposedUserStartedSpeakingFrame):
    """The provider hears the user begin to speak. Flows upstream to TurnTaking."""

    item_id: str = ""


@dataclass
class UserTurnStopProposedFrame(ProposedUserStoppedSpeakingFrame):
    """The provider hears the user's turn end. Flows upstream to TurnTaking."""

    item_id: str = ""


@dataclass
class UserTurnCommittedFrame(SystemFrame):
    """The user's turn became an item of the conversation. Flows upstream."""

    item_id: str
    turn_id: str = ""
    """Of a turn that was found here: the id of the UserStartedSpeakingFrame that began it."""


@dataclass
class SpeechConfirmedFrame(SystemFrame):
    """Local voice activity is sure that the speech that began is speech.

    Follows VADUserStartedSpeakingFrame, and takes its way.
    """


@dataclass
class SpeechDroppedFrame(SystemFrame):
    """The speech that began faded before it was confirmed: a false start.

    Followed by VADUserStoppedSpeakingFrame, for pipecat's own turn strategies.
    """


@dataclass
class PlayoutHoldFrame(SystemFrame):
    """Somebody may be speaking into the answer: the playout pauses, nothing is cancelled.

    Sent both ways by TurnTaking. An InterruptionFrame or a PlayoutResumeFrame follows.
    """


@dataclass
class PlayoutResumeFrame(SystemFrame):
    """It was nothing: the answer goes on from the sample at which it was held. Sent both ways."""


@dataclass
class ResponseStartFrame(LLMFullResponseStartFrame):
    """A response of the agent begins."""

    response_id: str = ""
    injected: bool = False


@dataclass
class ResponseEndFrame(LLMFullResponseEndFrame):
    """A response of the agent is generated to its end, or was cut or failed."""

    response_id: str = ""
    status: str = "completed"
    """completed, interrupted, incomplete, failed or cut. What is left of a cut one comes in
    another response; what has come is played."""
    usage: Usage | None = None
    reason: str | None = None
    received_ms: Mapping[str, float] = field(default_factory=dict)
    """How much audio of each item has come."""


__all__ = [
    "BotStartedSpeakingFrame",
    "BotStoppedSpeakingFrame",
    "CancelFrame",
    "EndFrame",
    "ErrorFrame",
    "Frame",
    "InterruptionFrame",
    "LLMFullResponseEndFrame",
    "LLMFullResponseStartFrame",
    "MetricsFrame",
    "PlayoutHoldFrame",
    "PlayoutResumeFrame",
    "ProposedUserStartedSpeakingFrame",
    "ProposedUserStoppedSpeakingFrame",
    "ResponseEndFrame",
    "ResponseStartFrame",
    "SpeechConfirmedFrame",
    "SpeechControlParamsFrame",
    "SpeechDroppedFrame",
    "StartFrame",
    "SystemFrame",
    "UserSpeakingFrame",
    "UserStartedSpeakingFrame",
    "UserStoppedSpeakingFrame",
    "UserTurnCommittedFrame",
    "UserTurnStartProposedFrame",
    "UserTurnStopProposedFrame",
    "VADUserStartedSpeakingFrame",
    "VADUserStoppedSpeakingFrame",
]
