"""What a model can do and cannot."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Capabilities of one model behind its native speech-to-speech wire."""

    model: str
    input_rate_hz: int
    """Rate of the audio it hears, mono."""
    output_rate_hz: int
    """Rate of the audio it speaks, mono."""
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
    semantic_vad: bool = False
    """It can judge by what is said whether the user's turn is over."""
    caller_turns: bool = True
    """It can be told when the user's turn begins and ends."""
    hold: bool = False
    """It can go on answering while the user speaks (`SessionConfig.interruptible` off)."""
    async_tools: bool = False
    """It goes on talking while a tool runs; else it is silent until the call is answered."""
    partial_tool_results: bool = False
    """It takes several results for one call, the last one final."""
    text_output: bool = False
    """It can answer in writing instead of speaking."""
    reasoning: bool = False
    speed: bool = False
    g711: bool = False
    update_instructions: bool = False
    update_tools: bool = False
    update_voice: bool = False
    """These can be changed while the session runs (the voice, until it has spoken)."""
    idle_timeout: bool = False
    resumption: bool = False
    """A later connection can take the session up by a handle."""
    instructions: bool = True
    """It can be told how to behave."""
    text_input: bool = True
    """It takes what the user writes."""
    full_duplex: bool = False
    """It has no turns and no responses of its own: both are inferred from its sound."""
    usage: bool = True
    """It says what a response cost."""
    user_transcripts: bool = True
    """It can tell the user's words."""
    speech_events: bool = True
    """It tells when it hears the user begin and stop to speak."""

    def own_voice(self, name: str | None) -> str | None:
        """Rewrite a neutral voice name; the provider's own names pass by."""
        return None if name is None else self.voices.get(name, name)


__all__ = ["Profile"]
