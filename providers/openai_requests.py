"""The messages that go to OpenAI.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events
"""

import re
import zlib

import pybase64

from crossfade.conversation.history import (
    HistoryItem,
    Notice,
    Picture,
    Recording,
    Speaker,
    Utterance,
)
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers.config import Modality
from crossfade.providers.openai_dialects import Dialect
from crossfade.providers.openai_session import modalities
from crossfade.providers.wire_json import JsonObject, encode

INJECTED_KEY = "crossfade_injected"
"""Metadata that marks a response outside the conversation, by the name of its request; the service
sends it back."""

OWN_IDS = "crossfade_"
"""How the ids begin that we give to messages and items."""

_LONGEST_CALL_ID = 64
_CALL_ID = re.compile(rf"[a-zA-Z0-9_-]{{1,{_LONGEST_CALL_ID}}}")
_NOT_IN_CALL_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_CANCEL = f"{OWN_IDS}cancel_"
_APPEND_HEAD, _APPEND_TAIL = b'{"type":"input_audio_buffer.append","audio":"', b'"}'


def append_audio(pcm: bytes) -> bytes:
    # Fifty times a second for each call: no JSON encoder.
    return b"".join((_APPEND_HEAD, pybase64.b64encode(pcm), _APPEND_TAIL))


def commit_audio(event_id: str = "") -> bytes:
    named = {"event_id": event_id} if event_id else {}
    return encode({"type": "input_audio_buffer.commit", **named})


def clear_audio() -> bytes:
    return encode({"type": "input_audio_buffer.clear"})


def create_item(item: JsonObject, item_id: str) -> bytes:
    """Put an item into the conversation; what is refused is named by the same id."""
    named = {"id": item_id, **item}
    return encode({"type": "conversation.item.create", "event_id": item_id, "item": named})


def image_item(data: bytes, media_type: str) -> JsonObject:
    url = f"data:{media_type};base64,{pybase64.b64encode(data).decode()}"
    return _message("user", {"type": "input_image", "image_url": url})


def partial_result_item(result: ToolResult) -> JsonObject:
    """Tell a part of a result beside the call, which takes one output only."""
    text = f"Progress of the call {result.call_id}, not its result yet: {tool_output(result)}"
    return _message("system", {"type": "input_text", "text": text})


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
        create["response"] = {**body, "metadata": {INJECTED_KEY: event_id}}
    return encode(create)


def cancel_response(response_id: str) -> bytes:
    """Cut a response; if it cannot be, the refusal tells which one (`cancelled_response`)."""
    return encode(
        {
            "type": "response.cancel",
            "event_id": f"{_CANCEL}{response_id}",
            "response_id": response_id,
        }
    )


def cancelled_response(event_id: str) -> str | None:
    """Which response the message of this name was to cut; None if it is no such message."""
    return event_id.removeprefix(_CANCEL) if event_id.startswith(_CANCEL) else None


def out_of_band_response(
    instructions: str, text: str | None, modality: Modality, dialect: Dialect
) -> JsonObject:
    """Build the body of a response that leaves no trace in the conversation.

    Args:
        instructions: What it shall do.
        text: What it knows; nothing if empty, the conversation so far if None.
        modality: Whether it is spoken or written.
        dialect: How the server spells it.
    """
    body: JsonObject = {
        "conversation": "none",
        "tools": [],
        **modalities(modality, dialect),
        "instructions": instructions,
    }
    if text is not None:
        body["input"] = [_message("user", {"type": "input_text", "text": text})] if text else []
    return body


def conversation_item(item: HistoryItem, dialect: Dialect) -> JsonObject:
    match item:
        case ToolCall():
            return {
                "type": "function_call",
                "call_id": _call_id(item.id),
                "name": item.name,
                "arguments": arguments_text(item),
            }
        case ToolResult():
            return {
                "type": "function_call_output",
                "call_id": _call_id(item.call_id),
                "output": tool_output(item),
            }
        case Picture(data=data, media_type=media_type):
            return image_item(data, media_type)
        case Recording(audio=audio):
            sound = pybase64.b64encode(audio).decode()
            return _message("user", {"type": "input_audio", "audio": sound})
        case Notice(text=text):
            return _message("system", {"type": "input_text", "text": text})
        case Utterance(speaker=Speaker.USER, text=text):
            return _message("user", {"type": "input_text", "text": text})
        case Utterance(text=text):
            # The agent's own words are taken as text only.
            return _message("assistant", {"type": dialect.answer_text, "text": text})


def arguments_text(call: ToolCall) -> str:
    return call.unparsed or encode(dict(call.arguments)).decode()


def tool_output(result: ToolResult) -> str:
    output = {"error": result.output} if result.is_error else result.output
    return output if isinstance(output, str) else encode(output).decode()


def _call_id(name: str) -> str:
    """Give the name of a call as this wire can say it: another provider may have given it."""
    if _CALL_ID.fullmatch(name):
        return name
    mark = f"_{zlib.crc32(name.encode(errors='replace')):08x}"
    return _NOT_IN_CALL_IDS.sub("_", name)[: _LONGEST_CALL_ID - len(mark)] + mark


def _message(role: str, content: JsonObject) -> JsonObject:
    return {"type": "message", "role": role, "content": [content]}


__all__ = [
    "INJECTED_KEY",
    "OWN_IDS",
    "append_audio",
    "arguments_text",
    "cancel_response",
    "cancelled_response",
    "clear_audio",
    "commit_audio",
    "conversation_item",
    "create_item",
    "create_response",
    "delete_item",
    "image_item",
    "out_of_band_response",
    "partial_result_item",
    "tool_output",
    "truncate_item",
]
