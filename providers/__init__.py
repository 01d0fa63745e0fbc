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
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.serving import Serving
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.events import (
    AudioChunk,
    AudioLost,
    Event,
    Handover,
    Interruption,
    LateUsage,
    LineLost,
    ProviderError,
    RateLimit,
    RateLimits,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    ResumptionHandle,
    SessionContinued,
    SessionExpiring,
    SessionOpened,
    Severity,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCallCancelled,
    TranscriptionUsed,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.profiles import Profile
from crossfade.providers.session import RealtimeSession
from crossfade.providers.tap import WireDirection, WireTap

__all__ = [
    "AudioChunk",
    "AudioLost",
    "Continuity",
    "Delivery",
    "Eagerness",
    "Encoding",
    "Endpoint",
    "Event",
    "Handover",
    "Interruption",
    "LateUsage",
    "LineLost",
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
    "Serving",
    "SessionConfig",
    "SessionContinued",
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
    "TranscriptionUsed",
    "TurnDetection",
    "UserTranscript",
    "UserTurnCommitted",
    "WireDirection",
    "WireTap",
    "connect",
]
