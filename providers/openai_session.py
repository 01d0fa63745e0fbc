"""The configuration of a session, in the words of OpenAI's protocol.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
"""

from crossfade.conversation.tools import ToolDeclaration
from crossfade.providers.commands import Update
from crossfade.providers.config import Encoding, Modality, SessionConfig, TurnDetection
from crossfade.providers.openai_dialects import Dialect, Shape
from crossfade.providers.profiles import Profile
from crossfade.providers.wire_json import JsonObject, encode

CONFIGURES = "crossfade_session"
"""Name of the message that configures a session."""
_G711 = {Encoding.ULAW: ("audio/pcmu", "g711_ulaw"), Encoding.ALAW: ("audio/pcma", "g711_alaw")}


def configure(config: SessionConfig, profile: Profile, dialect: Dialect) -> bytes:
    """Give the message that configures a session."""
    build = {Shape.NESTED: _nested, Shape.FLAT: _flat, Shape.MIXED: _mixed}[dialect.shape]
    session = {**build(config, profile, dialect), **dialect.session}
    session["tools"] = _tools(config, dialect)
    if config.tools and profile.parallel_tools:
        session["parallel_tool_calls"] = True
    if config.max_output_tokens is not None:
        session[dialect.token_limit] = config.max_output_tokens
    if config.reasoning is not None and (effort := dialect.efforts.get(config.reasoning)):
        session["reasoning"] = {"effort": effort}
    return _update(session, CONFIGURES)


def change(update: Update, profile: Profile, dialect: Dialect, event_id: str) -> bytes:
    """Give the message `event_id` that changes what `update` names and nothing else."""
    session: JsonObject = {"type": "realtime"} if dialect.shape is Shape.NESTED else {}
    if update.instructions is not None:
        session["instructions"] = update.instructions
    if update.tools is not None:
        session["tools"] = [_tool(tool, dialect) for tool in update.tools]
        if update.tools and profile.parallel_tools:
            session["parallel_tool_calls"] = True
    if update.voice is not None:
        voice = {"voice": _voice(update.voice, profile, dialect)}
        session |= {"audio": {"output": voice}} if dialect.shape is Shape.NESTED else voice
    return _update(session, event_id)


def listen(config: SessionConfig, dialect: Dialect, event_id: str, *, turns: bool) -> bytes:
    """Give the message `event_id` that has the service find the user's turns as it is configured
    to, or not at all."""
    found: JsonObject = {"turn_detection": _turn_detection(config, dialect) if turns else None}
    if dialect.shape is Shape.NESTED:
        return _update({"type": "realtime", "audio": {"input": found}}, event_id)
    return _update(found, event_id)


def modalities(modality: Modality, dialect: Dialect) -> JsonObject:
    """Say whether an answer is spoken or written."""
    if dialect.shape is Shape.FLAT:
        return {"modalities": ["text"] if modality is Modality.TEXT else ["text", "audio"]}
    return {"output_modalities": [modality.value]}


def _update(session: JsonObject, event_id: str) -> bytes:
    return encode({"type": "session.update", "event_id": event_id, "session": session})


def _nested(config: SessionConfig, profile: Profile, dialect: Dialect) -> JsonObject:
    session: JsonObject = {
        "type": "realtime",
        **modalities(config.modality, dialect),
        "instructions": config.instructions,
        "audio": _audio(config, profile, dialect),
    }
    session["audio"]["input"]["turn_detection"] = _turn_detection(config, dialect)
    if config.voice is not None:
        session["audio"]["output"]["voice"] = _voice(config.voice, profile, dialect)
    if not config.compress_context:
        session["truncation"] = "disabled"
    return session


def _flat(config: SessionConfig, profile: Profile, dialect: Dialect) -> JsonObject:
    audio_format = dialect.pcm_format
    if config.encoding in _G711:
        _, audio_format = _G711[config.encoding]
    session: JsonObject = {
        **modalities(config.modality, dialect),
        "instructions": config.instructions,
        "input_audio_format": audio_format,
        "output_audio_format": audio_format,
        "input_audio_transcription": _transcription(config, dialect),
        "turn_detection": _turn_detection(config, dialect),
    }
    if config.noise_reduction is not None:
        session["input_audio_noise_reduction"] = {"type": config.noise_reduction.value}
    if config.voice is not None:
        session["voice"] = _voice(config.voice, profile, dialect)
    if config.speed is not None:
        session["speed"] = config.speed
    return session


def _mixed(config: SessionConfig, profile: Profile, dialect: Dialect) -> JsonObject:
    session: JsonObject = {
        "instructions": config.instructions,
        "turn_detection": _turn_detection(config, dialect),
        "audio": _audio(config, profile, dialect),
    }
    if config.voice is not None:
        session["voice"] = _voice(config.voice, profile, dialect)
    return session


def _audio(config: SessionConfig, profile: Profile, dialect: Dialect) -> JsonObject:
    output: JsonObject = {"format": _format(config.encoding, profile.output_rate_hz)}
    if config.speed is not None:
        output["speed"] = config.speed
    heard: JsonObject = {
        "format": _format(config.encoding, profile.input_rate_hz),
        "transcription": _transcription(config, dialect),
    }
    if config.noise_reduction is not None:
        heard["noise_reduction"] = {"type": config.noise_reduction.value}
    return {"input": heard, "output": output}


def _format(encoding: Encoding, rate_hz: int) -> JsonObject:
    if encoding in _G711:
        return {"type": _G711[encoding][0]}
    return {"type": "audio/pcm", "rate": rate_hz}


def _voice(name: str, profile: Profile, dialect: Dialect) -> str | JsonObject:
    voice = profile.voices.get(name, name)
    if dialect.typed_voices:
        # Azure's own voices are named like en-US-AvaNeural.
        return {"type": "azure-standard" if "Neural" in voice else "openai", "name": voice}
    return {"id": voice} if voice.startswith("voice_") else voice


def _tools(config: SessionConfig, dialect: Dialect) -> list[JsonObject]:
    return [_tool(tool, dialect) for tool in config.tools]


def _tool(tool: ToolDeclaration, dialect: Dialect) -> JsonObject:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    if dialect.nested_tools:
        return {"type": "function", "function": function}
    return {"type": "function", **function}


def recogniser(config: SessionConfig, dialect: Dialect) -> str:
    """The model that writes down the user's words; empty if none does, or the service's own."""
    return str((_transcription(config, dialect) or {}).get("model", ""))


def _transcription(config: SessionConfig, dialect: Dialect) -> JsonObject | None:
    if not config.transcribe:
        return None
    # Recognisers take ISO 639-1: the first subtag.
    languages = [tag.partition("-")[0].lower() for tag in config.languages]
    of_several = dialect.recogniser_of_several
    wanted = config.transcription_model or of_several
    if len(languages) > 1 and of_several is not None and wanted == of_several:
        return {"model": of_several, "languages": languages}
    transcription: JsonObject = {}
    if (model := config.transcription_model or dialect.recogniser) is not None:
        transcription["model"] = model
    if languages:
        transcription[dialect.language_field] = languages[0]
    return transcription


def _turn_detection(config: SessionConfig, dialect: Dialect) -> JsonObject | None:
    if config.turn_detection is TurnDetection.CALLER:
        return None
    if config.turn_detection is TurnDetection.SEMANTIC:
        detection: JsonObject = {"type": dialect.semantic_vad}
    else:
        detection = {"type": "server_vad"}
    if config.turn_detection is TurnDetection.SEMANTIC and dialect.eagerness:
        detection["eagerness"] = config.eagerness.value
    else:
        detection["silence_duration_ms"] = config.silence_ms
        wishes = {
            "threshold": config.threshold,
            "prefix_padding_ms": config.prefix_ms,
            "idle_timeout_ms": config.idle_timeout_ms,
        }
        detection |= {name: value for name, value in wishes.items() if value is not None}
    if dialect.turn_switches:
        # What the service would answer while it still speaks, it refuses: see `Input`.
        detection["create_response"] = config.interruptible
        detection["interrupt_response"] = config.interruptible
    return detection


__all__ = ["CONFIGURES", "change", "configure", "listen", "modalities", "recogniser"]
