"""When the next frame of the stream is due."""

import asyncio
from typing import Protocol

from .ogg_opus import FRAME_BYTES, FRAME_S
from .timing import Pace

# Frames that wait to be sent because the client sends faster than it reads; more are not sent.
_OWED_LIMIT = 1000


class Pacer(Protocol):
    """Lets frames go."""

    def start(self) -> None:
        """The stream begins."""

    def heard(self, size: int) -> None:
        """So many bytes of the user's sound were decoded."""

    async def next(self) -> None:
        """Wait until a frame is due."""


class ClockPacer:
    """A frame each 80 ms; one that is late does not delay those after it."""

    def start(self) -> None:
        self._due_s = asyncio.get_running_loop().time()

    def heard(self, size: int) -> None:
        """The clock goes on without."""

    async def next(self) -> None:
        self._due_s += FRAME_S
        await asyncio.sleep(self._due_s - asyncio.get_running_loop().time())


class InputPacer:
    """A frame for each frame that was heard."""

    def __init__(self) -> None:
        self._rest_bytes = 0
        self._owed = 0
        self._due = asyncio.Event()

    def start(self) -> None:
        """Nothing was heard before."""

    def heard(self, size: int) -> None:
        frames, self._rest_bytes = divmod(self._rest_bytes + size, FRAME_BYTES)
        self._owed = min(self._owed + frames, _OWED_LIMIT)
        if self._owed:
            self._due.set()

    async def next(self) -> None:
        await self._due.wait()
        self._owed -= 1
        if not self._owed:
            self._due.clear()


def pacer(pace: Pace) -> Pacer:
    """What keeps a pace."""
    return ClockPacer() if pace is Pace.CLOCK else InputPacer()
