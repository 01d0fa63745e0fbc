"""What the event log says about a message of a provider's wire."""

from typing import Any, NamedTuple

import orjson

from .redaction import redact, without_pieces
from .tool_secrets import SecretArguments, hide_arguments

# Where each kind of audio message keeps its base64. Beta spelling included.
_AUDIO_FIELDS = {
    "input_audio_buffer.append": "audio",
    "response.output_audio.delta": "delta",
    "response.audio.delta": "delta",
}
# How Crossfade's own adapter begins each append: nothing else need be looked for.
_OWN_APPEND = b'{"type":"input_audio_buffer.append","audio":"'
_OWN_BYTES = len(_OWN_APPEND) + len(b'"}')
_HEAD_BYTES = 400
_NO_NAMES: frozenset[str] = frozenset()
_IDS = ("event_id", "response_id", "item_id", "call_id", "previous_item_id")
_SIDE_FIELDS = frozenset({"usageMetadata", "sessionResumptionUpdate"})


class AudioMessage(NamedTuple):
    """A message that carries sound, read without parsing it."""

    type: str
    response_id: str
    item_id: str
    audio_bytes: int
    """Bytes of sound after base64."""
    message_bytes: int


def audio_message(message: str | bytes) -> AudioMessage | None:
    """Recognise an audio message of the OpenAI family by its first bytes, else None."""
    if isinstance(message, str):
        message = message.encode(errors="replace")
    if message.startswith(_OWN_APPEND) and message.endswith(b'"}'):
        padding = message.count(b"=", -4)
        audio_bytes = (len(message) - _OWN_BYTES) * 3 // 4 - padding
        return AudioMessage("input_audio_buffer.append", "", "", audio_bytes, len(message))
    head = message[:_HEAD_BYTES]
    if b"_audio" not in head:
        return None
    kind = _value_of(head, b'"type"')
    field = _AUDIO_FIELDS.get(kind)
    if field is None:
        return None
    quoted = b'"%b"' % field.encode()
    start = message.find(b'"', message.find(b":", message.find(quoted) + len(quoted))) + 1
    end = message.find(b'"', start)
    padding = message.count(b"=", max(start, end - 2), end)
    return AudioMessage(
        type=kind,
        response_id=_value_of(head, b'"response_id"'),
        item_id=_value_of(head, b'"item_id"'),
        audio_bytes=(end - start) * 3 // 4 - padding,
        message_bytes=len(message),
    )


class _Shape(NamedTuple):
    """What the messages of one item have in common: all but their own id and their sound."""

    before: bytes
    """Up to the message's id."""
    behind: bytes
    """From there to where the sound begins."""
    behind_at: int
    type: str
    response_id: str
    item_id: str


class AudioReader:
    """Recognises the audio messages of one direction of a line.

    Those of an item differ in their sound and the message's own id: what the last one had in
    common with them is looked for first, and found ten times in ten.
    """

    def __init__(self) -> None:
        self._shape: _Shape | None = None

    def read(self, message: str | bytes) -> AudioMessage | None:
        """As `audio_message` does."""
        shape = self._shape
        if (
            shape is None
            or isinstance(message, str)
            or not message.startswith(shape.behind, shape.behind_at)
            or not message.startswith(shape.before)
        ):
            return self._read_anew(message)
        start = shape.behind_at + len(shape.behind)
        end = message.find(b'"', start)
        padding = message.count(b"=", max(start, end - 2), end)
        audio_bytes = (end - start) * 3 // 4 - padding
        return AudioMessage(shape.type, shape.response_id, shape.item_id, audio_bytes, len(message))

    def _read_anew(self, message: str | bytes) -> AudioMessage | None:
        audio = audio_message(message)
        if audio is not None and audio.item_id and isinstance(message, bytes):
            self._shape = _shape(message, audio)
        return audio


def _shape(message: bytes, audio: AudioMessage) -> _Shape | None:
    quoted = b'"%b"' % _AUDIO_FIELDS[audio.type].encode()
    start = message.find(b'"', message.find(quoted) + len(quoted)) + 1
    own_id = _written(message[:start], b'"event_id"')
    # What stands behind the sound is not looked at.
    names = (b'"type"', b'"response_id"', b'"item_id"')
    if not all(_written(message[:start], name) for name in names):
        return None
    behind_at = message.find(own_id) + len(own_id)
    return _Shape(
        message[: behind_at - len(own_id)],
        message[behind_at:start],
        behind_at,
        audio.type,
        audio.response_id,
        audio.item_id,
    )


def describe_audio(audio: AudioMessage) -> dict[str, Any]:
    """The fields of an audio message's line in the log."""
    fields: dict[str, Any] = {
        "type": audio.type,
        "bytes": audio.message_bytes,
        "audio_bytes": audio.audio_bytes,
    }
    if audio.response_id:
        fields["response_id"] = audio.response_id
    if audio.item_id:
        fields["item_id"] = audio.item_id
    return fields


def describe_message(
    message: str | bytes,
    *,
    content: bool,
    secret_arguments: SecretArguments | frozenset[str] = _NO_NAMES,
) -> dict[str, Any]:
    """The fields of any other message's line in the log.

    A message that is no JSON object is of type "binary" or "text" and has no body.
    """
    length_bytes = len(message if isinstance(message, bytes) else message.encode(errors="replace"))
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        kind = "binary" if isinstance(message, bytes) else "text"
        return {"type": kind, "bytes": length_bytes}
    body = without_pieces(body)
    if secret_arguments:
        body = hide_arguments(body, secret_arguments)
    fields: dict[str, Any] = {"type": _type_of(body), "bytes": length_bytes}
    body.pop("type", None)
    if sound := body.pop(_AUDIO_FIELDS.get(fields["type"], ""), None):
        body["audio"] = sound
    for name in _IDS:
        if isinstance(body.get(name), str):
            fields[name] = body.pop(name)
    fields["body"] = redact(body, content=content)
    return fields


def _type_of(body: dict[str, Any]) -> str:
    """The type that the message states, or on Gemini's wire the field that it is about."""
    kind = body.get("type")
    if isinstance(kind, str):
        return kind
    fields = [name for name in body if name not in _SIDE_FIELDS] or list(body)
    return str(fields[0]) if fields else "empty"


def _written(head: bytes, quoted: bytes) -> bytes:
    """A quoted name with its string as they stand in `head`, b"" if they are not whole."""
    at = head.find(quoted)
    start = head.find(b'"', at + len(quoted)) + 1
    end = head.find(b'"', start)
    return head[at : end + 1] if at >= 0 and start and end >= 0 else b""


def _value_of(head: bytes, quoted: bytes) -> str:
    """The string under a quoted name, "" if it is not in `head`."""
    at = head.find(quoted)
    if at < 0:
        return ""
    start = head.find(b'"', at + len(quoted)) + 1
    return head[start : head.find(b'"', start)].decode(errors="replace")
