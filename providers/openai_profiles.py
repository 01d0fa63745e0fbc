"""What the models can do that speak OpenAI's Realtime protocol.

Sources: https://platform.openai.com/docs/models, https://docs.x.ai/docs/guides/voice,
https://www.alibabacloud.com/help/en/model-studio/realtime
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from crossfade.providers.profiles import Profile, find_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The models of one maker."""

    maker: str
    default_model: str
    profiles: Mapping[str, Profile]
    fallback: Profile
    """What every model of the maker can do; one of the profiles."""

    def profile(self, model: str, shut_down: Iterable[str] = ()) -> Profile:
        """Find the profile of a model or a deployment; the log tells once of a name unknown."""
        known = find_model(
            self.profiles,
            model,
            maker=self.maker,
            fallback=self.fallback.model,
            shut_down=shut_down,
        )
        return replace(known, model=model)


def _by_name(profiles: Iterable[Profile]) -> Mapping[str, Profile]:
    return {profile.model: profile for profile in profiles}


_LARGEST_EVENT_BYTES = 15 * 2**20
_GPT_REALTIME = Profile(
    model="gpt-realtime",
    input_rate_hz=24000,
    output_rate_hz=24000,
    voices={"warm": "marin", "bright": "shimmer", "calm": "sage", "deep": "cedar"},
    session_limit_s=3600.0,
    server_vad=True,
    semantic_vad=True,
    hold=True,
    idle_timeout=True,
    truncation=True,
    history=True,
    tools=True,
    async_tools=True,
    partial_tool_results=True,
    open_calls=True,
    recordings=True,
    out_of_band=True,
    images=True,
    text_output=True,
    speed=True,
    g711=True,
    noise_reduction=True,
    transcription_model=True,
    image_limit_bytes=_LARGEST_EVENT_BYTES * 3 // 4 - 4096,
    update_instructions=True,
    update_tools=True,
    update_voice=True,
)
_GPT_REALTIME_2 = replace(
    _GPT_REALTIME, model="gpt-realtime-2", parallel_tools=True, reasoning=True
)

OPENAI = Family(
    maker="OpenAI",
    default_model="gpt-realtime-2.1",
    profiles=_by_name(
        (
            replace(_GPT_REALTIME_2, model="gpt-realtime-2.1"),
            replace(_GPT_REALTIME_2, model="gpt-realtime-2.1-mini"),
            _GPT_REALTIME_2,
            replace(_GPT_REALTIME, model="gpt-realtime-1.5"),
            _GPT_REALTIME,
            replace(_GPT_REALTIME, model="gpt-realtime-mini"),
        )
    ),
    fallback=_GPT_REALTIME,
)

_GROK_VOICE = Profile(
    model="grok-voice-latest",
    input_rate_hz=24000,
    output_rate_hz=24000,
    voices={"warm": "ara", "bright": "eve", "calm": "sal", "deep": "leo"},
    session_limit_s=3600.0,
    server_vad=True,
    idle_timeout=True,
    truncation=True,
    history=True,
    tools=True,
    partial_tool_results=True,
    speed=True,
    g711=True,
    max_output_tokens=False,
    keep_context=False,
    update_instructions=True,
    update_tools=True,
    update_voice=True,
)
XAI = Family(
    maker="xAI",
    default_model="grok-voice-latest",
    profiles=_by_name([_GROK_VOICE]),
    fallback=_GROK_VOICE,
)

_QWEN_OMNI = Profile(
    model="qwen3-omni-flash-realtime",
    input_rate_hz=16000,
    output_rate_hz=24000,
    voices={"warm": "Serena", "bright": "Cherry", "calm": "Chelsie", "deep": "Ethan"},
    session_limit_s=7200.0,
    server_vad=True,
    tools=True,
    text_output=True,
    keep_context=False,
    update_instructions=True,
    update_tools=True,
)
_QWEN_OMNI_3_5 = replace(
    _QWEN_OMNI, model="qwen3.5-omni-flash-realtime", semantic_vad=True, idle_timeout=True
)
QWEN = Family(
    maker="Qwen",
    default_model="qwen3.5-omni-flash-realtime",
    profiles=_by_name(
        (_QWEN_OMNI, _QWEN_OMNI_3_5, replace(_QWEN_OMNI_3_5, model="qwen3.5-omni-plus-realtime"))
    ),
    fallback=_QWEN_OMNI,
)

__all__ = ["OPENAI", "QWEN", "XAI", "Family"]
