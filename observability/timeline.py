"""Two streams of sound on one timeline. Pure: time is what the chunks are stamped with."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from crossfade.audio.pcm import SAMPLE_BYTES, bytes_for, check_mono
from crossfade.audio.resample import StreamResampler

JITTER_S = 0.06
"""Chunks that come up to this much after the end of the one before follow it without a gap."""
LIMIT_S = 600.0
"""How far a side's sound may lie ahead of the other's time; what goes beyond is refused."""

LATE_S = 0.5
"""So much of a caller's sound that comes late is laid where it belongs."""
SETTLE_S = 0.04
"""So long after a gap it is seen whether it was a pause or a stall."""

# By so much pieces that follow each other may be apart in figures.
_SAME_S = 0.001
# More than a resampler withholds, and than `Placement` holds chunks.
_MARGIN_S = 0.06
_BLOCK_S = 0.2
"""So much is resampled at once: the same each time is quickest, and more keeps others waiting."""
_HALF, _FRAME = np.dtype("<u2"), np.dtype("<u4")


class Side(Enum):
    """Who speaks, and on which channel of a recording."""

    CALLER = 0
    AGENT = 1


class Piece(NamedTuple):
    """Sound with its place in time."""

    pcm: bytes
    rate_hz: int
    start_s: float
    contiguous: bool
    """It follows the piece before without a gap."""


class Placement:
    """Where the chunks of a stream lie in time.

    Chunks that come in a burst, or late by less than `JITTER_S`, are laid end to end; a longer
    pause is a gap, and the sound after it lies at the time of its arrival.

    Where the sound is captured at a steady pace, a gap may be a stall instead: what was late then
    comes at once. The first chunks after a gap are held for `SETTLE_S` to see, and laid as much
    earlier as there came too much of them.

    Args:
        late_s: How much earlier at most; 0 for sound that is heard when it comes.
    """

    def __init__(self, late_s: float = 0.0) -> None:
        self.end_s = float("-inf")
        """Where the sound ends that is placed."""
        self._late_s = late_s
        self._held: list[tuple[bytes, int, float]] = []
        self._held_s = 0.0
        self._first_s = self._start_s = 0.0

    def place(self, pcm: bytes, rate_hz: int, at_s: float) -> Sequence[Piece]:
        """Take a chunk of s16le mono that came at `at_s`; what is placed now, in order."""
        duration_s = len(pcm) / SAMPLE_BYTES / rate_hz
        if self._held:
            self._start_s = min(self._start_s, at_s - self._held_s)
        elif self.goes_on(len(pcm), rate_hz, at_s):
            return (Piece(pcm, rate_hz, self.end_s - duration_s, True),)
        elif not self._late_s or self.end_s < 0:
            self.end_s = at_s + duration_s
            return (Piece(pcm, rate_hz, at_s, False),)
        else:
            self._first_s = self._start_s = at_s
        self._held.append((pcm, rate_hz, duration_s))
        self._held_s += duration_s
        return self.settle(at_s)

    def goes_on(self, length_bytes: int, rate_hz: int, at_s: float) -> bool:
        """Place a chunk if it follows the one before without a gap."""
        if self._held or at_s > self.end_s + JITTER_S:
            return False
        self.end_s += length_bytes / SAMPLE_BYTES / rate_hz
        return True

    @property
    def holds(self) -> bool:
        """Whether chunks are held."""
        return bool(self._held)

    def settle(self, now_s: float = float("inf")) -> Sequence[Piece]:
        """Place what is held, if it was for long enough."""
        if not self._held or now_s < self._first_s + SETTLE_S:
            return ()
        start_s = max(self._start_s, self._first_s - self._late_s)
        contiguous = start_s <= self.end_s + JITTER_S
        if not contiguous:
            self.end_s = start_s
        pieces: list[Piece] = []
        for pcm, rate_hz, duration_s in self._held:
            pieces.append(Piece(pcm, rate_hz, self.end_s, contiguous or bool(pieces)))
            self.end_s += duration_s
        self._held, self._held_s = [], 0.0
        return pieces


class Track:
    """One side's sound at one rate, from time 0.

    Args:
        rate_hz: Rate of the s16le mono samples that come out.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self.end_s = 0.0
        """Where the sound ends that came so far."""
        self._resampler: StreamResampler | None = None
        self._unheard = bytearray()
        """What is to be resampled when there is a block of it."""
        self._block_bytes = 0
        self._taken = 0
        self._waiting = bytearray()

    def lay(self, piece: Piece) -> None:
        """Lay the next piece on the track."""
        check_mono(piece.pcm)
        # Some in between may have found no room.
        follows = piece.contiguous and piece.start_s <= self.end_s + _SAME_S
        self.end_s = piece.start_s + len(piece.pcm) / SAMPLE_BYTES / piece.rate_hz
        if not follows:
            self._end_run()
            start = max(0, round(piece.start_s * self._rate_hz) - self._taken)
            self._pad(start * SAMPLE_BYTES)
        if self._resampler is None or self._resampler.in_rate_hz != piece.rate_hz:
            self._end_run()
            self._resampler = StreamResampler(piece.rate_hz, self._rate_hz)
            same = piece.rate_hz == self._rate_hz
            self._block_bytes = 0 if same else bytes_for(_BLOCK_S * 1000, piece.rate_hz)
        if not self._block_bytes:
            self._waiting += piece.pcm
            return
        self._unheard += piece.pcm
        while len(self._unheard) >= self._block_bytes:
            self._hear(self._block_bytes)

    def take(self, until: int) -> bytearray:
        """All samples up to position `until` not taken yet, silence where there is no sound."""
        length_bytes = max(0, until - self._taken) * SAMPLE_BYTES
        if length_bytes > len(self._waiting):
            self._hear(len(self._unheard))
        if length_bytes > len(self._waiting):
            self._end_run()
            self._pad(length_bytes)
        taken = self._waiting[:length_bytes]
        del self._waiting[:length_bytes]
        self._taken += length_bytes // SAMPLE_BYTES
        return taken

    def _hear(self, length_bytes: int) -> None:
        """Resample so much of what waits for it."""
        if length_bytes and self._resampler is not None:
            self._waiting += self._resampler.process(bytes(self._unheard[:length_bytes]))
            del self._unheard[:length_bytes]

    def _end_run(self) -> None:
        if self._resampler is not None:
            self._hear(len(self._unheard))
            self._waiting += self._resampler.flush()
            self._resampler = None

    def _pad(self, length_bytes: int) -> None:
        self._waiting += bytes(max(0, length_bytes - len(self._waiting)))


class StereoTimeline:
    """Caller and agent side by side.

    Args:
        rate_hz: Rate of what comes out.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._caller, self._agent = Track(rate_hz), Track(rate_hz)
        self._now_s = 0.0

    def lay(self, side: Side, piece: Piece, now_s: float) -> bool:
        """Lay the next piece of one side.

        Args:
            side: Whose sound it is.
            piece: The sound and its place.
            now_s: All that came until then is laid, but for what a `Placement` holds.

        Returns:
            False if it was refused, because it lies `LIMIT_S` ahead of time.
        """
        self._now_s = max(self._now_s, now_s)
        if piece.start_s > self._now_s + LIMIT_S:
            return False
        (self._caller if side is Side.CALLER else self._agent).lay(piece)
        return True

    def take(self) -> bytes:
        """The stereo frames in which nothing can change any more: left caller, right agent."""
        settled_s = self._now_s - LATE_S - _MARGIN_S
        return self._interleave(int(settled_s * self._rate_hz))

    def finish(self) -> bytes:
        """All the rest."""
        end_s = max(self._caller.end_s, self._agent.end_s)
        return self._interleave(round(end_s * self._rate_hz))

    def _interleave(self, until: int) -> bytes:
        left, right = (
            np.frombuffer(track.take(until), _HALF) for track in (self._caller, self._agent)
        )
        # A frame is one number of both: half the time of two strides through the memory.
        frames = right.astype(_FRAME)
        frames <<= 16
        frames |= left
        return frames.tobytes()
