"""What a live console is told while the call runs. Times are seconds since the call's start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.frames.continuity import (
    AudioLostFrame,
    NodeFailedFrame,
    NodeSwitchedFrame,
    SessionContinuedFrame,
    SessionLostFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from crossfade.frames.text import (
    InterimTranscriptionFrame,
    SpokenTextFrame,
    TranscriptionFrame,
    TTSTextFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import (
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    ToolCancelFrame,
    is_final,
)

from .cost_meter import BudgetCrossed


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSpeaking:
    """The user's turn began or, with `speaking` False, ended."""

    at_s: float
    speaking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpeaking:
    """The agent's speech began or, with `speaking` False, ended."""

    at_s: float
    speaking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSaid:
    """What the user said. A partial holds all the text so far."""

    at_s: float
    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSaid:
    """More of the agent's words, spaces included, as they are generated."""

    at_s: float
    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled:
    at_s: float
    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswered:
    at_s: float
    call_id: str
    name: str
    result: Any
    is_error: bool
    cancelled: bool = False
    """It was called off; the result says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinished:
    """An item of the agent's speech was played to its end or, `interrupted`, cut by the user."""

    at_s: float
    response_id: str
    item_id: str
    interrupted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHeard:
    """The agent became audible after the user's turn.

    Told when the sound was measured, up to 100 ms after `at_s`.
    """

    at_s: float
    voice_to_voice_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSlow:
    """An answer left the latency budget."""

    at_s: float
    voice_to_voice_ms: float
    hop: str
    """What took longer than it may."""
    took_ms: float
    budget_ms: float
    """Of that hop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOverdue:
    """The latency budget has passed since the user's turn, and nothing was heard of the agent."""

    at_s: float
    waited_ms: float
    hop: str
    """What is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMismatched:
    """The caller's sound comes at another rate than declared."""

    at_s: float
    declared_hz: int
    likely_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLost:
    """The provider's line died; another one is looked for."""

    at_s: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """Another session of a provider serves, or another speech node."""

    at_s: float
    why: str
    """reconnect, rotation, failover or return; of a node in plain words."""
    provider: str
    """PROVIDER:MODEL, or the name of the node."""
    resumed: bool
    """The provider took its own session up."""
    gap_ms: float
    """For so long no session took the user's audio."""
    replayed_ms: float
    """So much of the user's audio was sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLost:
    """Some of the user's audio reached no session."""

    at_s: float
    lost_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Something went wrong; the call may go on."""

    at_s: float
    message: str


LiveEvent = (
    UserSpeaking
    | AgentSpeaking
    | UserSaid
    | AgentSaid
    | ToolCalled
    | ToolAnswered
    | AgentFinished
    | AnswerHeard
    | AnswerOverdue
    | AnswerSlow
    | RateMismatched
    | LineLost
    | Continued
    | AudioLost
    | BudgetCrossed
    | Failed
)
Listener = Callable[[LiveEvent], None]


def live_events(frame: Frame, at_s: float) -> tuple[LiveEvent, ...]:
    """What a frame means to somebody who watches the call."""
    match frame:
        # Words are what there is most of.
        case TranscriptionFrame() | InterimTranscriptionFrame() | TTSTextFrame():
            return (_words(frame, at_s),)
        case UserStartedSpeakingFrame() | UserStoppedSpeakingFrame():
            speaking = isinstance(frame, UserStartedSpeakingFrame)
            return (UserSpeaking(at_s=at_s, speaking=speaking),)
        case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
            speaking = isinstance(frame, BotStartedSpeakingFrame)
            return (AgentSpeaking(at_s=at_s, speaking=speaking),)
        case SpeechPlayedFrame():
            return tuple(
                AgentFinished(
                    at_s=at_s,
                    response_id=item.origin.response_id,
                    item_id=item.origin.item_id,
                    interrupted=frame.interrupted,
                )
                for item in frame.items
            )
        case ErrorFrame():
            return (Failed(at_s=at_s, message=frame.error),)
        case SessionLostFrame() | SessionContinuedFrame() | AudioLostFrame():
            return (_continuity(frame, at_s),)
        case NodeSwitchedFrame() | NodeFailedFrame():
            return (_node(frame, at_s),)
        case FunctionCallResultFrame() if not is_final(frame):
            return ()
        case FunctionCallsStartedFrame() | FunctionCallResultFrame() | ToolCancelFrame():
            return _tool_events(frame, at_s)
    return ()


def _continuity(
    frame: SessionLostFrame | SessionContinuedFrame | AudioLostFrame, at_s: float
) -> LiveEvent:
    match frame:
        case SessionLostFrame():
            return LineLost(at_s=at_s, message=frame.message)
        case AudioLostFrame():
            return AudioLost(at_s=at_s, lost_ms=frame.lost_ms)
    return Continued(
        at_s=at_s,
        why=frame.why.value,
        provider=frame.provider,
        resumed=frame.resumed,
        gap_ms=frame.gap_ms,
        replayed_ms=frame.replayed_ms,
    )


def _node(frame: NodeSwitchedFrame | NodeFailedFrame, at_s: float) -> LiveEvent:
    if isinstance(frame, NodeFailedFrame):
        return Failed(at_s=at_s, message=f"{frame.node} cannot serve: {frame.message}")
    return Continued(
        at_s=at_s,
        why=frame.why,
        provider=frame.node,
        resumed=False,
        gap_ms=frame.gap_ms,
        replayed_ms=frame.replayed_ms,
    )


def _words(
    frame: TranscriptionFrame | InterimTranscriptionFrame | TTSTextFrame, at_s: float
) -> LiveEvent:
    if isinstance(frame, TTSTextFrame):
        response_id = frame.response_id if isinstance(frame, SpokenTextFrame) else ""
        item_id = frame.context_id or ""
        return AgentSaid(at_s=at_s, response_id=response_id, item_id=item_id, text=frame.text)
    item_id = ""
    if isinstance(frame, UserTranscriptFrame | UserPartialTranscriptFrame):
        item_id = frame.item_id
    final = isinstance(frame, TranscriptionFrame)
    return UserSaid(at_s=at_s, item_id=item_id, text=frame.text, final=final)


def _tool_events(
    frame: FunctionCallsStartedFrame | FunctionCallResultFrame | ToolCancelFrame, at_s: float
) -> tuple[LiveEvent, ...]:
    if isinstance(frame, FunctionCallsStartedFrame):
        return tuple(
            ToolCalled(
                at_s=at_s,
                call_id=call.tool_call_id,
                name=call.function_name,
                arguments=call.arguments,
            )
            for call in frame.function_calls
        )
    if isinstance(frame, ToolCancelFrame):
        cancelled = ToolAnswered(
            at_s=at_s,
            call_id=frame.tool_call_id,
            name=frame.function_name,
            result=frame.reason,
            is_error=True,
            cancelled=True,
        )
        return (cancelled,)
    answered = ToolAnswered(
        at_s=at_s,
        call_id=frame.tool_call_id,
        name=frame.function_name,
        result=frame.result,
        is_error=frame.error is not None,
    )
    return (answered,)


__all__ = [
    "AgentFinished",
    "AgentSaid",
    "AgentSpeaking",
    "AnswerHeard",
    "AnswerOverdue",
    "AnswerSlow",
    "AudioLost",
    "BudgetCrossed",
    "Continued",
    "Failed",
    "LineLost",
    "Listener",
    "LiveEvent",
    "RateMismatched",
    "ToolAnswered",
    "ToolCalled",
    "UserSaid",
    "UserSpeaking",
    "live_events",
]
