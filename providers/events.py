"""What a session tells its caller. One event means one thing on every provider.

Times in `_ms` count the audio of the session, from its start, as the provider hears it.
"""

from dataclasses import dataclass
from enum import Enum

from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage


class ResponseStatus(Enum):
    """How a response ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CUT = "cut"
    """The line died while it came. What is left of it comes in another response, once a new
    connection serves; what has come of it is to be played."""


class Handover(Enum):
    """Why another connection serves."""

    RECONNECT = "reconnect"
    """The line died."""
    ROTATION = "rotation"
    """The session was near its end, or its conversation became too long."""
    FAILOVER = "failover"
    """The provider failed; the next of the route serves."""
    RETURN = "return"
    """A provider that stands earlier in the route is well again."""


class Severity(Enum):
    """What a provider's error means for the session."""

    HARMLESS = "harmless"
    """A benign race, such as cancelling a response that had just ended."""
    REQUEST = "request"
    """One request was refused; the session goes on."""
    RETRY = "retry"
    """This connection is over; a new one may serve."""
    FATAL = "fatal"
    """No new connection will help: the key, the model, the quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """The provider accepted the session and its configuration."""

    session_id: str
    model: str
    expires_at: float | None = None
    """Unix time at which the provider will end the session, where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted:
    """The provider hears the user begin to speak."""

    item_id: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStopped:
    """The provider hears the user's turn end."""

    item_id: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTurnCommitted:
    """The user's turn became item `item_id` of the conversation, in its place there."""

    item_id: str
    turn_id: str = ""
    """What the caller called it when it began, if the caller marks the turns and named it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTranscript:
    """What the user said. A partial holds all the text so far; a final may be empty."""

    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStarted:
    response_id: str
    injected: bool = False
    """The response stands outside the conversation, such as an acknowledgement."""
    label: str = ""
    """The name that the caller gave to what it asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChunk:
    """Speech of the agent, whole samples: mono at the session's output rate, s16le or its G.711."""

    response_id: str
    item_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """Text of the agent as it is generated."""

    response_id: str
    item_id: str
    text: str
    spoken: bool
    """True for the words of the speech, False for a written answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechDone:
    """All the audio of one spoken item has arrived; last words may follow, before ResponseDone."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """The user spoke into an answer, and the provider finds the turns: stop playing what is left.

    If the response still runs, the provider has cut it, what comes of it is dropped, and its
    ResponseDone says INTERRUPTED. If it is done already, its sound may still be playing: the
    provider has generated faster than it is played. Either way what is left of it, and of what
    came before it, is not to be heard; `interrupt` tells the model how far it was. Each response
    is interrupted once at most. Nothing tells of it where the caller finds the turns, where the
    answer goes on (`interruptible` off), and for speech outside the conversation. What the caller
    cuts, by `interrupt` or by a result of `Delivery.INTERRUPT`, is no interruption.
    """

    response_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDone:
    """A response ended. Without `awaits_tools` the agent has said what it had to say."""

    response_id: str
    status: ResponseStatus
    usage: Usage | None = None
    reason: str | None = None
    """Why the response did not complete, in the provider's words."""
    awaits_tools: bool = False
    """More is to come: a call of the conversation is unanswered, or the response that speaks of
    its result has not begun. Results of `Delivery.SILENT` are not spoken of, so none is awaited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUsage:
    """What a response cost beyond what its ResponseDone told: some providers count later."""

    response_id: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionUsed:
    """What writing down the user's words cost, where another model does it and is paid apart."""

    item_id: str
    model: str
    """Empty where the provider chooses it."""
    usage: Usage
    """Nothing, where it is paid by time."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallCancelled:
    """The provider takes a call back; it must not be answered any more."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionExpiring:
    """The provider will end this session soon."""

    in_s: float | None
    """How soon, where the provider says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumptionHandle:
    """What a later connection can take this session up with."""

    handle: str
    """Empty while the session cannot be resumed."""
    resumable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderError:
    """The provider reports an error, or what it sent makes no sense."""

    message: str
    severity: Severity
    code: str | None = None
    response_id: str | None = None
    """The response that failed by it, of which ResponseDone has told just before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What may still be asked for within a span of time."""

    name: str
    """What is counted, such as requests or tokens."""
    limit: int
    remaining: int
    reset_s: float
    """After so long all of it is available again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How much the provider still allows, told after a response. Only some providers do."""

    limits: tuple[RateLimit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLost:
    """The line died. The session looks for another; all that is said meanwhile is kept."""

    message: str
    code: str | None = None
    """The provider's own word for why, or the close code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContinued:
    """Another connection serves from now on. `profile`, `config` are as it is from now on, too."""

    why: Handover
    provider: str
    """As in `connect`: PROVIDER:MODEL."""
    session_id: str
    resumed: bool
    """The provider took its own session up: it knows its calls, and all that was said."""
    open_calls: bool
    """Calls that are still open are known to it, and are answered as if nothing had happened."""
    gap_ms: float
    """For so long no connection took the user's audio."""
    replayed_ms: float
    """So much of the user's audio was sent again."""
    expires_at: float | None = None
    """Unix time at which the provider will end it, where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLost:
    """User audio that could not be kept until a connection took it."""

    lost_ms: float


Event = (
    SessionOpened
    | SpeechStarted
    | SpeechStopped
    | UserTurnCommitted
    | UserTranscript
    | ResponseStarted
    | AudioChunk
    | TextDelta
    | SpeechDone
    | ToolCall
    | ToolCallCancelled
    | Interruption
    | ResponseDone
    | LateUsage
    | TranscriptionUsed
    | SessionExpiring
    | ResumptionHandle
    | ProviderError
    | RateLimits
    | LineLost
    | SessionContinued
    | AudioLost
)

__all__ = [
    "AudioChunk",
    "AudioLost",
    "Event",
    "Handover",
    "Interruption",
    "LateUsage",
    "LineLost",
    "ProviderError",
    "RateLimit",
    "RateLimits",
    "ResponseDone",
    "ResponseStarted",
    "ResponseStatus",
    "ResumptionHandle",
    "SessionContinued",
    "SessionExpiring",
    "SessionOpened",
    "Severity",
    "SpeechDone",
    "SpeechStarted",
    "SpeechStopped",
    "TextDelta",
    "ToolCall",
    "ToolCallCancelled",
    "TranscriptionUsed",
    "UserTranscript",
    "UserTurnCommitted",
]
