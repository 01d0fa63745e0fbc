"""What a model can do and cannot."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Capabilities of one model behind its native speech-to-speech wire."""

    model: str
    input_rate_hz: int
    """Rate of the audio it hears, s16le mono."""
    output_rate_hz: int
    """Rate of the audio it speaks, s16le mono."""
    voices: Mapping[str, str] = field(default_factory=dict)
    """Neutral voice name → the provider's own."""
    session_limit_s: float | None = None
    """The provider ends a session after this time."""
    server_vad: bool = False
    """It can decide by itself when the user's turn begins and ends."""
    truncation: bool = False
    """It can be told how much of an answer was heard."""
    history: bool = False
    """It can be told what was said before."""
    tools: bool = False
    parallel_tools: bool = False
    """One response may call several tools."""
    out_of_band: bool = False
    """It can speak outside the conversation."""
    images: bool = False

    def own_voice(self, name: str | None) -> str | None:
        """Rewrite a neutral voice name; the provider's own names pass by."""
        return None if name is None else self.voices.get(name, name)


_GPT_REALTIME = Profile(
    model="gpt-realtime",
    input_rate_hz=24000,
    output_rate_hz=24000,
    voices={"warm": "marin", "bright": "shimmer", "calm": "sage", "deep": "cedar"},
    session_limit_s=3600.0,
    server_vad=True,
    truncation=True,
    history=True,
    tools=True,
    out_of_band=True,
    images=True,
)
_GPT_REALTIME_2 = replace(_GPT_REALTIME, model="gpt-realtime-2", parallel_tools=True)

OPENAI_DEFAULT_MODEL = "gpt-realtime-2.1"
OPENAI_PROFILES: Mapping[str, Profile] = {
    profile.model: profile
    for profile in (
        replace(_GPT_REALTIME_2, model="gpt-realtime-2.1"),
        replace(_GPT_REALTIME_2, model="gpt-realtime-2.1-mini"),
        _GPT_REALTIME_2,
        replace(_GPT_REALTIME, model="gpt-realtime-1.5"),
        _GPT_REALTIME,
        replace(_GPT_REALTIME, model="gpt-realtime-mini"),
    )
}


def openai_profile(model: str) -> Profile:
    """Find the profile of an OpenAI Realtime model.

    An unknown name, such as a dated snapshot or a deployment, has the profile of the longest known
    name it continues, else that of the oldest generation, which every model can meet.
    """
    families = (name for name in OPENAI_PROFILES if f"{model}-".startswith(f"{name}-"))
    family = max(families, key=len, default="")
    return replace(OPENAI_PROFILES.get(family, _GPT_REALTIME), model=model)


__all__ = ["OPENAI_DEFAULT_MODEL", "OPENAI_PROFILES", "Profile", "openai_profile"]
