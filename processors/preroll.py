"""The last moments of the user's audio, kept for the turn that may have begun in them."""

from collections import deque

from crossfade.audio.pcm import bytes_for


class PreRoll:
    """Keeps the newest audio and forgets the oldest beyond its length.

    Args:
        length_ms: How much is kept.
        rate_hz: Rate of the s16le mono audio.
    """

    def __init__(self, length_ms: int, rate_hz: int) -> None:
        self._limit_bytes = bytes_for(length_ms, rate_hz)
        self._chunks: deque[bytes] = deque()
        self._length_bytes = 0

    def add(self, pcm: bytes) -> None:
        self._chunks.append(pcm)
        self._length_bytes += len(pcm)
        while self._length_bytes - len(self._chunks[0]) >= self._limit_bytes:
            self._length_bytes -= len(self._chunks.popleft())

    def take(self) -> bytes:
        """Everything that is kept; nothing is kept then."""
        pcm = b"".join(self._chunks)
        self._chunks.clear()
        self._length_bytes = 0
        return pcm
