"""The checks of items that a client creates.

Shapes: https://platform.openai.com/docs/api-reference/realtime-client-events/conversation/item
"""

import binascii
import re
from collections.abc import Mapping
from typing import Any

import pybase64

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
    decoded_base64(path, value.partition(",")[2], "an image")


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
    return decoded_base64(path, value, "audio")


def decoded_base64(path: str, value: str, what: str) -> bytes:
    """The bytes of base64 text.

    Raises:
        RequestRefused: It is none.
    """
    try:
        return pybase64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefused(
            f"Invalid '{path}': expected base64-encoded {what}.", code="invalid_value", param=path
        ) from error
