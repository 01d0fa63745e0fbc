"""The messages that go to OpenAI.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events
"""

import pybase64

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.profiles import Profile
from crossfade.providers.wire_json import JsonObject, encode

INJECTED_KEY = "crossfade_injected"
"""Metadata that marks a response outside the conversation; the service sends it back."""

_APPEND_HEAD, _APPEND_TAIL = b'{"type":"input_audio_buffer.append","audio":"', b'"}'
_TRANSCRIPTION_MODEL = "gpt-realtime-whisper"


def append_audio(pcm: bytes) -> bytes:
    # Fifty times a second for each call: no JSON encoder.
    return _APPEND_HEAD + pybase64.b64encode(pcm) + _APPEND_TAIL


def commit_audio() -> bytes:
    return encode({"type": "input_audio_buffer.commit"})


def clear_audio() -> bytes:
    return encode({"type": "input_audio_buffer.clear"})


def create_item(item: HistoryItem) -> bytes:
    return encode({"type": "conversation.item.create", "item": _item(item)})


def truncate_item(item_id: str, heard_ms: int) -> bytes:
    return encode(
        {
            "type": "conversation.item.truncate",
            "item_id": item_id,
            "content_index": 0,
            "audio_end_ms": heard_ms,
        }
    )


def delete_item(item_id: str) -> bytes:
    return encode({"type": "conversation.item.delete", "item_id": item_id})


def create_response(event_id: str, body: JsonObject | None) -> bytes:
    create: JsonObject = {"type": "response.create", "event_id": event_id}
    if body is not None:
        create["response"] = body
    return encode(create)


def cancel_response(response_id: str) -> bytes:
    return encode({"type": "response.cancel", "response_id": response_id})


def update_session(config: SessionConfig, profile: Profile) -> bytes:
    return encode({"type": "session.update", "session": _session(config, profile)})


def out_of_band_response(text: str) -> JsonObject:
    """Build the body of a response that says `text` and leaves no trace in the conversation."""
    return {
        "conversation": "none",
        "input": [],
        "tools": [],
        "output_modalities": ["audio"],
        "instructions": f'Say exactly: "{text}"',
        "metadata": {INJECTED_KEY: "true"},
    }


def _session(config: SessionConfig, profile: Profile) -> JsonObject:
    audio_in: JsonObject = {
        "format": {"type": "audio/pcm", "rate": profile.input_rate_hz},
        "transcription": _transcription(config),
        "turn_detection": _turn_detection(config),
    }
    audio_out: JsonObject = {"format": {"type": "audio/pcm", "rate": profile.output_rate_hz}}
    voice = profile.own_voice(config.voice)
    if voice is not None:
        audio_out["voice"] = {"id": voice} if voice.startswith("voice_") else voice
    session: JsonObject = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": config.instructions,
        "audio": {"input": audio_in, "output": audio_out},
        "tools": [_tool(tool) for tool in config.tools],
    }
    if config.tools and profile.parallel_tools:
        session["parallel_tool_calls"] = True
    if config.max_output_tokens is not None:
        session["max_output_tokens"] = config.max_output_tokens
    return session


def _item(item: HistoryItem) -> JsonObject:
    if isinstance(item, ToolCall):
        return {
            "type": "function_call",
            "call_id": item.id,
            "name": item.name,
            "arguments": item.unparsed or encode(dict(item.arguments)).decode(),
        }
    if isinstance(item, ToolResult):
        return {
            "type": "function_call_output",
            "call_id": item.call_id,
            "output": _tool_output(item),
        }
    return _message(item)


def _message(utterance: Utterance) -> JsonObject:
    # The agent's own words are taken as text only.
    if utterance.speaker is Speaker.USER:
        role, kind = "user", "input_text"
    else:
        role, kind = "assistant", "output_text"
    return {
        "type": "message",
        "role": role,
        "content": [{"type": kind, "text": utterance.text}],
    }


def _tool_output(result: ToolResult) -> str:
    output = {"error": result.output} if result.is_error else result.output
    return output if isinstance(output, str) else encode(output).decode()


def _tool(tool: ToolDeclaration) -> JsonObject:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }


def _transcription(config: SessionConfig) -> JsonObject | None:
    if not config.transcribe:
        return None
    transcription = {"model": _TRANSCRIPTION_MODEL}
    if config.language:
        # The service takes ISO 639-1: the first subtag.
        transcription["language"] = config.language.partition("-")[0].lower()
    return transcription


def _turn_detection(config: SessionConfig) -> JsonObject | None:
    if config.turn_detection is TurnDetection.CALLER:
        return None
    return {
        "type": "server_vad",
        "silence_duration_ms": config.silence_ms,
        "create_response": True,
        "interrupt_response": True,
    }


__all__ = [
    "INJECTED_KEY",
    "append_audio",
    "cancel_response",
    "clear_audio",
    "commit_audio",
    "create_item",
    "create_response",
    "delete_item",
    "out_of_band_response",
    "truncate_item",
    "update_session",
]
