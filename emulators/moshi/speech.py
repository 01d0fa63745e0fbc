"""The mouth: what is said, frame by frame, with the words that sound in each."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .ogg_opus import FRAME_BYTES

# Rendering waits while so much is unsaid.
_AHEAD_FRAMES = 125
_SILENCE = bytes(FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class Frame:
    """80 ms of the stream."""

    pcm: bytes
    words: tuple[str, ...] = ()
    """The pieces of text that begin in it, each with the space before it."""


SILENT = Frame(_SILENCE)


class Mouth:
    """Frames that are to be said."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._frames)

    async def say(self, sentence: str, pcm: bytes) -> None:
        """Take a sentence once there is room for it.

        Args:
            sentence: Its words.
            pcm: Its sound, s16le at 24 kHz.
        """
        await self._room.wait()
        self._frames.extend(_frames(sentence, pcm))
        self._look()

    def next(self) -> Frame | None:
        """The next frame; None if nothing is to be said."""
        frame = self._frames.popleft() if self._frames else None
        self._look()
        return frame

    def hush(self) -> None:
        """Forget what is not said yet."""
        self._frames.clear()
        self._look()

    def _look(self) -> None:
        if len(self._frames) < _AHEAD_FRAMES:
            self._room.set()
        else:
            self._room.clear()


def _frames(sentence: str, pcm: bytes) -> Iterator[Frame]:
    words = sentence.split()
    count = max(1, -(-len(pcm) // FRAME_BYTES))
    said = 0
    for number in range(count):
        piece = pcm[number * FRAME_BYTES : (number + 1) * FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
        # Spread evenly over the sound.
        until = len(words) if number == count - 1 else -(-len(words) * (number + 1) // count)
        yield Frame(piece, tuple(f" {word}" for word in words[said:until]))
        said = until
