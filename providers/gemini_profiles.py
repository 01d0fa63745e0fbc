"""What Gemini's live models can do.

Sources: https://ai.google.dev/gemini-api/docs/live-api/capabilities and
https://ai.google.dev/gemini-api/docs/live-api/tools
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from crossfade.providers.profiles import Profile, find_model


class Thinking(Enum):
    """How a generation is told to think."""

    BUDGET = "a number of tokens"
    LEVEL = "a level"
    FIXED = "not at all: it knows by itself"


class ToolMode(Enum):
    """Whether a generation speaks on while a tool runs."""

    BLOCKING = "never"
    BLOCKING_BY_DEFAULT = "if the tool is declared so"
    ASYNC_BY_DEFAULT = "unless the tool is declared blocking"
    ASYNC = "always"


# What it comes to where no tool can be declared one or the other.
_AS_IT_IS = {
    ToolMode.BLOCKING: ToolMode.BLOCKING,
    ToolMode.BLOCKING_BY_DEFAULT: ToolMode.BLOCKING,
    ToolMode.ASYNC_BY_DEFAULT: ToolMode.ASYNC,
    ToolMode.ASYNC: ToolMode.ASYNC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Models that take the same set-up and the same messages."""

    profile: Profile
    thinking: Thinking
    tool_mode: ToolMode
    realtime_text: bool = True
    """Text that asks for an answer goes in as realtimeInput; else as clientContent."""
    late_content: bool = True
    """It takes clientContent at any time; else only what was said before the session."""
    history_config: bool = True
    """The history is announced in the set-up and may end with the agent's words."""
    fewest_thoughts: str = "MINIMAL"
    """The lowest level of thinking."""
    thinks_always: bool = False
    """A level must be named."""
    delivery: bool = True
    """It can be told when to speak of a result that it does not wait for."""

    @property
    def takes_behavior(self) -> bool:
        """Whether a tool may be declared blocking or not."""
        return self.tool_mode in (ToolMode.BLOCKING_BY_DEFAULT, ToolMode.ASYNC_BY_DEFAULT)

    def on_vertex(self) -> "Generation":
        """The same models on Vertex AI, which takes one result for each call, and no wishes."""
        tool_mode = _AS_IT_IS[self.tool_mode]
        profile = replace(
            self.profile,
            async_tools=tool_mode is ToolMode.ASYNC,
            partial_tool_results=False,
            interrupting_results=False,
        )
        return replace(self, profile=profile, tool_mode=tool_mode, delivery=False)

    def blocks(self, *, declared: bool | None) -> bool:
        """Whether the model waits for the answer of a tool that is declared so."""
        match self.tool_mode:
            case ToolMode.BLOCKING:
                return True
            case ToolMode.BLOCKING_BY_DEFAULT:
                return declared is not False
            case ToolMode.ASYNC_BY_DEFAULT:
                return declared is True
            case ToolMode.ASYNC:
                return False


_GEMINI_3_8 = Profile(
    model="gemini-3.8-live",
    input_rate_hz=16000,
    output_rate_hz=24000,
    voices={"warm": "Sulafat", "bright": "Zephyr", "calm": "Vindemiatrix", "deep": "Charon"},
    session_limit_s=600.0,
    server_vad=True,
    speech_events=False,
    history=True,
    recordings=True,
    tools=True,
    parallel_tools=True,
    images=True,
    hold=True,
    async_tools=True,
    partial_tool_results=True,
    interrupting_results=True,
    update_instructions=True,
    update_tools=True,
    resumption=True,
)
_OLDER = replace(_GEMINI_3_8, update_instructions=False, update_tools=False, reasoning=True)

_LIVE_3_8 = Generation(
    profile=_GEMINI_3_8, thinking=Thinking.FIXED, tool_mode=ToolMode.ASYNC_BY_DEFAULT
)
_EXTENDED_THINKING_3_8 = Generation(
    profile=replace(_GEMINI_3_8, model="gemini-3.8-live-extended-thinking", reasoning=True),
    thinking=Thinking.LEVEL,
    tool_mode=ToolMode.ASYNC,
    fewest_thoughts="LOW",
    thinks_always=True,
)
_FLASH_3_1 = Generation(
    profile=replace(
        _OLDER,
        model="gemini-3.1-flash-live-preview",
        async_tools=False,
        partial_tool_results=False,
        interrupting_results=False,
    ),
    thinking=Thinking.LEVEL,
    tool_mode=ToolMode.BLOCKING,
    late_content=False,
)
_NATIVE_AUDIO_2_5 = Generation(
    profile=replace(_OLDER, model="gemini-2.5-flash-native-audio-preview-12-2025"),
    thinking=Thinking.BUDGET,
    tool_mode=ToolMode.BLOCKING_BY_DEFAULT,
    realtime_text=False,
    history_config=False,
)

GEMINI_DEFAULT_MODEL = _GEMINI_3_8.model
GEMINI_GENERATIONS: Mapping[str, Generation] = {
    generation.profile.model: generation
    for generation in (_LIVE_3_8, _EXTENDED_THINKING_3_8, _FLASH_3_1, _NATIVE_AUDIO_2_5)
}
GEMINI_SHUT_DOWN: Mapping[str, str] = {
    "gemini-2.0-flash-live": GEMINI_DEFAULT_MODEL,
    "gemini-live-2.5-flash-preview": GEMINI_DEFAULT_MODEL,
}
"""Models that are served no more → their successors."""
_FAMILIES: Mapping[str, Generation] = {
    "gemini-3.8-live-extended-thinking": _EXTENDED_THINKING_3_8,
    "gemini-3.8-live": _LIVE_3_8,
    "gemini-3.1-flash-live": _FLASH_3_1,
    "gemini-2.5-flash-native-audio": _NATIVE_AUDIO_2_5,
    # As Vertex AI calls it.
    "gemini-live-2.5-flash-native-audio": _NATIVE_AUDIO_2_5,
    "gemini-live-2.5-flash": _NATIVE_AUDIO_2_5,
    "gemini-2.0-flash-live": _NATIVE_AUDIO_2_5,
}


def gemini_generation(model: str) -> Generation:
    """Find the generation of a model, by its short name or its full path.

    Any name that is not known is taken for the newest generation; the log says so once.
    """
    name = model.rpartition("/")[2]
    generation = find_model(
        _FAMILIES,
        name,
        maker="Google",
        fallback=GEMINI_DEFAULT_MODEL,
        shut_down=GEMINI_SHUT_DOWN,
    )
    return replace(generation, profile=replace(generation.profile, model=model))


__all__ = [
    "GEMINI_DEFAULT_MODEL",
    "GEMINI_GENERATIONS",
    "GEMINI_SHUT_DOWN",
    "Generation",
    "Thinking",
    "ToolMode",
    "gemini_generation",
]
