"""Frames that a synchronous handler leaves for a task to push."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.frames.frames import AudioRawFrame, Frame, InputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection

Deliver = Callable[[Frame | Exception, FrameDirection], Awaitable[None]]


class Outbox:
    """An ordered, bounded queue of frames and the loop that delivers them.

    Microphone audio beyond the limit pushes the oldest of its kind out, which is counted. The
    agent's audio beyond `speech_limit` is refused with OverflowError. Control frames are few and
    never dropped, save by an interruption, which drops the agent's audio.
    """

    def __init__(self, deliver: Deliver, *, limit: int = 250, speech_limit: int = 30_000) -> None:
        self._deliver = deliver
        self._limit = limit
        self._speech_limit = speech_limit
        self._items: deque[tuple[Frame | Exception, FrameDirection]] = deque()
        self._filled = asyncio.Event()
        self._microphone = 0
        self._delivering = False
        self._create: Callable[[], asyncio.Task[Any]] | None = None
        self._task: asyncio.Task[Any] | None = None
        self.dropped_audio = 0
        """Microphone frames that gave way to newer ones."""

    @property
    def waiting(self) -> bool:
        """Whether something put here has not been delivered yet."""
        return bool(self._items) or self._delivering

    def put(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioRawFrame):
            if self._microphone >= self._limit:
                self._drop_oldest_microphone()
            self._microphone += 1
        elif isinstance(frame, AudioRawFrame) and len(self._items) >= self._speech_limit:
            raise OverflowError(f"{len(self._items)} frames wait for a processor that is too slow")
        self._append(frame, direction)

    def report(self, error: Exception) -> None:
        """Leave an error to be pushed upstream as an ErrorFrame."""
        self._append(error, FrameDirection.UPSTREAM)

    def interrupt(self) -> None:
        """Drop the agent's frames that an interruption may drop; input and errors stay."""
        self._items = deque(
            (item, direction)
            for item, direction in self._items
            if isinstance(item, Exception | InputAudioRawFrame)
            or not isinstance(item, AudioRawFrame)
            or not item.interruptible
        )

    def start(self, create: Callable[[], asyncio.Task[Any]]) -> None:
        """Deliver from now on.

        Args:
            create: Makes the task of `run`, when there is something to deliver for the first time:
                most processors of most calls never have anything.
        """
        self._create = create
        if self._items:
            self._wake()

    def stop(self) -> asyncio.Task[Any] | None:
        """Deliver nothing more; returns the task to be cancelled."""
        task, self._task = self._task, None
        self._create = None
        return task

    async def run(self) -> None:
        while True:
            await self._filled.wait()
            while self._items:
                item, direction = self._items.popleft()
                if isinstance(item, InputAudioRawFrame):
                    self._microphone -= 1
                self._delivering = True
                try:
                    await self._deliver(item, direction)
                finally:
                    self._delivering = False
            self._filled.clear()

    def _append(self, item: Frame | Exception, direction: FrameDirection) -> None:
        self._items.append((item, direction))
        self._wake()

    def _wake(self) -> None:
        self._filled.set()
        if self._task is None and self._create is not None:
            self._task = self._create()

    def _drop_oldest_microphone(self) -> None:
        for index, (item, _) in enumerate(self._items):
            if isinstance(item, InputAudioRawFrame):
                del self._items[index]
                self._microphone -= 1
                self.dropped_audio += 1
                return
