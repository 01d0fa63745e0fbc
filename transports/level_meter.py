"""How loud the microphone is, for a line on the terminal. Pure."""

from crossfade.audio.energy import FLOOR_DBFS, rms_dbfs

QUIETEST_DBFS = -60.0
CELLS = 20
FALL_DB = 3.0
"""The bar falls so much with each 20 ms that are softer."""
SILENT_FRAMES = 150
"""A microphone that gives nothing at all for 3 s is muted, or not allowed."""


class LevelMeter:
    """Rises at once and falls slowly, as the eye likes it."""

    def __init__(self) -> None:
        self.level_dbfs = FLOOR_DBFS
        self._silent_frames = 0

    def note(self, pcm: bytes) -> None:
        """The next 20 ms, s16le mono."""
        level_dbfs = rms_dbfs(pcm)
        self.level_dbfs = max(level_dbfs, self.level_dbfs - FALL_DB)
        self._silent_frames = self._silent_frames + 1 if level_dbfs <= FLOOR_DBFS else 0

    @property
    def is_dead(self) -> bool:
        """Whether nothing comes, not even noise."""
        return self._silent_frames >= SILENT_FRAMES

    def bar(self) -> str:
        """The level as a bar of `CELLS` characters."""
        share = min(1.0, max(0.0, 1 - self.level_dbfs / QUIETEST_DBFS))
        full = round(share * CELLS)
        return "█" * full + "░" * (CELLS - full)


__all__ = ["CELLS", "LevelMeter"]
