"""What a Media Stream plays into the call, and the marks that it passes. Pure."""

from collections import deque

FRAME_BYTES = 160
"""20 ms of µ-law at 8 kHz."""
MOST_BYTES = 8000 * 600
"""Ten minutes; what comes beyond it is dropped and counted."""


class Playback:
    """µ-law in the order in which it came, with marks between."""

    def __init__(self) -> None:
        self._sound = bytearray()
        self._marks: deque[tuple[int, str]] = deque()
        self._played = 0
        self._taken = 0
        self.dropped_bytes = 0

    def add(self, sound: bytes) -> None:
        """Sound of a media message."""
        if len(self._sound) + len(sound) > MOST_BYTES:
            self.dropped_bytes += len(sound)
            return
        self._sound += sound
        self._taken += len(sound)

    def mark(self, name: str) -> None:
        """A mark: told when all that came before it has been played."""
        self._marks.append((self._taken, name))

    def play(self) -> tuple[bytes, list[str]]:
        """The next 20 ms, or what there is of them, and the marks that are passed."""
        sound = bytes(self._sound[:FRAME_BYTES])
        del self._sound[:FRAME_BYTES]
        self._played += len(sound)
        passed = []
        while self._marks and self._marks[0][0] <= self._played:
            passed.append(self._marks.popleft()[1])
        return sound, passed

    def clear(self) -> list[str]:
        """Drop what was not played; the marks in it are told at once, as Twilio does."""
        self._sound.clear()
        self._played = self._taken
        passed = [name for _, name in self._marks]
        self._marks.clear()
        return passed


__all__ = ["FRAME_BYTES", "Playback"]
