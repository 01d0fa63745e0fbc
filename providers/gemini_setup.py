"""The set-up message of a Gemini session, for each generation of models.

Source: https://ai.google.dev/api/live#BidiGenerateContentSetup
"""

import asyncio
import importlib
from collections.abc import Sequence
from types import ModuleType

from pydantic import ValidationError

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError
from crossfade.providers.config import Eagerness, Reasoning, SessionConfig, TurnDetection
from crossfade.providers.gemini_address import Service
from crossfade.providers.gemini_profiles import Generation, Thinking
from crossfade.providers.gemini_schema import gemini_schema
from crossfade.providers.wire_json import JsonObject

_THINKING_TOKENS = {
    Reasoning.OFF: 0,
    Reasoning.MINIMAL: 512,
    Reasoning.LOW: 1024,
    Reasoning.MEDIUM: 8192,
    Reasoning.HIGH: 24576,
}
_THINKING_LEVELS = {
    Reasoning.MINIMAL: "MINIMAL",
    Reasoning.LOW: "LOW",
    Reasoning.MEDIUM: "MEDIUM",
    Reasoning.HIGH: "HIGH",
}
# Gemini knows two sensitivities; below this threshold a faint sound begins a turn.
_EVEN_THRESHOLD = 0.5

_types: ModuleType | None = None
_looked_for_types = False


def types_loaded() -> bool:
    """Whether google-genai's types are loaded, or known not to be installed."""
    return _looked_for_types


def load_types_ahead() -> None:
    """Load google-genai's types now, unless an event loop runs: it would stand still."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        load_types()


def load_types() -> None:
    """Load google-genai's types, by which `check_setup` checks.

    They cost up to a second: not to be called on an event loop, but in a thread beside it.
    Without google-genai (the extra `gemini`) nothing is checked.
    """
    global _types, _looked_for_types
    if _looked_for_types:
        return
    try:
        _types = importlib.import_module("google.genai.types")
    except ImportError:
        _types = None
    _looked_for_types = True
    # The first use builds the validators, which takes a while, too.
    check_setup({"tools": [{}]})


def check_setup(setup: JsonObject) -> None:
    """Check a set-up, or a part of one, by google-genai's types, if they were loaded.

    Raises:
        SettingsError: Gemini knows no such field, or not this value of it.
    """
    if _types is None:
        return
    rest = dict(setup)
    try:
        _types.RealtimeInputConfig.model_validate(rest.pop("realtimeInputConfig", {}))
        for tool in rest.pop("tools", []):
            _types.Tool.model_validate(tool)
        _types.LiveClientSetup.model_validate(rest)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"Gemini's set-up cannot have this value in {where}: {problem['msg']}."
        ) from error


def build_setup(
    config: SessionConfig,
    generation: Generation,
    service: Service,
    *,
    resume: str | None = None,
    announce_history: bool = False,
) -> JsonObject:
    """Build the body of the set-up.

    Raises:
        SettingsError: The model does not think as little, or as much, as was asked.
    """
    profile = generation.profile
    setup: JsonObject = {
        "model": service.model_path(profile.model),
        "generationConfig": _generation_config(config, generation),
        "realtimeInputConfig": _realtime_input(config),
        "sessionResumption": {} if resume is None else {"handle": resume},
        "outputAudioTranscription": {},
    }
    if config.transcribe:
        languages = list(config.languages)
        setup["inputAudioTranscription"] = {"languageCodes": languages} if languages else {}
    if config.instructions:
        setup["systemInstruction"] = {"role": "user", "parts": [{"text": config.instructions}]}
    if config.tools:
        setup["tools"] = declare_tools(config.tools, generation)
    if config.compress_context:
        setup["contextWindowCompression"] = {"slidingWindow": {}}
    if announce_history:
        setup["historyConfig"] = {"initialHistoryInClientContent": True}
    return setup


def declare_tools(tools: Sequence[ToolDeclaration], generation: Generation) -> list[JsonObject]:
    """Declare tools, and where it may be said whether the model waits for them, say it."""
    behaves = generation.takes_behavior
    return [{"functionDeclarations": [_declare(tool, behaves=behaves) for tool in tools]}]


def _declare(tool: ToolDeclaration, *, behaves: bool) -> JsonObject:
    declaration: JsonObject = {"name": tool.name, "description": tool.description}
    parameters = gemini_schema(tool.parameters)
    # An object without properties is refused.
    if parameters.get("properties"):
        declaration["parameters"] = parameters
    if behaves and tool.blocking is not None:
        declaration["behavior"] = "BLOCKING" if tool.blocking else "NON_BLOCKING"
    return declaration


def _generation_config(config: SessionConfig, generation: Generation) -> JsonObject:
    settings: JsonObject = {"responseModalities": ["AUDIO"]}
    voice = generation.profile.own_voice(config.voice)
    if voice is not None:
        settings["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
    if config.max_output_tokens is not None:
        settings["maxOutputTokens"] = config.max_output_tokens
    thinking = _thinking(config.reasoning, generation)
    if thinking:
        settings["thinkingConfig"] = thinking
    return settings


def _thinking(reasoning: Reasoning | None, generation: Generation) -> JsonObject:
    if reasoning is None:
        return {"thinkingLevel": generation.fewest_thoughts} if generation.thinks_always else {}
    if generation.thinking is Thinking.BUDGET:
        return {"thinkingBudget": _THINKING_TOKENS[reasoning]}
    level = _THINKING_LEVELS.get(reasoning)
    too_low = level is None or (level == "MINIMAL" and generation.fewest_thoughts != level)
    if generation.thinking is Thinking.LEVEL and not too_low:
        return {"thinkingLevel": level}
    can = (
        "decides by itself how much it thinks"
        if generation.thinking is Thinking.FIXED
        else f"thinks at level {generation.fewest_thoughts} at least"
    )
    raise SettingsError(
        f"{generation.profile.model} {can}; reasoning {reasoning.value} cannot be had."
    )


def _realtime_input(config: SessionConfig) -> JsonObject:
    if config.turn_detection is TurnDetection.CALLER:
        detection: JsonObject = {"disabled": True}
    else:
        detection = {"silenceDurationMs": config.silence_ms}
        if config.prefix_ms is not None:
            detection["prefixPaddingMs"] = config.prefix_ms
        if config.threshold is not None:
            high = config.threshold < _EVEN_THRESHOLD
            detection["startOfSpeechSensitivity"] = f"START_SENSITIVITY_{'HIGH' if high else 'LOW'}"
        if config.eagerness is not Eagerness.AUTO:
            detection["endOfSpeechSensitivity"] = f"END_SENSITIVITY_{config.eagerness.name}"
    realtime: JsonObject = {"automaticActivityDetection": detection}
    if not config.interruptible:
        realtime["activityHandling"] = "NO_INTERRUPTION"
    return realtime


__all__ = [
    "build_setup",
    "check_setup",
    "declare_tools",
    "load_types",
    "load_types_ahead",
    "types_loaded",
]
