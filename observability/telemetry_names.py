"""The names of spans, attributes and metrics. docs/telemetry.md tells what they mean.

`gen_ai.*` are OpenTelemetry's semantic conventions for generative AI, used where they have a word
for it: https://opentelemetry.io/docs/specs/semconv/gen-ai/. All others are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SCOPE = "crossfade"

# Spans
CALL = "call"
TURN = "turn"
USER_SPEECH = "user speech"
VOICE_TO_VOICE = "voice to voice"
AGENT_SPEECH = "agent speech"
CHAT = "chat"
EXECUTE_TOOL = "execute_tool"

# Attributes with a conventional name
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
CONVERSATION_ID = "gen_ai.conversation.id"
RESPONSE_ID = "gen_ai.response.id"
OUTPUT_TYPE = "gen_ai.output.type"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
ERROR_TYPE = "error.type"

# Attributes of ours
TURN_NUMBER = "crossfade.turn.number"
STATUS = "crossfade.response.status"
INJECTED = "crossfade.response.injected"
INTERRUPTED = "crossfade.interrupted"
OUTCOME = "crossfade.call.outcome"
WHY = "crossfade.session.change"
GAP_MS = "crossfade.session.gap_ms"
LOST_MS = "crossfade.audio.lost_ms"
USER_TEXT = "crossfade.user.text"
AGENT_TEXT = "crossfade.agent.text"
MESSAGE = "crossfade.message"

# Events of the call's span
SESSION_LOST = "crossfade.session.lost"
SESSION_CONTINUED = "crossfade.session.continued"
AUDIO_LOST = "crossfade.audio.lost"
FAILED = "crossfade.failed"

# Bounds of buckets, in seconds. The answers of people come within 0.2 to 0.3 s.
_ANSWERS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_SILENCES_S = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0)
_TOOLS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_CALLS_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
# Those of the conventions.
_OPERATIONS_S = tuple(0.01 * 2**power for power in range(14))
_TOKENS = tuple(float(4**power) for power in range(14))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One instrument."""

    name: str
    unit: str
    description: str
    buckets: tuple[float, ...] = ()
    """Of a histogram; other instruments have none."""


HISTOGRAMS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="crossfade.call.duration",
            unit="s",
            description="How long calls last",
            buckets=_CALLS_S,
        ),
        Metric(
            name="crossfade.voice_to_voice.duration",
            unit="s",
            description="From the end of the caller's speech to the first audible sample",
            buckets=_ANSWERS_S,
        ),
        Metric(
            name="crossfade.interruption.duration",
            unit="s",
            description="From the caller's first sound to the agent's silence",
            buckets=_SILENCES_S,
        ),
        Metric(
            name="crossfade.response.time_to_first_byte",
            unit="s",
            description="From the response's start to the first byte of its sound",
            buckets=_ANSWERS_S,
        ),
        Metric(
            name="crossfade.tool.duration",
            unit="s",
            description="From a tool's call to its answer",
            buckets=_TOOLS_S,
        ),
        Metric(
            name="crossfade.tool.time_to_acknowledge",
            unit="s",
            description="From a tool's call to the first sound after it",
            buckets=_ANSWERS_S,
        ),
        Metric(
            name="crossfade.session.gap",
            unit="s",
            description="For how long no session took the caller's audio",
            buckets=_TOOLS_S,
        ),
        Metric(
            name="gen_ai.client.operation.duration",
            unit="s",
            description="From the response's start to its last byte",
            buckets=_OPERATIONS_S,
        ),
        Metric(
            name="gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of a call",
            buckets=_TOKENS,
        ),
    )
}
COUNTERS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="crossfade.calls", unit="{call}", description="Calls that are over"),
        Metric(
            name="crossfade.calls.unrecorded",
            unit="{call}",
            description="Calls of which no record could be kept",
        ),
        Metric(name="crossfade.turns", unit="{turn}", description="Turns of callers"),
        Metric(
            name="crossfade.interruptions",
            unit="{interruption}",
            description="Answers that were interrupted",
        ),
        Metric(name="crossfade.errors", unit="{error}", description="Errors in calls"),
        Metric(
            name="crossfade.session.changes",
            unit="{change}",
            description="Other sessions that took over",
        ),
        Metric(
            name="crossfade.audio.lost", unit="s", description="Callers' audio that reached nobody"
        ),
        Metric(name="crossfade.cost", unit="{USD}", description="What calls cost, where known"),
    )
}
ACTIVE = Metric(name="crossfade.calls.active", unit="{call}", description="Calls that run")
