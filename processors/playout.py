"""What speech is waiting, on its way to the caller, and played. Pure: no clock, no tasks."""

from collections import deque
from dataclasses import dataclass

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.frames.audio import PlayedSpeech, SpeechOrigin
from crossfade.frames.control import Frame


@dataclass(slots=True)
class _Item:
    origin: SpeechOrigin
    received_bytes: int = 0
    played_bytes: int = 0


@dataclass(slots=True)
class _Speech:
    item: _Item
    pcm: bytes
    taken_bytes: int = 0


@dataclass(slots=True)
class _Sent:
    item: _Item | None
    """None for the silence that fills a last chunk."""
    length_bytes: int


class Playout:
    """The speech of one call between the speech node and the caller's ear.

    PlayoutQueue adds and takes, PlayoutTracker reports what was played; the position of an item
    counts its own samples and nothing else.

    Args:
        rate_hz: Rate of the s16le mono samples kept here.
        chunk_ms: What is taken at once; the transport writes in the same chunks.
        limit_s: Speech kept at most; what would go beyond is refused by `add`.
    """

    def __init__(self, *, rate_hz: int, chunk_ms: int = 20, limit_s: float = 600) -> None:
        self.rate_hz = rate_hz
        self.chunk_bytes = rate_hz * chunk_ms // 1000 * SAMPLE_BYTES
        self._limit_bytes = int(limit_s * rate_hz) * SAMPLE_BYTES
        self._waiting: deque[_Speech | Frame] = deque()
        self._waiting_bytes = 0
        self._items: dict[str, _Item] = {}
        self._cut: list[_Item] = []
        self._sent: deque[_Sent] = deque()
        self._cleared = False
        self.released_until_s = 0.0
        """When what was taken will have sounded. Kept by PlayoutQueue, which has a clock."""

    @property
    def waiting_ms(self) -> float:
        """Speech that has not been taken yet."""
        return self._ms(self._waiting_bytes)

    @property
    def empty(self) -> bool:
        return not self._waiting

    @property
    def chunk_waits(self) -> bool:
        """Whether as much speech as a chunk holds has not been taken yet."""
        return self._waiting_bytes >= self.chunk_bytes

    @property
    def positions(self) -> tuple[PlayedSpeech, ...]:
        """How far each item is that is neither over nor cut."""
        return tuple(self._position(item) for item in self._items.values())

    def add(self, origin: SpeechOrigin, pcm: bytes) -> bool:
        """Queue speech of one item; False when the queue is full and the speech was refused."""
        if self._waiting_bytes + len(pcm) > self._limit_bytes:
            return False
        item = self._items.get(origin.item_id)
        if item is None:
            item = self._items[origin.item_id] = _Item(origin)
        item.received_bytes += len(pcm)
        self._waiting.append(_Speech(item, pcm))
        self._waiting_bytes += len(pcm)
        return True

    def add_mark(self, frame: Frame) -> None:
        """Queue a frame that must not pass before the speech queued so far."""
        self._waiting.append(frame)

    def finish(self, response_id: str) -> tuple[PlayedSpeech, ...]:
        """Close the items of a response whose last sample was written; they are returned."""
        over = [i for i in self._items.values() if i.origin.response_id == response_id]
        for item in over:
            del self._items[item.origin.item_id]
        return tuple(self._position(item) for item in over)

    def take(self) -> bytes | Frame | None:
        """The next chunk, or the next mark, or None while there is too little for a chunk.

        A chunk is short of speech only before a mark, and is then filled with silence.
        """
        if not self._waiting:
            return None
        head = self._waiting[0]
        if isinstance(head, Frame):
            return self._take_mark()
        whole = len(head.pcm) - head.taken_bytes >= self.chunk_bytes
        if not whole and not self._chunk_ready():
            return None
        if self._cleared:
            self._sent.clear()
            self._cleared = False
        if whole:
            return self._take_speech(head, self.chunk_bytes)
        chunk = bytearray()
        while len(chunk) < self.chunk_bytes and self._waiting:
            head = self._waiting[0]
            if isinstance(head, Frame):
                break
            chunk += self._take_speech(head, self.chunk_bytes - len(chunk))
        if missing := self.chunk_bytes - len(chunk):
            self._sent.append(_Sent(None, missing))
            chunk += bytes(missing)
        return bytes(chunk)

    def clear(self) -> None:
        """Drop all that waits but marks that no interruption may drop, such as the end.

        Chunks already taken may still be reported as played.
        """
        kept = [e for e in self._waiting if isinstance(e, Frame) and not e.interruptible]
        self._waiting = deque(kept)
        self._waiting_bytes = 0
        self._cut += self._items.values()
        self._items.clear()
        self._cleared = True

    def played(self, length_bytes: int) -> None:
        """Note that the transport wrote so much of what was taken, oldest first."""
        while length_bytes and self._sent:
            sent = self._sent[0]
            part = min(length_bytes, sent.length_bytes)
            sent.length_bytes -= part
            length_bytes -= part
            if sent.item is not None:
                sent.item.played_bytes += part
            if not sent.length_bytes:
                self._sent.popleft()

    def cut(self) -> tuple[PlayedSpeech, ...]:
        """How far each item was played that `clear` cut; each is told once."""
        cut = tuple(self._position(item) for item in self._cut)
        self._cut.clear()
        return cut

    def abandon(self) -> tuple[PlayedSpeech, ...]:
        """How far everything was played that has not been told of; for the end of a call."""
        self.clear()
        return self.cut()

    def _take_mark(self) -> Frame:
        mark = self._waiting.popleft()
        assert isinstance(mark, Frame)
        return mark

    def _chunk_ready(self) -> bool:
        ready = 0
        for entry in self._waiting:
            if isinstance(entry, Frame):
                return True
            ready += len(entry.pcm) - entry.taken_bytes
            if ready >= self.chunk_bytes:
                return True
        return False

    def _take_speech(self, head: _Speech, limit_bytes: int) -> bytes:
        start = head.taken_bytes
        part = head.pcm[start : start + limit_bytes]
        length_bytes = len(part)
        head.taken_bytes = start + length_bytes
        if head.taken_bytes == len(head.pcm):
            self._waiting.popleft()
        self._waiting_bytes -= length_bytes
        sent = self._sent
        if sent and sent[-1].item is head.item:
            sent[-1].length_bytes += length_bytes
        else:
            sent.append(_Sent(head.item, length_bytes))
        return part

    def _position(self, item: _Item) -> PlayedSpeech:
        return PlayedSpeech(
            origin=item.origin,
            played_ms=self._ms(item.played_bytes),
            received_ms=self._ms(item.received_bytes),
        )

    def _ms(self, length_bytes: int) -> float:
        return length_bytes / SAMPLE_BYTES / self.rate_hz * 1000
