"""The events that a client may send, each with the check of its fields."""

from typing import Any

import orjson

from .errors import RequestRefused
from .response_settings import check_response
from .validation import Check, anything, integer, mapping, nullable, record, text

ClientEvent = dict[str, Any]


def _event(required: dict[str, Check] | None = None, **optional: Check) -> Check:
    fields = {"type": text, "event_id": text, **(required or {}), **optional}
    return record(fields, required=list(required or ()))


def _of_translation(path: str, event: Any) -> None:
    """The service lists these events everywhere and takes them in translation sessions only."""
    raise RequestRefused(
        f"The event '{event['type']}' is only taken in a translation session.",
        code="invalid_value",
        param="type",
    )


CLIENT_EVENTS: dict[str, Check] = {
    # In the order in which the service lists them. What lies under `session` and `item` is checked
    # where it is used.
    "session.update": _event({"session": mapping}),
    "session.close": _of_translation,
    "input_audio_buffer.append": _event({"audio": text}),
    "session.input_audio_buffer.append": _of_translation,
    "input_audio_buffer.commit": _event(),
    "input_audio_buffer.clear": _event(),
    "conversation.item.create": _event({"item": anything}, previous_item_id=nullable(text)),
    "conversation.item.truncate": _event(
        {"item_id": text, "content_index": integer(0), "audio_end_ms": integer(0)}
    ),
    "conversation.item.delete": _event({"item_id": text}),
    "conversation.item.retrieve": _event({"item_id": text}),
    "response.create": _event(response=nullable(check_response)),
    "response.cancel": _event(response_id=nullable(text)),
}


def decoded(message: str | bytes) -> ClientEvent:
    """The event of a message.

    Raises:
        RequestRefused: The message is no JSON object with a type.
    """
    if isinstance(message, bytes):
        raise RequestRefused(
            "Expected a text WebSocket message; binary frames are not supported.",
            code="invalid_event",
        )
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise RequestRefused(
            "Invalid event: failed to parse JSON value.", code="invalid_json"
        ) from error
    if not isinstance(event, dict) or "type" not in event:
        raise RequestRefused("The 'type' field is missing.", code="invalid_event")
    return event


def without_media(event: ClientEvent) -> tuple[ClientEvent, int]:
    """An event as it is recorded: without sound and images, and how many bytes of sound it had."""
    if event["type"] == "input_audio_buffer.append" and isinstance(event.get("audio"), str):
        # Without its padding, base64 is four characters for three bytes.
        size = len(event["audio"].rstrip("=")) * 3 // 4
        return {name: value for name, value in event.items() if name != "audio"}, size
    item = event.get("item")
    if not isinstance(item, dict) or not isinstance(item.get("content"), list):
        return event, 0
    content = [_summary(part) for part in item["content"]]
    return {**event, "item": {**item, "content": content}}, 0


def _summary(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    long = {name: part[name] for name in ("audio", "image_url") if isinstance(part.get(name), str)}
    return {**part, **{name: f"{len(value)} characters" for name, value in long.items()}}
