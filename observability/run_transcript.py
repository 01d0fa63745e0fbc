"""Reads transcript.json back; what is no transcript is none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .json_file import read_json
from .run_log import LONGEST_S

_Seconds = Annotated[float, Field(ge=-LONGEST_S, le=LONGEST_S)]


class _Lenient(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Item(_Lenient):
    id: str


class _Turn(_Lenient):
    role: str
    text: str = ""
    heard: str = ""
    started_at_s: _Seconds | None = None
    stopped_at_s: _Seconds | None = None
    duration_s: _Seconds | None = None
    sound_start_s: _Seconds | None = None
    sound_end_s: _Seconds | None = None
    items: list[_Item] = []


class _Transcript(_Lenient):
    turns: list[_Turn]


def read_transcript(path: Path) -> Mapping[str, Any] | None:
    """The transcript as it stands in the file, if its turns are such."""
    content = read_json(path)
    try:
        _Transcript.model_validate(content)
    except ValidationError:
        return None
    return content


__all__ = ["read_transcript"]
