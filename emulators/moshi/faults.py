"""Faults that only Moshi can have."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from ..faults.script import Fault


class Expire(Fault):
    """The session reaches its maximum duration: the connection is dropped without a close."""

    fault: Literal["expire"] = "expire"


class Busy(Fault):
    """Somebody else is served: the handshake comes `ms` late, or never."""

    marks = True
    fault: Literal["busy"] = "busy"
    ms: PositiveFloat | None = None


class ErrorFrame(Fault):
    """An error comes (kind 5); the stream goes on."""

    fault: Literal["error_frame"] = "error_frame"
    message: str = "internal error"


class GarbledOgg(Fault):
    """The next `frames` of sound are no Ogg pages."""

    marks = True
    fault: Literal["garbled_ogg"] = "garbled_ogg"
    frames: PositiveInt = 1


class SendFrame(Fault):
    """A message of your own comes, of any kind, such as 6, a ping, or one that nobody knows."""

    fault: Literal["send_frame"] = "send_frame"
    kind: Annotated[int, Field(ge=0, le=255)] = 42
    text: str = ""


OWN_FAULTS: tuple[type[Fault], ...] = (Expire, Busy, ErrorFrame, GarbledOgg, SendFrame)
