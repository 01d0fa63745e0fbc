"""Reads transcript.json back; what is no transcript is none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .json_file import read_json


class _Lenient(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Item(_Lenient):
    id: str


class _Turn(_Lenient):
    role: str
    text: str = ""
    heard: str = ""
    started_at_s: float | None = None
    stopped_at_s: float | None = None
    duration_s: float | None = None
    sound_start_s: float | None = None
    sound_end_s: float | None = None
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
