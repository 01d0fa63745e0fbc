"""What each kind of record of a capture holds; a capture may have been edited. See docs/capture.md.

What a record holds beyond that is passed over.
"""

import base64
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

LONGEST_S = 86_400.0
"""No call is longer; a later time is a mistake."""


def _decodable(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


def _whole_samples(text: str) -> str:
    if len(base64.b64decode(text, validate=True)) % 2:
        raise ValueError("16-bit sound has an even number of bytes")
    return text


_Base64 = Annotated[str, AfterValidator(_decodable)]
_Sound = Annotated[str, AfterValidator(_whole_samples)]
_Line = Annotated[int, Field(ge=1)]


class _Head(BaseModel):
    model_config = ConfigDict(strict=True)

    t: Annotated[float, Field(ge=0, le=LONGEST_S)]


class _Settings(_Head):
    name: str
    values: dict[str, Any]


class _Input(_Head):
    audio: _Sound


class _Client(_Head):
    type: Literal["PlayoutHoldFrame", "PlayoutResumeFrame", "InputTextRawFrame", "UserImageFrame"]
    upstream: bool
    text: str = ""
    media_type: str = ""
    data: _Base64 = ""


class _Dialled(_Head):
    line: _Line
    address: str
    service: Literal["stt", "llm", "tts"] | None = None
    in_segments: bool = False


class _Text(_Head):
    line: _Line
    dir: Literal["in", "out"]
    text: str


class _Binary(_Head):
    line: _Line
    dir: Literal["in", "out"]
    binary: _Base64


class _Closed(_Head):
    line: _Line
    code: int
    reason: str


class _Tool(_Head):
    name: str
    number: int
    event: Literal["began", "part", "ended", "failed"]
    kind: Annotated[str, Field(pattern=r"^\w+$")] = "Error"
    words: str = ""


class _Phrase(_Head):
    text: str
    audio: _Sound
    made: bool


class _Heard(_Head):
    event: str


class _Frame(_Head):
    type: str
    fields: dict[str, Any]


class _PlayedItem(BaseModel):
    item_id: str


class _PlayedFields(BaseModel):
    items: list[_PlayedItem]
    interrupted: bool


class _Played(_Head):
    fields: _PlayedFields


class _Speech(_Head):
    item_id: str
    response_id: str
    hash: str


class _Order(_Head):
    node: str
    when: Literal["quiet", "now"]
    why: str
    speaks: bool


class _Lag(_Head):
    lag_ms: Annotated[float, Field(ge=0)]


_KINDS: dict[str, TypeAdapter[Any]] = {
    "settings": TypeAdapter(_Settings),
    "input": TypeAdapter(_Input),
    "client": TypeAdapter(_Client),
    "dialled": TypeAdapter(_Dialled),
    "message": TypeAdapter(_Text | _Binary),
    "closed": TypeAdapter(_Closed),
    "tool": TypeAdapter(_Tool),
    "phrase": TypeAdapter(_Phrase),
    "heard": TypeAdapter(_Heard),
    "frame": TypeAdapter(_Frame),
    "speech": TypeAdapter(_Speech),
    "lag": TypeAdapter(_Lag),
    "order": TypeAdapter(_Order),
}
_PLAYED: TypeAdapter[Any] = TypeAdapter(_Played)
_OTHER: TypeAdapter[Any] = TypeAdapter(_Head)


def check(kind: str, fields: dict[str, Any]) -> None:
    """See that a record holds what one of its kind does.

    Raises:
        ValueError: It does not.
    """
    _KINDS.get(kind, _OTHER).validate_python(fields)
    if kind == "frame" and fields["type"] == "SpeechPlayedFrame":
        _PLAYED.validate_python(fields)


__all__ = ["LONGEST_S", "check"]
