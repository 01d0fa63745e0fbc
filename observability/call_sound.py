"""Both sides of a running call: each chunk is placed once, for all who listen. Pure."""

import math
from collections.abc import Callable, Sequence

from .timeline import LATE_S, Piece, Placement, Side

EVERY_S = 0.2
"""Nobody who listens needs it finer; and few long pieces cost less than many short ones."""

_GOLDEN = (math.sqrt(5) - 1) / 2

Placed = Sequence[tuple[Side, Piece]]


def apart_s(number: int) -> float:
    """When within `EVERY_S` the call of this number hands on, so that calls do so one by one:
    however many follow each other, they are about evenly apart."""
    return number * _GOLDEN % 1 * EVERY_S


class CallSound:
    """Places the chunks of both sides and hands them on five times a second.

    Args:
        hand_on: Called with all pieces since the last time, the caller's first, and with the time
            of the newest chunk.
        first_s: When that is, for the first time after the first chunk; at most `EVERY_S`.
    """

    def __init__(self, hand_on: Callable[[Placed, float], None], first_s: float = 0.0) -> None:
        self._hand_on = hand_on
        self._first_s = first_s
        # What the agent says late is heard late; the caller was heard in time.
        self._caller, self._agent = _Line(LATE_S), _Line()
        self._holds = False
        """The caller's placement holds chunks."""
        self._now_s = self._due_s = 0.0

    def add(self, side: Side, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Take a chunk of s16le mono.

        Args:
            side: Whose sound it is.
            pcm: The samples.
            rate_hz: Their rate.
            at_s: When it came, in seconds from the start.
        """
        if at_s > self._now_s:
            self._now_s = at_s
            if self._holds:
                self._caller.lay(self._caller.placement.settle(at_s))
                self._holds = self._caller.placement.holds
        line = self._caller if side is Side.CALLER else self._agent
        if rate_hz == line.rate_hz and line.placement.goes_on(len(pcm), rate_hz, at_s):
            line.chunks.append(pcm)
        else:
            line.lay(line.placement.place(pcm, rate_hz, at_s))
            self._holds = self._caller.placement.holds
        if at_s >= self._due_s:
            self.hand_on()

    def hand_on(self) -> None:
        """Hand on what is placed."""
        turns = math.floor((self._now_s - self._first_s) / EVERY_S) + 1
        self._due_s = self._first_s + turns * EVERY_S
        placed = [(Side.CALLER, piece) for piece in self._caller.take()]
        placed += [(Side.AGENT, piece) for piece in self._agent.take()]
        if placed:
            self._hand_on(placed, self._now_s)

    def finish(self) -> None:
        """Hand on all that came."""
        self._caller.lay(self._caller.placement.settle())
        self.hand_on()


class _Line:
    """One side. What goes on without a gap becomes one piece."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.placement = Placement(late_s)
        self._whole: list[Piece] = []
        # The last piece, which may go on.
        self.rate_hz = 0
        self._start_s = 0.0
        self._contiguous = False
        self.chunks: list[bytes] = []
        """Of the last piece."""

    def lay(self, pieces: Sequence[Piece]) -> None:
        """Take what was placed."""
        for piece in pieces:
            if not piece.contiguous or piece.rate_hz != self.rate_hz:
                self._end()
                _, self.rate_hz, self._start_s, self._contiguous = piece
            self.chunks.append(piece.pcm)

    def take(self) -> list[Piece]:
        """All pieces since the last time."""
        self._end()
        taken, self._whole = self._whole, []
        return taken

    def _end(self) -> None:
        if self.chunks:
            pcm = b"".join(self.chunks)
            self._whole.append(Piece(pcm, self.rate_hz, self._start_s, self._contiguous))
            self.chunks = []
            self._start_s, self._contiguous = self.placement.end_s, True


__all__ = ["EVERY_S", "CallSound", "Placed"]
