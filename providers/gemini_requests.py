"""The messages that go to Gemini, but for the set-up.

Source: https://ai.google.dev/api/live#send-messages
"""

from collections.abc import Sequence

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
from crossfade.providers.wire_json import JsonObject, encode

INPUT_RATE_HZ = 16000

_AUDIO_HEAD = (
    f'{{"realtimeInput":{{"audio":{{"mimeType":"audio/pcm;rate={INPUT_RATE_HZ}","data":"'.encode()
)
_AUDIO_TAIL = b'"}}}'
# Gemini 2.5 takes only a history whose last words are the user's.
_GO_ON = "(The conversation goes on.)"


def append_audio(pcm: bytes) -> bytes:
    # Fifty times a second for each call: no JSON encoder.
    return _AUDIO_HEAD + pybase64.b64encode(pcm) + _AUDIO_TAIL


def show_image(data: bytes, media_type: str) -> bytes:
    return encode({"realtimeInput": {"video": _blob(data, media_type)}})


def realtime_text(text: str) -> bytes:
    return encode({"realtimeInput": {"text": text}})


def start_activity() -> bytes:
    return encode({"realtimeInput": {"activityStart": {}}})


def end_activity() -> bytes:
    return encode({"realtimeInput": {"activityEnd": {}}})


def user_content(texts: Sequence[str], *, complete: bool) -> bytes:
    """Say something as the user, and have all that was said answered if it is complete."""
    turns = [_turn("user", [{"text": text} for text in texts])] if texts else []
    return _content(turns, complete=complete)


def earlier_content(history: Sequence[HistoryItem], *, announced: bool) -> list[bytes]:
    """Tell what was said before.

    Args:
        history: It goes as text, but for pictures: a call of another session has no id in this
            one. What nobody said goes as the user's words, in brackets: there is no other role.
            No words of it are empty.
        announced: The set-up said that this comes; it is then marked as complete, and not
            answered. Otherwise it must end with the user's words, and waits for more of them.
    """
    turns: list[JsonObject] = []
    calls = {item.id: item for item in history if isinstance(item, ToolCall)}
    answered = {item.call_id for item in history if isinstance(item, ToolResult)}
    for item in history:
        if isinstance(item, ToolCall) and item.id in answered:
            # It is told with its result.
            continue
        role, part = _told(item, calls)
        # Roles must alternate.
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"].append(part)
        else:
            turns.append(_turn(role, [part]))
    if not turns:
        return [_content([], complete=True)] if announced else []
    if not announced and turns[-1]["role"] == "model":
        turns.append(_turn("user", [{"text": _GO_ON}]))
    return [_content(turns, complete=announced)]


def answer_call(
    result: ToolResult, name: str, *, with_id: bool, scheduling: str | None, final: bool
) -> bytes:
    """Answer a call.

    Args:
        result: What it gave.
        name: The tool.
        with_id: Whether the call came with an id.
        scheduling: When the model shall speak of it, where it does not wait for it.
        final: Whether no more of it comes.
    """
    answer: JsonObject = {"id": result.call_id} if with_id else {}
    answer["name"] = name
    answer["response"] = {"error" if result.is_error else "output": result.output}
    if scheduling is not None:
        answer["scheduling"] = scheduling
    if not final:
        answer["willContinue"] = True
    return encode({"toolResponse": {"functionResponses": [answer]}})


def update_context(instructions: str | None, tools: list[JsonObject] | None) -> bytes:
    update: JsonObject = {}
    if instructions is not None:
        update["systemInstruction"] = _turn("user", [{"text": instructions}])
    if tools is not None:
        update["tools"] = {"tools": tools}
    return encode({"contextUpdate": update})


def _content(turns: list[JsonObject], *, complete: bool) -> bytes:
    content: JsonObject = {"turns": turns} if turns else {}
    return encode({"clientContent": {**content, "turnComplete": complete}})


def _turn(role: str, parts: list[JsonObject]) -> JsonObject:
    return {"role": role, "parts": parts}


def _told(item: HistoryItem, calls: dict[str, ToolCall]) -> tuple[str, JsonObject]:
    """The role of an item, and what it is told as."""
    match item:
        case Utterance(speaker=speaker, text=text):
            return ("user" if speaker is Speaker.USER else "model"), {"text": text}
        case Picture(data=data, media_type=media_type):
            return "user", {"inlineData": _blob(data, media_type)}
        case Recording(audio=audio):
            return "user", {"inlineData": _blob(audio, f"audio/pcm;rate={INPUT_RATE_HZ}")}
        case Notice(text=text):
            return "user", {"text": f"[{text}]"}
        case ToolCall():
            return "user", {"text": f"[{_asked(item)} was called; its result is not known yet]"}
        case ToolResult():
            call = calls.get(item.call_id)
            asked = "a tool" if call is None else _asked(call)
            what = "failed" if item.is_error else "gave"
            output = item.output if isinstance(item.output, str) else encode(item.output).decode()
            return "user", {"text": f"[{asked} {what}: {output}]"}


def _asked(call: ToolCall) -> str:
    return f"{call.name}({call.unparsed or encode(dict(call.arguments)).decode()})"


def _blob(data: bytes, media_type: str) -> JsonObject:
    return {"mimeType": media_type, "data": pybase64.b64encode(data).decode()}


__all__ = [
    "INPUT_RATE_HZ",
    "answer_call",
    "append_audio",
    "earlier_content",
    "end_activity",
    "realtime_text",
    "show_image",
    "start_activity",
    "update_context",
    "user_content",
]
