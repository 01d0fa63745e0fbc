"""What a session is set up with, held against what its model can."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .closes import INVALID_ARGUMENT, NOT_IMPLEMENTED, Closed, unknown_name
from .endpoint import Endpoint
from .functions import Tools, declared
from .models import (
    INPUT_LIMIT_TOKENS,
    VOICES,
    Model,
    Proactive,
    Thinking,
    find_model,
)

# Measures of this emulator: the service publishes none.
_START_THRESHOLDS = {"HIGH": 0.5, "LOW": 0.75}
_SILENCE_MS = {"HIGH": 500, "LOW": 1000}
_PREFIX_MS = 64
_LONGEST_MS = 60_000
_TRIGGER_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How the user's speech is found."""

    start_threshold: float
    """Speech probability from which sound is speech."""
    prefix_ms: int
    """So much speech begins a turn."""
    silence_ms: int
    """So much silence ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """When the oldest of the conversation is dropped, and down to what."""

    trigger_tokens: int
    target_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is in force in a session."""

    endpoint: Endpoint
    model: Model
    instructions: str
    tools: Tools
    detection: Detection | None
    """None: the client tells where its user's turns begin and end."""
    interrupts: bool
    """The user's activity interrupts the model."""
    coverage: str
    tells_activity: bool
    """The client is told where turns begin and end (Vertex)."""
    input_transcription: bool
    output_transcription: bool
    thoughts: bool
    max_output_tokens: int | None
    seeded: bool
    """The first clientContent is the conversation's history."""
    resumable: bool
    """The client is given handles."""
    handle: str | None
    transparent: bool
    compression: Compression | None


def configured(
    setup: Mapping[str, Any], endpoint: Endpoint, models: Collection[str]
) -> Configuration:
    """The configuration that a checked `setup` asks for.

    Raises:
        Closed: The model is not served, or cannot do what is asked.
    """
    model = find_model(setup.get("model", ""), endpoint.version, models)
    _check_endpoint(setup, endpoint)
    generation = setup.get("generationConfig", {})
    _check_generation(generation, model, endpoint)
    _check_proactivity(setup.get("proactivity", {}), model)
    realtime = setup.get("realtimeInputConfig", {})
    resumption = setup.get("sessionResumption")
    return Configuration(
        endpoint=endpoint,
        model=model,
        instructions=content_text(setup.get("systemInstruction", {})),
        tools=declared(setup.get("tools", []), model, endpoint),
        detection=_detection(realtime.get("automaticActivityDetection", {}), endpoint),
        interrupts=realtime.get("activityHandling") != "NO_INTERRUPTION",
        coverage=_given(realtime.get("turnCoverage")) or model.coverage,
        tells_activity=setup.get("explicitVadSignal", False),
        input_transcription=model.transcripts_unasked or "inputAudioTranscription" in setup,
        output_transcription=model.transcripts_unasked or "outputAudioTranscription" in setup,
        thoughts=_shows_thoughts(generation.get("thinkingConfig", {}), model),
        max_output_tokens=generation.get("maxOutputTokens"),
        seeded=setup.get("historyConfig", {}).get("initialHistoryInClientContent", False),
        resumable=resumption is not None,
        handle=(resumption or {}).get("handle") or None,
        transparent=(resumption or {}).get("transparent", False),
        compression=_compression(setup.get("contextWindowCompression")),
    )


def updated(configuration: Configuration, update: Mapping[str, Any]) -> Configuration:
    """The configuration after a checked `contextUpdate`.

    Raises:
        Closed: The model takes none, or not these tools.
    """
    model, endpoint = configuration.model, configuration.endpoint
    if not model.context_update:
        raise Closed(NOT_IMPLEMENTED)
    if "systemInstruction" in update:
        instructions = content_text(update["systemInstruction"])
        configuration = replace(configuration, instructions=instructions)
    if "tools" in update:
        tools = declared(update["tools"].get("tools", []), model, endpoint)
        configuration = replace(configuration, tools=tools)
    return configuration


def content_text(content: Mapping[str, Any]) -> str:
    """The text of a checked Content."""
    return "\n".join(part["text"] for part in content.get("parts", []) if "text" in part)


def _given(name: str | None) -> str | None:
    """An enum's value, unless it is the one for nothing."""
    return None if name is None or name.endswith("_UNSPECIFIED") else name


def _check_endpoint(setup: Mapping[str, Any], endpoint: Endpoint) -> None:
    foreign = ("historyConfig",) if endpoint.vertex else ("explicitVadSignal", "labels")
    for name in foreign:
        if name in setup:
            raise unknown_name(name, "setup")
    if not endpoint.vertex and "transparent" in setup.get("sessionResumption", {}):
        raise unknown_name("transparent", "setup.session_resumption")


def _check_generation(generation: Mapping[str, Any], model: Model, endpoint: Endpoint) -> None:
    if generation.get("responseModalities", ["AUDIO"]) not in ([], ["AUDIO"]):
        raise Closed(INVALID_ARGUMENT)
    if "enableAffectiveDialog" in generation:
        if not endpoint.vertex and endpoint.version != "v1alpha":
            raise unknown_name("enableAffectiveDialog", "setup.generation_config")
        if generation["enableAffectiveDialog"] and not model.affective:
            raise Closed(NOT_IMPLEMENTED)
    _check_thinking(generation.get("thinkingConfig"), model)
    voice = generation.get("speechConfig", {}).get("voiceConfig", {})
    name = voice.get("prebuiltVoiceConfig", {}).get("voiceName")
    if name is not None and name.capitalize() not in VOICES:
        raise Closed(INVALID_ARGUMENT)


def _check_thinking(thinking: Mapping[str, Any] | None, model: Model) -> None:
    level = _given((thinking or {}).get("thinkingLevel"))
    match model.thinking:
        case Thinking.BUDGET:
            refused = level is not None
        case Thinking.LEVEL:
            refused = False
        case Thinking.REFUSED:
            refused = bool(thinking)
        case Thinking.LEVEL_REQUIRED:
            refused = level in (None, "MINIMAL")
    if refused:
        raise Closed(INVALID_ARGUMENT)


def _shows_thoughts(thinking: Mapping[str, Any], model: Model) -> bool:
    if thinking.get("thinkingBudget") == 0:
        return False
    return bool(thinking.get("includeThoughts", model.thoughts_unasked))


def _check_proactivity(proactivity: Mapping[str, Any], model: Model) -> None:
    wanted = proactivity.get("proactiveAudio")
    if model.proactive is Proactive.ALWAYS and wanted is False:
        raise Closed(INVALID_ARGUMENT)
    if model.proactive is Proactive.NEVER and wanted:
        raise Closed(NOT_IMPLEMENTED)


def _detection(settings: Mapping[str, Any], endpoint: Endpoint) -> Detection | None:
    if settings.get("disabled"):
        return None
    default = "LOW" if endpoint.vertex else "HIGH"
    start = settings.get("startOfSpeechSensitivity", "").rpartition("_")[2]
    end = settings.get("endOfSpeechSensitivity", "").rpartition("_")[2]
    prefix_ms = settings.get("prefixPaddingMs", _PREFIX_MS)
    silence_ms = settings.get("silenceDurationMs", _SILENCE_MS.get(end, _SILENCE_MS[default]))
    if not (0 <= prefix_ms <= _LONGEST_MS and 0 <= silence_ms <= _LONGEST_MS):
        raise Closed(INVALID_ARGUMENT)
    return Detection(
        start_threshold=_START_THRESHOLDS.get(start, _START_THRESHOLDS[default]),
        prefix_ms=prefix_ms,
        silence_ms=silence_ms,
    )


def _compression(settings: Mapping[str, Any] | None) -> Compression | None:
    if settings is None:
        return None
    trigger = settings.get("triggerTokens", int(INPUT_LIMIT_TOKENS * _TRIGGER_SHARE))
    target = settings.get("slidingWindow", {}).get("targetTokens", trigger // 2)
    if not 0 <= target < trigger:
        raise Closed(INVALID_ARGUMENT)
    return Compression(trigger_tokens=trigger, target_tokens=target)
