"""The latest part of a stream of audio, with the marks that stand in it."""

from collections import deque
from enum import Enum


class TurnMark(Enum):
    """Where the caller marked a turn of the user."""

    START = "start"
    END = "end"


class KeptAudio:
    """Audio in the order in which it came; what is forgotten is the oldest.

    Attributes:
        start_bytes: Position of the first byte that is kept, counted from the first ever added.
        end_bytes: Position behind the last one.
    """

    __slots__ = ("_chunks", "_marks", "end_bytes", "start_bytes")

    def __init__(self) -> None:
        self.start_bytes = 0
        self.end_bytes = 0
        self._chunks: deque[bytes] = deque()
        self._marks: deque[tuple[int, TurnMark]] = deque()

    def add(self, pcm: bytes) -> None:
        if pcm:
            self._chunks.append(pcm)
            self.end_bytes += len(pcm)

    def mark(self, mark: TurnMark, at_bytes: int) -> None:
        """Set a mark, behind all others. A turn that is begun anew begins with the later mark."""
        if self._marks and self._marks[-1][1] is mark:
            if mark is TurnMark.END:
                return
            self._marks.pop()
        self._marks.append((at_bytes, mark))

    @property
    def last_mark_bytes(self) -> int:
        """Position of the last mark, or of the first byte."""
        return self._marks[-1][0] if self._marks else self.start_bytes

    def forget_to(self, position_bytes: int) -> None:
        """Forget all before a position; a turn that began before it begins there from now on."""
        chunks, start = self._chunks, self.start_bytes
        while chunks and (end := start + len(chunks[0])) <= position_bytes:
            chunks.popleft()
            start = end
        if chunks and start < position_bytes:
            chunks[0] = chunks[0][position_bytes - start :]
            start = position_bytes
        self.start_bytes = start
        if self._marks:
            self._forget_marks()

    def since(self, position_bytes: int) -> list[bytes | TurnMark]:
        """Give what is kept from a position on, each mark in its place."""
        pieces: list[bytes | TurnMark] = []
        marks = deque(self._marks)
        at = self.start_bytes
        chunks = iter(self._chunks)
        for chunk in chunks:
            begin, end = max(at, position_bytes), at + len(chunk)
            while marks and marks[0][0] < end:
                place, mark = marks.popleft()
                if place > begin:
                    pieces.append(chunk[begin - at : place - at])
                    begin = place
                pieces.append(mark)
            if begin < end:
                pieces.append(chunk[begin - at :])
            at = end
            if not marks and at >= position_bytes:
                # All that is left, as it is.
                pieces.extend(chunks)
        return pieces + [mark for _, mark in marks]

    def between(self, start_bytes: int, stop_bytes: int) -> bytes:
        """Give what is kept between two positions, without its marks."""
        pieces, at = [], self.start_bytes
        for chunk in self._chunks:
            if at >= stop_bytes:
                break
            pieces.append(chunk[max(0, start_bytes - at) : stop_bytes - at])
            at += len(chunk)
        return b"".join(pieces)

    def _forget_marks(self) -> None:
        marks, start = self._marks, self.start_bytes
        open_turn = False
        while marks and (marks[0][0] < start or marks[0] == (start, TurnMark.END)):
            open_turn = marks.popleft()[1] is TurnMark.START
        if open_turn:
            marks.appendleft((start, TurnMark.START))


__all__ = ["KeptAudio", "TurnMark"]
