"""How fast the emulated service works, and how long it lets things last."""

from dataclasses import dataclass
from math import inf

from crossfade.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Speeds, delays and limits of one emulator. The defaults are near those of the service."""

    think_ms: float = 300
    """From the end of the user's turn to the first output, where the backend leaves it open."""
    speed: float = 4.0
    """Speech is generated so many times faster than it sounds; `inf` sends it at once."""
    chunk_ms: int = 60
    """Speech in one part."""
    transcript_delay_ms: float = 150
    """From the end of the user's turn to its transcript; a late one may follow the answer."""
    await_playback: bool = True
    """turnComplete waits until the speech can have been played."""
    crossing_ms: float = 250
    """Where sound is refused while a call waits: so long behind the call it may come all the same,
    as its client cannot know yet."""
    go_away_ms: float = 50_000
    """How long before the connection's end goAway comes."""
    connection_seconds: float = 600
    """How long a connection may last."""
    session_seconds: float = 900
    """How long a session may last without contextWindowCompression, resumptions included."""
    video_session_seconds: float = 120
    """The same once it has seen video."""
    handle_seconds: float = 7200
    """How long a resumption handle is taken."""
    idle_seconds: float | None = None
    """A client that sends nothing for so long is cut off; None waits for ever."""

    def __post_init__(self) -> None:
        positive = [self.chunk_ms, self.connection_seconds, self.session_seconds]
        positive += [self.video_session_seconds, self.handle_seconds, self.idle_seconds or 1.0]
        delays = [self.think_ms, self.transcript_delay_ms, self.crossing_ms, self.go_away_ms]
        durations = (*positive, *(delay + 1 for delay in delays))
        # Nothing is less or greater than NaN.
        if not self.speed > 0 or not all(0 < each < inf for each in durations) or min(delays) < 0:
            raise SettingsError(f"speeds and durations are positive, delays not negative: {self}")
