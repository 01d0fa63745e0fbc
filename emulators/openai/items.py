"""Conversation items: their shape on the wire and the checks of items that a client creates.

Shapes: https://platform.openai.com/docs/api-reference/realtime-client-events/conversation/item
"""

import binascii
import re
from collections.abc import Mapping
from typing import Any

import pybase64

from .configuration import BYTES_PER_MS
from .errors import RequestRefused, missing_parameter
from .validation import (
    array,
    choice,
    mapping,
    nullable,
    record,
    text,
    text_up_to,
    variant,
)

WireItem = dict[str, Any]

_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")


def _call_id(path: str, value: Any) -> None:
    text(path, value)
    if not _CALL_ID.fullmatch(value):
        raise RequestRefused(
            f"Invalid '{path}': string does not match pattern. Expected a string that matches "
            "the pattern '^[a-zA-Z0-9_-]+$'.",
            code="invalid_value",
            param=path,
        )


def _audio(path: str, value: Any) -> None:
    decoded_audio(path, value)


def _image_url(path: str, value: Any) -> None:
    text(path, value)
    if not value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,")):
        raise RequestRefused(
            f"Invalid '{path}': expected a base64 data URI of a PNG or JPEG image.",
            code="invalid_value",
            param=path,
        )


_COMMON = {
    "id": text_up_to(64),
    "object": choice("realtime.item"),
    "type": text,
    "status": choice("completed", "incomplete", "in_progress"),
}
_INPUT_TEXT = record({"type": text, "text": text}, required=["text"])
_INPUT_AUDIO = record(
    {"type": text, "audio": _audio, "transcript": nullable(text)}, required=["audio"]
)
_INPUT_IMAGE = record(
    {"type": text, "image_url": _image_url, "detail": choice("auto", "low", "high")},
    required=["image_url"],
)


def _message_of(content: Mapping[str, Any]) -> Any:
    fields = {**_COMMON, "role": text, "content": array(variant(content))}
    return record(fields, required=["content"])


_MESSAGE = variant(
    {
        "system": _message_of({"input_text": _INPUT_TEXT}),
        "user": _message_of(
            {
                "input_text": _INPUT_TEXT,
                "input_audio": _INPUT_AUDIO,
                "input_image": _INPUT_IMAGE,
            }
        ),
        # What the service has said in sound it cannot be told: only as text.
        "assistant": _message_of({"output_text": _INPUT_TEXT}),
    },
    tag="role",
)
_ITEM = variant(
    {
        "message": _MESSAGE,
        "function_call": record(
            {**_COMMON, "call_id": _call_id, "name": text, "arguments": text},
            required=["name", "arguments"],
        ),
        "function_call_output": record(
            {**_COMMON, "call_id": _call_id, "output": text}, required=["call_id", "output"]
        ),
    }
)


def check_item(path: str, value: Any) -> None:
    """Refuse an item that the service would not take from a client."""
    mapping(path, value)
    if "type" not in value:
        raise missing_parameter(f"{path}.type")
    _ITEM(path, value)


def decoded_audio(path: str, value: Any) -> bytes:
    """The bytes of a base64 field.

    Raises:
        RequestRefused: It is no base64.
    """
    text(path, value)
    try:
        return pybase64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefused(
            f"Invalid '{path}': expected base64-encoded audio.", code="invalid_value", param=path
        ) from error


class Item:
    """One item of a conversation: what the wire shows of it, and the sound that it does not.

    Args:
        wire: The item as its events show it; never with audio in it.
        audio: s16le mono at 24 kHz, of the item's first audio content.
    """

    def __init__(self, wire: WireItem, audio: bytes = b"") -> None:
        self.wire = wire
        self.audio = bytearray(audio)

    @classmethod
    def created_by_client(cls, wire: Mapping[str, Any], *, id: str) -> "Item":
        """A checked item of a client; `id` serves where it has none."""
        kept: WireItem = {"id": wire.get("id", id), "type": wire["type"]}
        if wire["type"] != "function_call_output":
            kept["status"] = "completed"
        audio = b""
        for name in ("role", "call_id", "name", "arguments", "output"):
            if name in wire:
                kept[name] = wire[name]
        if wire["type"] == "message":
            kept["content"] = [dict(part) for part in wire["content"]]
            for part in kept["content"]:
                if part["type"] == "input_audio":
                    audio += pybase64.b64decode(part.pop("audio"))
                    part.setdefault("transcript", None)
        return cls(kept, audio)

    @classmethod
    def spoken_by_user(cls, id: str, audio: bytes) -> "Item":
        """The item that a commit of the input audio makes."""
        content = [{"type": "input_audio", "transcript": None}]
        wire = {
            "id": id,
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": content,
        }
        return cls(wire, audio)

    @property
    def id(self) -> str:
        return str(self.wire["id"])

    @property
    def type(self) -> str:
        return str(self.wire["type"])

    @property
    def role(self) -> str | None:
        """Of a message: system, user or assistant."""
        return self.wire.get("role")

    @property
    def content(self) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = self.wire.get("content", [])
        return content

    @property
    def text(self) -> str:
        """Every written word and transcript of a message."""
        words = (part.get("text") or part.get("transcript") or "" for part in self.content)
        return " ".join(word for word in words if word)

    @property
    def audio_ms(self) -> int:
        """How much sound the item holds."""
        return len(self.audio) // BYTES_PER_MS

    @property
    def speaks(self) -> bool:
        """Whether it is speech of the model, with some sound in it."""
        return any(part["type"] == "output_audio" for part in self.content) and bool(self.audio)

    def snapshot(self) -> WireItem:
        """The item as an event shows it now."""
        wire = dict(self.wire)
        if "content" in wire:
            wire["content"] = [dict(part) for part in wire["content"]]
        return wire

    def with_audio(self) -> WireItem:
        """The item as `conversation.item.retrieved` shows it."""
        wire = self.snapshot()
        for part in wire.get("content", []):
            if part["type"] in ("input_audio", "output_audio"):
                part["audio"] = pybase64.b64encode(bytes(self.audio)).decode()
                break
        return wire

    def cut(self, audio_end_ms: int) -> None:
        """Forget the sound after `audio_end_ms`, and the transcript as a whole."""
        del self.audio[audio_end_ms * BYTES_PER_MS :]
        for part in self.content:
            if part["type"] == "output_audio":
                part["transcript"] = None
