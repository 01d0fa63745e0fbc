"""What browsers by WebRTC ask, as pipecat's client writes it. Pure."""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crossfade.errors import CallerError

LARGEST_OFFER = 48_000
"""Characters; those of browsers have 20,000 at most."""
_LONGEST_TOKEN = 2048
_LONGEST_CANDIDATE = 1024


class _Asked(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Offer(_Asked):
    """How a browser may be reached, and what it can hear and say."""

    sdp: str = Field(max_length=LARGEST_OFFER)
    type: Literal["offer"]
    pc_id: str | None = Field(default=None, max_length=_LONGEST_TOKEN, repr=False)
    """What it was given in the last answer; None begins a call."""
    restart_pc: bool | None = None
    """Whether it lost the way, and makes its connection anew."""


class Candidate(_Asked):
    """An address of a browser."""

    candidate: str = Field(max_length=_LONGEST_CANDIDATE)
    sdp_mid: str | None = Field(default=None, max_length=16)
    sdp_mline_index: int | None = Field(default=None, ge=0, le=16)


class Candidates(_Asked):
    """More addresses of a browser."""

    pc_id: str = Field(max_length=_LONGEST_TOKEN, repr=False)
    candidates: list[Candidate] = Field(max_length=64)


_Kind = TypeVar("_Kind", bound=_Asked)


def read(kind: type[_Kind], body: bytes) -> _Kind:
    """A request's body.

    Raises:
        CallerError: It is none of this kind. The text does not quote it.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise CallerError(f"{where}: {first['msg']}") from None


__all__ = ["LARGEST_OFFER", "Candidate", "Candidates", "Offer", "read"]
