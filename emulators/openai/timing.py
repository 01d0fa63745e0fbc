"""How fast the emulated service works."""

from dataclasses import dataclass
from math import inf

from crossfade.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Speeds and delays of one emulator. The defaults are near those of the service."""

    think_ms: float = 300
    """From the start of a response to its first output, where the backend leaves it open."""
    speed: float = 4.0
    """Speech is generated so many times faster than it sounds; `inf` sends it at once."""
    chunk_ms: int = 100
    """Speech in one audio delta."""
    burst_ms: int = 0
    """Speech comes in bursts of so much, as far apart as `speed` asks; 0 is delta by delta."""
    transcript_delay_ms: float = 150
    """From the commit of the user's audio to its transcript; a late one may follow the answer."""
    rate_limits_delay_ms: float = 40
    """From response.done to rate_limits.updated."""
    session_seconds: float = 3600
    """The session's maximum duration."""

    def __post_init__(self) -> None:
        delays = (
            self.think_ms,
            self.burst_ms,
            self.transcript_delay_ms,
            self.rate_limits_delay_ms,
        )
        durations = (self.chunk_ms, self.session_seconds, *(delay + 1 for delay in delays))
        # Nothing is less or greater than NaN.
        if not self.speed > 0 or not all(0 < each < inf for each in durations) or min(delays) < 0:
            raise SettingsError(f"speeds and durations are positive, delays not negative: {self}")
