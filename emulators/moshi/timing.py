"""How fast the emulated service works."""

from dataclasses import dataclass
from enum import Enum
from math import inf

from crossfade.errors import SettingsError


class Pace(Enum):
    """What lets the stream go on by a frame."""

    CLOCK = "clock"
    """A frame each 80 ms, whatever the client sends."""
    INPUT = "input"
    """A frame for each frame that is heard, as the real servers do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Delays and pace of one emulator. The defaults are near those of the service."""

    think_ms: float = 200
    """From the end of the user's speech to the answer, where the backend leaves it open."""
    silence_ms: int = 500
    """How long a pause ends the user's speech. The real model decides by what it hears."""
    session_seconds: float | None = None
    """The session's maximum duration. None: the server's own, six minutes or none."""
    pace: Pace = Pace.CLOCK

    def __post_init__(self) -> None:
        seconds = 1.0 if self.session_seconds is None else self.session_seconds
        # Nothing is less or greater than NaN.
        if not (0 <= self.think_ms < inf and 0 < self.silence_ms < inf and 0 < seconds < inf):
            raise SettingsError(f"durations are positive, delays not negative: {self}")
