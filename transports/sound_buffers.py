"""Sound between the event loop and the sound card's own thread. No I/O."""

import threading
from collections import deque

from crossfade.audio.pcm import SAMPLE_BYTES

MOST_HEARD_S = 1.0
"""Of the microphone that the loop has not taken; beyond it the oldest is dropped, and counted."""
MOST_WAITING_S = 2.0
"""Of speech that the card has not taken; what comes beyond it is dropped, and counted."""
START_S = 0.03
"""So late the first sound after a silence is given to the card, so that it does not run dry."""
_MOST_BLOCKS = 256


class HeardSound:
    """What the microphone heard: put in by the card's thread, taken by the loop.

    Args:
        rate_hz: Of the s16le mono sound.
    """

    def __init__(self, rate_hz: int) -> None:
        self._lock = threading.Lock()
        self._limit_bytes = int(MOST_HEARD_S * rate_hz) * SAMPLE_BYTES
        self._blocks: deque[bytes] = deque()
        self._length_bytes = 0
        self.dropped_samples = 0

    def put(self, pcm: bytes) -> bool:
        """Add the newest sound; whether nothing waited before."""
        with self._lock:
            first = not self._blocks
            self._blocks.append(pcm)
            self._length_bytes += len(pcm)
            while self._length_bytes > self._limit_bytes and len(self._blocks) > 1:
                oldest = len(self._blocks.popleft())
                self._length_bytes -= oldest
                self.dropped_samples += oldest // SAMPLE_BYTES
            return first

    def take(self) -> bytes:
        """All of it, the oldest first."""
        with self._lock:
            pcm = b"".join(self._blocks)
            self._blocks.clear()
            self._length_bytes = 0
            return pcm


class PlayedSound:
    """What the card is to play: put in by the loop, taken by the card's thread a block at a time.

    Args:
        rate_hz: Of the s16le mono sound.
    """

    def __init__(self, rate_hz: int) -> None:
        self._lock = threading.Lock()
        self._rate_hz = rate_hz
        self._limit_bytes = int(MOST_WAITING_S * rate_hz) * SAMPLE_BYTES
        self._waiting = bytearray()
        self._silent = 0
        self._taken = 0
        self._sounded = 0
        self._blocks: deque[tuple[float, int]] = deque(maxlen=_MOST_BLOCKS)
        """When the card sounds the first sample of each, and how many there are."""
        self.dropped_samples = 0

    def add(self, pcm: bytes) -> None:
        """Speech to be played, behind what waits."""
        with self._lock:
            if len(self._waiting) + len(pcm) > self._limit_bytes:
                self.dropped_samples += len(pcm) // SAMPLE_BYTES
                return
            if not self._waiting:
                self._silent = int(START_S * self._rate_hz)
            self._waiting += pcm

    def fill(self, samples: int, sounds_at_s: float) -> bytes:
        """The next block for the card, with silence where there is no speech.

        Args:
            samples: How many.
            sounds_at_s: When the card sounds the first one, by its clock.
        """
        with self._lock:
            before = min(self._silent, samples) if self._waiting else samples
            self._silent -= min(self._silent, before)
            speech = bytes(self._waiting[: (samples - before) * SAMPLE_BYTES])
            del self._waiting[: len(speech)]
            count = len(speech) // SAMPLE_BYTES
            if count:
                self._taken += count
                self._blocks.append((sounds_at_s + before / self._rate_hz, count))
        return (bytes(before * SAMPLE_BYTES) + speech).ljust(samples * SAMPLE_BYTES, b"\0")

    def played(self, now_s: float) -> int:
        """How many samples of speech have sounded since `clear`, by the card's clock."""
        with self._lock:
            while self._blocks and self._blocks[0][0] + self._blocks[0][1] / self._rate_hz <= now_s:
                self._sounded += self._blocks.popleft()[1]
            if not self._blocks:
                return self._sounded
            began_s, count = self._blocks[0]
            return self._sounded + max(0, min(count, int((now_s - began_s) * self._rate_hz)))

    def clear(self) -> None:
        """Drop what the card has not taken, and count from 0 again."""
        with self._lock:
            self._waiting.clear()
            self._blocks.clear()
            self._taken = self._sounded = self._silent = 0


__all__ = ["MOST_HEARD_S", "MOST_WAITING_S", "START_S", "HeardSound", "PlayedSound"]
