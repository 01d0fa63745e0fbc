"""What the user shows."""

from dataclasses import dataclass, field

from pipecat.frames.frames import DataFrame


@dataclass
class UserImageFrame(DataFrame):
    """A picture, as a file. The model speaks of it in its next answer. Flows downstream."""

    data: bytes = field(repr=False)
    media_type: str
    """image/jpeg or image/png."""


__all__ = ["UserImageFrame"]
