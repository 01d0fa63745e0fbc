"""What the models can do that speak OpenAI's Realtime protocol.

Sources: https://platform.openai.com/docs/models, https://docs.x.ai/docs/guides/voice,
https://www.alibabacloud.com/help/en/model-studio/realtime
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from crossfade.providers.profiles import Profile

_logger = logging.getLogger(__name__)
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The models of one maker."""

    maker: str
    default_model: str
    profiles: Mapping[str, Profile]
    fallback: Profile
    """What every model of the maker can do."""

    def profile(self, model: str) -> Profile:
        """Find the profile of a model.

        A name that is not known, such as a deployment, has the profile of the longest known name
        it continues, else the fallback; the log says so once. A dated snapshot is known.
        """
        known = self.profiles.get(model) or self.profiles.get(_SNAPSHOT.sub("", model))
        if known is None:
            names = (name for name in self.profiles if model.startswith(f"{name}-"))
            known = self.profiles.get(max(names, key=len, default=""), self.fallback)
            _say_unknown(self.maker, model, known.model)
        return replace(known, model=model)


@lru_cache(maxsize=256)
def _say_unknown(maker: str, model: str, like: str) -> None:
    _logger.warning('The %s model "%s" is not known here; taken to be like %s.', maker, model, like)


def _by_name(profiles: Iterable[Profile]) -> Mapping[str, Profile]:
    return {profile.model: profile for profile in profiles}


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
    out_of_band=True,
    images=True,
    text_output=True,
    speed=True,
    g711=True,
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
