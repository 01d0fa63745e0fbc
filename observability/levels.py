"""How loud a running call is, for who looks at it now and then. Costs nothing until asked."""

from collections import deque

from crossfade.audio.energy import rms_dbfs

LATELY_S = 0.3
"""Sound is looked at for so long."""
_MOST_PIECES = 20


class Level:
    """Of one side."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, bytes]] = deque(maxlen=_MOST_PIECES)

    def note(self, pcm: bytes, at_s: float) -> None:
        """Note s16le mono that came at this time."""
        self._pieces.append((at_s, pcm))

    def dbfs(self, now_s: float) -> float:
        """Root mean square of what came lately, against full scale."""
        return rms_dbfs(b"".join(pcm for at_s, pcm in self._pieces if at_s > now_s - LATELY_S))


__all__ = ["LATELY_S", "Level"]
