"""What the user writes interrupts the agent."""

import asyncio
from collections import deque

from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.frames.control import Frame, InterruptionFrame
from crossfade.frames.text import InputTextRawFrame

from .base import DOWNSTREAM, FrameDirection, Processor

LIMIT_S = 0.5
"""A text waits no longer to be told what was heard of the answer that it interrupts."""


class WrittenTurns(Processor):
    """Has the agent fall silent before each text of the user's, as it does when the user speaks:
    InterruptionFrame both ways, then, when it is known how much of the answer was heard, the text.

    Stands behind all that writes for the user. What the application writes behind it interrupts
    nobody, and is answered after what the agent says.
    """

    hears = (InputTextRawFrame, SpeechPlayedFrame)

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name=name)
        # Of half a second at most
        self._waiting: deque[InputTextRawFrame] = deque()
        self._limit: asyncio.TimerHandle | None = None

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        # The node has passed it on: it cuts nothing more that is asked of it now.
        if isinstance(frame, SpeechPlayedFrame) and frame.interrupted and self._waiting:
            self._release()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        if not (isinstance(frame, InputTextRawFrame) and direction is DOWNSTREAM):
            await self.push_frame(frame, direction)
            return
        self._waiting.append(frame)
        if self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(LIMIT_S, self._release)
        await self.broadcast_frame(InterruptionFrame)

    async def cleanup(self) -> None:
        await super().cleanup()
        self._forget_limit()

    def _release(self) -> None:
        self._forget_limit()
        while self._waiting:
            self.emit(self._waiting.popleft())

    def _forget_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


__all__ = ["LIMIT_S", "WrittenTurns"]
