"""The servers that speak OpenAI's Realtime protocol, each with its own spelling.

Sources: https://platform.openai.com/docs/guides/realtime (and its beta-to-GA migration),
https://learn.microsoft.com/azure/ai-foundry/openai/realtime-audio-reference,
https://learn.microsoft.com/azure/ai-services/speech-service/voice-live-how-to,
https://docs.x.ai/docs/guides/voice/agent,
https://www.alibabacloud.com/help/en/model-studio/client-events
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from crossfade.errors import SettingsError
from crossfade.providers.config import Reasoning
from crossfade.providers.openai_profiles import OPENAI, QWEN, XAI, Family
from crossfade.providers.profiles import Profile

# Beta name → name since general availability.
_EARLIER_NAMES = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
}


class Shape(Enum):
    """Where the fields of a session stand."""

    NESTED = "nested"
    """Below `audio`, as generally available since 2025."""
    FLAT = "flat"
    """Side by side, as in the beta."""
    MIXED = "mixed"
    """Formats below `audio`, voice and turn detection above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One spelling of the protocol."""

    name: str
    family: Family
    key_variables: Sequence[str]
    url: str | None = None
    """The maker's endpoint; None where each customer has one."""
    key_header: str = "Authorization"
    headers: Mapping[str, str] = field(default_factory=dict)
    model_parameter: str = "model"
    query: Mapping[str, str] = field(default_factory=dict)
    """What the URL says besides the model, unless the caller's says otherwise."""
    shape: Shape = Shape.NESTED
    session: Mapping[str, Any] = field(default_factory=dict)
    """What every session says besides its configuration."""
    without: Sequence[str] = ()
    """Flags of the profile that this server does not keep."""
    recogniser: str | None = None
    """Model for the user's transcripts; None: the server chooses."""
    recogniser_of_several: str | None = None
    """The one that takes several languages, where there is one."""
    language_field: str = "language"
    semantic_vad: str = "semantic_vad"
    eagerness: bool = True
    """Semantic turn detection takes an eagerness; else it takes what the acoustic one takes."""
    turn_switches: bool = True
    """It can be told not to answer, and not to interrupt, by itself."""
    pcm_format: str = "pcm16"
    """Name of s16le in the flat shape."""
    answer_text: str = "output_text"
    """Type of the agent's written content."""
    nested_tools: bool = False
    voices: Mapping[str, str] | None = None
    """Neutral voice name → this server's, where it does not have those of the profile."""
    typed_voices: bool = False
    """A voice is an object that says whose it is."""
    token_limit: str = "max_output_tokens"
    efforts: Mapping[Reasoning, str] = field(default_factory=dict)
    event_names: Mapping[str, str] = field(default_factory=lambda: _EARLIER_NAMES)
    """Name on this wire → name since general availability; both are understood."""
    retired_models: Mapping[str, str] = field(default_factory=dict)
    """Beginning of a model's name → its successor, at the maker's own endpoint."""

    def profile(self, model: str) -> Profile:
        off: dict[str, Any] = dict.fromkeys(self.without, False)
        profile = replace(self.family.profile(model, self.retired_models), **off)
        return profile if self.voices is None else replace(profile, voices=self.voices)


_OPENAI = Dialect(
    name="openai",
    family=OPENAI,
    url="wss://api.openai.com/v1/realtime",
    key_variables=("OPENAI_API_KEY",),
    recogniser="gpt-realtime-whisper",
    recogniser_of_several="gpt-live-transcribe",
    efforts={
        Reasoning.OFF: "minimal",
        Reasoning.MINIMAL: "minimal",
        Reasoning.LOW: "low",
        Reasoning.MEDIUM: "medium",
        Reasoning.HIGH: "high",
    },
    retired_models={
        "gpt-4o-realtime-preview": "gpt-realtime-2.1",
        "gpt-4o-mini-realtime-preview": "gpt-realtime-2.1-mini",
    },
)
_AZURE_KEY = "AZURE_OPENAI_API_KEY"
_NOT_IN_BETA = (
    "async_tools",
    "idle_timeout",
    "images",
    "keep_context",
    "open_calls",
    "parallel_tools",
    "reasoning",
    "recordings",
)
_BETA = replace(
    _OPENAI,
    name="openai-beta",
    url=None,
    headers={"OpenAI-Beta": "realtime=v1"},
    shape=Shape.FLAT,
    without=_NOT_IN_BETA,
    # Those of the models of today are not known to servers that have not followed.
    voices={"warm": "coral", "bright": "shimmer", "calm": "sage", "deep": "ash"},
    recogniser="whisper-1",
    recogniser_of_several=None,
    answer_text="text",
    token_limit="max_response_output_tokens",
    efforts={},
    retired_models={},
)

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        _OPENAI,
        _BETA,
        replace(
            _OPENAI,
            name="azure",
            url=None,
            key_variables=(_AZURE_KEY,),
            key_header="api-key",
            recogniser="whisper-1",
            recogniser_of_several=None,
            retired_models={},
        ),
        replace(
            _BETA,
            name="azure-preview",
            key_variables=(_AZURE_KEY,),
            key_header="api-key",
            headers={},
            model_parameter="deployment",
            query={"api-version": "2024-10-01-preview"},
            without=(
                *_NOT_IN_BETA,
                "hold",
                "noise_reduction",
                "out_of_band",
                "semantic_vad",
                "speed",
            ),
            turn_switches=False,
        ),
        replace(
            _BETA,
            name="azure-voice-live",
            key_variables=("AZURE_VOICELIVE_API_KEY", _AZURE_KEY),
            key_header="api-key",
            headers={},
            query={"api-version": "2026-07-15"},
            session={"input_audio_sampling_rate": 24000},
            without=(*_NOT_IN_BETA, "g711", "noise_reduction", "out_of_band", "speed"),
            recogniser="azure-speech",
            semantic_vad="azure_semantic_vad",
            eagerness=False,
            typed_voices=True,
        ),
        Dialect(
            name="xai",
            family=XAI,
            url="wss://api.x.ai/v1/realtime",
            key_variables=("XAI_API_KEY",),
            shape=Shape.MIXED,
            language_field="language_hint",
            turn_switches=False,
        ),
        replace(
            _BETA,
            name="qwen",
            family=QWEN,
            url="wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime",
            key_variables=("DASHSCOPE_API_KEY",),
            headers={},
            without=(),
            voices=None,
            recogniser="gummy-realtime-v1",
            eagerness=False,
            turn_switches=False,
            pcm_format="pcm",
            nested_tools=True,
            token_limit="max_tokens",
        ),
    )
}


def find_dialect(name: str | None) -> Dialect:
    """Find a dialect by its name; None is OpenAI's own.

    Raises:
        SettingsError: There is none of this name.
    """
    dialect = DIALECTS.get(name or _OPENAI.name)
    if dialect is None:
        raise SettingsError(
            f'"{name}" is no dialect of OpenAI Realtime. There is: {", ".join(DIALECTS)}.'
        )
    return dialect


__all__ = ["DIALECTS", "Dialect", "Shape", "find_dialect"]
