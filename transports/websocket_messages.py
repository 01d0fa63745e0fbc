"""The control messages of our WebSocket protocol, docs/websocket.md. Pure."""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import orjson
import pybase64

from crossfade.errors import CallerError

VERSION = 1
RATES_HZ = (8000, 16000, 24000, 48000)
LARGEST_MESSAGE_BYTES = 256 * 1024
"""Of sound or JSON; two and a half seconds at 48 kHz."""
KEYS = frozenset("0123456789*#ABCD")
PICTURES = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
"""Those that may be shown, and how their files begin."""
_MOST_TEXT_CHARACTERS = 4096
_MOST_NAME_CHARACTERS = 128
_MOST_SAMPLES = 2**53


class CloseCode(IntEnum):
    """Why the server closes a client's connection, and what the client shall do."""

    OVER = 1000
    """The call is over."""
    REPLACED = 4001
    """The call goes on at another attachment; do not come back."""
    MOVED = 4002
    """This server hands its calls over; re-attach at once, elsewhere if you can."""
    MALFORMED = 4400
    """What the client sent cannot be understood; do not come back."""
    REFUSED = 4401
    """The token was refused; do not come back."""
    UNKNOWN = 4404
    """There is no such call any more; do not come back."""
    TIMEOUT = 4408
    """The client said nothing, or read nothing, for too long; re-attach."""
    TAKEN = 4409
    """Another server holds the call and does not let go of it; re-attach later."""
    FAILED = 4500
    """The call cannot go on here, such as by its provider's fault: re-attach elsewhere. A new one
    cannot begin."""
    BUSY = 4503
    """This server takes no calls now; try elsewhere."""


FINAL = frozenset(
    {
        CloseCode.OVER,
        CloseCode.REPLACED,
        CloseCode.MALFORMED,
        CloseCode.REFUSED,
        CloseCode.UNKNOWN,
    }
)
"""After these the client does not come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSpeech:
    """What the client heard of the agent, at the end of its last attachment."""

    stream: int
    samples: int
    """Of that stream."""
    response_id: str = ""
    """The response whose speech it heard last."""
    response_ms: float = 0.0
    """How much of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The client's first message: it begins a call, or re-attaches to one by its token."""

    token: str | None = field(default=None, repr=False)
    call_id: str | None = None
    """The name that a new call shall have; None leaves it to the server."""
    input_rate_hz: int | None = None
    """Of the microphone; None takes what the server says."""
    output_rate_hz: int | None = None
    reports: bool = False
    """Whether the client will tell what it has played."""
    heard: HeardSpeech | None = None
    access: str | None = field(default=None, repr=False)
    """What lets the client begin a call: the server's access token, or a ticket."""
    caller: str | None = field(default=None, repr=False)
    """Whose call it is, such as a user's name; where nodes are chosen by arms, the same caller gets
    the same one."""
    details: bool = False
    """Whether the client wants to be told of tools, latency and cost."""

    def with_token(self, token: str) -> "Hello":
        """The same, with a token that stood elsewhere."""
        return replace(self, token=token)

    def with_access(self, access: str) -> "Hello":
        """The same, with an access token that stood elsewhere."""
        return replace(self, access=access)


@dataclass(frozen=True, slots=True, kw_only=True)
class Microphone:
    """The next binary message begins with this sample of the call's microphone."""

    from_sample: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """So many samples of a stream have sounded at the client."""

    stream: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The caller hangs up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """The client asks whether the line lives; the answer is `pong`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A message of a later version; it is passed over."""

    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The caller writes to the agent."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The caller shows a picture."""

    data: bytes = field(repr=False)
    """A file."""
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """The caller presses a key of a phone."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The caller wants to talk to another node."""

    node: str


ClientMessage = (
    Hello | Microphone | Played | Goodbye | Ping | Written | Shown | Pressed | Chosen | Unknown
)


def read_message(text: bytes | str) -> ClientMessage:
    """Understand what a client says.

    Raises:
        CallerError: It is no JSON object with a type, or a field of it cannot be used.
    """
    content = _object(text)
    kind = content["type"]
    match kind:
        case "hello":
            return _hello(content)
        case "microphone":
            return Microphone(from_sample=_count(content, "from_sample"))
        case "played":
            return Played(stream=_count(content, "stream"), samples=_count(content, "samples"))
        case "bye":
            return Goodbye()
        case "ping":
            return Ping()
        case "text":
            return Written(text=_needed(content, "text"))
        case "image":
            return _image(content)
        case "key":
            return _key(content)
        case "node":
            return Chosen(node=_needed(content, "name"))
    return Unknown(type=kind)


def write_message(type: str, **fields: Any) -> bytes:
    """One message as JSON; fields that are None are left out."""
    return orjson.dumps({"type": type, **{k: v for k, v in fields.items() if v is not None}})


def read_object(text: bytes | str) -> Mapping[str, Any]:
    """What the server says, for a client; an empty mapping if it is nothing of ours."""
    try:
        return _object(text)
    except CallerError:
        return {}


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CallerError("a text message is not JSON; sound goes as binary messages") from error
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        raise CallerError("a text message is no JSON object with a type")
    return content


def _hello(content: Mapping[str, Any]) -> Hello:
    version = content.get("version", VERSION)
    if version != VERSION:
        raise CallerError(f"version {version!r} of the protocol is not known; speak {VERSION}")
    heard = content.get("heard")
    return Hello(
        token=_text(content, "token"),
        call_id=_name(content, "call_id"),
        input_rate_hz=_rate(content, "input_rate_hz"),
        output_rate_hz=_rate(content, "output_rate_hz"),
        reports=content.get("reports") is True,
        heard=None if heard is None else _heard(heard),
        access=_text(content, "access"),
        caller=_text(content, "caller"),
        details=content.get("details") is True,
    )


def _heard(content: Any) -> HeardSpeech:
    if not isinstance(content, dict):
        raise CallerError("heard is no JSON object")
    response_ms = content.get("response_ms", 0)
    if isinstance(response_ms, bool) or not isinstance(response_ms, int | float):
        raise CallerError("response_ms is no number")
    return HeardSpeech(
        stream=_count(content, "stream"),
        samples=_count(content, "samples"),
        response_id=_text(content, "response_id") or "",
        response_ms=max(0.0, float(response_ms)),
    )


def _image(content: Mapping[str, Any]) -> Shown:
    media_type, coded = content.get("mime"), content.get("data")
    begins = PICTURES.get(media_type) if isinstance(media_type, str) else None
    if begins is None:
        raise CallerError(f"mime is not one of {', '.join(PICTURES)}")
    try:
        data = pybase64.b64decode(coded, validate=True) if isinstance(coded, str) else b""
    except (binascii.Error, ValueError) as error:
        raise CallerError("the data of a picture is not base64") from error
    if not data.startswith(begins):
        raise CallerError(f"the picture is no {media_type}")
    return Shown(data=data, media_type=str(media_type))


def _key(content: Mapping[str, Any]) -> Pressed:
    key = content.get("key")
    if not isinstance(key, str) or key not in KEYS:
        raise CallerError("key is none of a phone's")
    return Pressed(key=key)


def _needed(content: Mapping[str, Any], name: str) -> str:
    value = _text(content, name)
    if value is None or not value.strip():
        raise CallerError(f"{name} is empty")
    return value


def _text(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _MOST_TEXT_CHARACTERS:
        raise CallerError(f"{name} is no text of {_MOST_TEXT_CHARACTERS} characters or less")
    return value


def _name(content: Mapping[str, Any], name: str) -> str | None:
    value = _text(content, name)
    if value is None or (
        len(value) <= _MOST_NAME_CHARACTERS and value.isprintable() and value == value.strip()
    ):
        return value
    raise CallerError(
        f"{name} is no name: {_MOST_NAME_CHARACTERS} characters or less, all of them visible"
    )


def _count(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST_SAMPLES:
        raise CallerError(f"{name} is no count")
    return value


def _rate(content: Mapping[str, Any], name: str) -> int | None:
    value = content.get(name)
    if value is None or (type(value) is int and value in RATES_HZ):
        return value
    raise CallerError(f"{name} is not one of {', '.join(map(str, RATES_HZ))}")


__all__ = [
    "FINAL",
    "KEYS",
    "LARGEST_MESSAGE_BYTES",
    "PICTURES",
    "RATES_HZ",
    "VERSION",
    "Chosen",
    "ClientMessage",
    "CloseCode",
    "Goodbye",
    "HeardSpeech",
    "Hello",
    "Microphone",
    "Ping",
    "Played",
    "Pressed",
    "Shown",
    "Unknown",
    "Written",
    "read_message",
    "read_object",
    "write_message",
]
