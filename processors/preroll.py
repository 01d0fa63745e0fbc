"""The last moments of the user's audio, kept for the turn that may have begun in them."""

from collections import deque

from crossfade.audio.pcm import bytes_for

PINNED_MS = 5000
"""How much more is kept while it is not clear whether a turn begins; a hold ends far sooner."""


class PreRoll:
    """Keeps the newest audio and forgets the oldest beyond its length.

    Args:
        length_ms: How much is kept; up to 5 s more while it is pinned.
        rate_hz: Rate of the s16le mono audio.
    """

    def __init__(self, length_ms: int, rate_hz: int) -> None:
        self._limit_bytes = self._length_limit_bytes = bytes_for(length_ms, rate_hz)
        self._pinned_bytes = self._limit_bytes + bytes_for(PINNED_MS, rate_hz)
        self._chunks: deque[bytes] = deque()
        self._length_bytes = 0

    def add(self, pcm: bytes) -> None:
        self._chunks.append(pcm)
        self._length_bytes += len(pcm)
        self._forget()

    def pin(self) -> None:
        """Forget nothing of what is kept now: a turn may have begun in it."""
        self._limit_bytes = self._pinned_bytes

    def unpin(self) -> None:
        """None has: forget the oldest again."""
        self._limit_bytes = self._length_limit_bytes
        self._forget()

    def take(self) -> bytes:
        """Everything that is kept; nothing is kept then, and nothing pinned."""
        pcm = b"".join(self._chunks)
        self._chunks.clear()
        self._length_bytes = 0
        self._limit_bytes = self._length_limit_bytes
        return pcm

    def _forget(self) -> None:
        while self._chunks and self._length_bytes - len(self._chunks[0]) >= self._limit_bytes:
            self._length_bytes -= len(self._chunks.popleft())
