"""Two streams of sound on one timeline. Pure: time is what the chunks are stamped with."""

from enum import Enum

import numpy as np

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import StreamResampler

JITTER_S = 0.06
"""Chunks that come up to this much after the end of the one before follow it without a gap."""
LIMIT_S = 600.0
"""How far a side's sound may lie ahead of the other's time; what goes beyond is refused."""

# More than a resampler withholds, so that a run is over before its tail is asked for.
_MARGIN_S = 0.01


class Side(Enum):
    """Who speaks, and on which channel of a recording."""

    CALLER = 0
    AGENT = 1


class Placement:
    """Where the next chunk of a stream lies in time.

    Chunks that come in a burst, or late by less than `JITTER_S`, are laid end to end; a longer
    pause is a gap, and the sound after it lies at the time of its arrival.
    """

    def __init__(self) -> None:
        self.end_s = float("-inf")

    def place(self, at_s: float, duration_s: float) -> tuple[float, bool]:
        """Place a chunk.

        Returns:
            Where it begins, and whether it follows the chunk before without a gap.
        """
        contiguous = at_s <= self.end_s + JITTER_S
        start_s = self.end_s if contiguous else at_s
        self.end_s = start_s + duration_s
        return start_s, contiguous


class Track:
    """One side's sound at one rate, from time 0.

    Args:
        rate_hz: Rate of the s16le mono samples that come out.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._placement = Placement()
        self._resampler: StreamResampler | None = None
        # Of the present run, not converted yet: many chunks at once cost little more than one.
        self._unconverted = bytearray()
        self._taken = 0
        self._waiting = bytearray()

    @property
    def end_s(self) -> float:
        """Where the sound ends that came so far; 0 before any."""
        return max(0.0, self._placement.end_s)

    def add(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Lay a chunk of s16le mono on the track."""
        start_s, contiguous = self._placement.place(at_s, len(pcm) / SAMPLE_BYTES / rate_hz)
        if not contiguous:
            self._end_run()
            start = max(0, round(start_s * self._rate_hz) - self._taken)
            self._pad(start * SAMPLE_BYTES)
        if self._resampler is None or self._resampler.in_rate_hz != rate_hz:
            self._end_run()
            self._resampler = StreamResampler(rate_hz, self._rate_hz)
        self._unconverted += pcm

    def take(self, until: int) -> bytes:
        """All samples up to position `until` not taken yet, silence where there is no sound."""
        length_bytes = max(0, until - self._taken) * SAMPLE_BYTES
        self._convert()
        if length_bytes > len(self._waiting):
            self._end_run()
        self._pad(length_bytes)
        taken = bytes(self._waiting[:length_bytes])
        del self._waiting[:length_bytes]
        self._taken += length_bytes // SAMPLE_BYTES
        return taken

    def _convert(self) -> None:
        if self._resampler is not None and self._unconverted:
            self._waiting += self._resampler.process(bytes(self._unconverted))
            self._unconverted.clear()

    def _end_run(self) -> None:
        self._convert()
        if self._resampler is not None:
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

    def add(self, side: Side, pcm: bytes, rate_hz: int, at_s: float) -> bool:
        """Lay a chunk of s16le mono on one side.

        Args:
            side: Whose sound it is.
            pcm: The samples.
            rate_hz: Their rate.
            at_s: When it came, in seconds from the start; never less than for the chunk before,
                of either side.

        Returns:
            False if it was refused, because the side is `LIMIT_S` ahead of time.
        """
        if at_s > self._now_s:
            self._now_s = at_s
        track = self._caller if side is Side.CALLER else self._agent
        if track.end_s > self._now_s + LIMIT_S:
            return False
        track.add(pcm, rate_hz, at_s)
        return True

    def take(self) -> bytes:
        """The stereo frames in which nothing can change any more: left caller, right agent."""
        settled_s = self._now_s - JITTER_S - _MARGIN_S
        return self._interleave(int(settled_s * self._rate_hz))

    def finish(self) -> bytes:
        """All the rest."""
        end_s = max(self._caller.end_s, self._agent.end_s)
        return self._interleave(round(end_s * self._rate_hz))

    def _interleave(self, until: int) -> bytes:
        left, right = (
            np.frombuffer(track.take(until), dtype="<i2") for track in (self._caller, self._agent)
        )
        return np.column_stack((left, right)).tobytes()
