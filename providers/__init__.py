"""Native speech-to-speech providers behind one session.

Each wire has a pure protocol (`openai_realtime`); `connection` puts a WebSocket around it, and
`session` is what callers hold. Read in the order config, events, session, protocol.
"""

from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.providers.commands import Delivery
from crossfade.providers.config import (
    Eagerness,
    Encoding,
    Modality,
    NoiseReduction,
    Reasoning,
    SessionConfig,
    TurnDetection,
)
from crossfade.providers.connect import connect
from crossfade.providers.connection import Statistics
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    LateUsage,
    ProviderError,
    RateLimit,
    RateLimits,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    ResumptionHandle,
    SessionExpiring,
    SessionOpened,
    Severity,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCallCancelled,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.profiles import Profile
from crossfade.providers.session import RealtimeSession
from crossfade.providers.tap import WireDirection, WireTap

__all__ = [
    "AudioChunk",
    "Delivery",
    "Eagerness",
    "Encoding",
    "Event",
    "Interruption",
    "LateUsage",
    "Modality",
    "NoiseReduction",
    "Profile",
    "ProviderError",
    "RateLimit",
    "RateLimits",
    "RealtimeSession",
    "Reasoning",
    "ResponseDone",
    "ResponseStarted",
    "ResponseStatus",
    "ResumptionHandle",
    "SessionConfig",
    "SessionExpiring",
    "SessionOpened",
    "Severity",
    "SpeechDone",
    "SpeechStarted",
    "SpeechStopped",
    "Statistics",
    "TextDelta",
    "ToolCall",
    "ToolCallCancelled",
    "ToolDeclaration",
    "ToolResult",
    "TurnDetection",
    "UserTranscript",
    "UserTurnCommitted",
    "WireDirection",
    "WireTap",
    "connect",
]
