"""What a cascaded call was set up with, as its capture keeps it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crossfade.observability.capture import Capture
from crossfade.processors.tools import Tool

from .assembly import EndOfTurnRule
from .capture_call import keep_tools

Rate = Annotated[int, Field(ge=8000, le=48_000)]


class Kept(BaseModel):
    """A part of a capture's settings, which somebody may have changed."""

    model_config = ConfigDict(strict=True, frozen=True)


class CascadeSetup(Kept):
    """What `cascaded_call` was given."""

    node: Literal["cascade"] = "cascade"
    instructions: str
    """Without what is said of tools."""
    tool_instruction: bool
    end_of_turn: EndOfTurnRule
    in_rate_hz: Rate
    out_rate_hz: Rate
    begun_elsewhere: bool
    """Something was said before, in another process."""


def keep_cascade(capture: Capture, setup: CascadeSetup, tools: Sequence[Tool]) -> None:
    """Put it into the capture."""
    capture.settings("call", setup.model_dump())
    keep_tools(capture, tools)


__all__ = ["CascadeSetup", "Kept", "Rate", "keep_cascade"]
