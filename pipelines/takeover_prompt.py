"""Asks the model for what it owes, when a call goes on in another process."""

from crossfade.frames.control import Frame, StartFrame
from crossfade.frames.text import InputTextRawFrame
from crossfade.processors.base import FrameDirection, Processor

from .takeover import PROMPTS, Owed


class TakeoverPrompt(Processor):
    """Stands before the speech node, and asks once the chain has started.

    What it asks is no part of the conversation: it passes no ConversationTap.

    Args:
        owed: What is owed.
    """

    hears = ()

    def __init__(self, owed: Owed, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._prompt = PROMPTS.get(owed)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame) and self._prompt is not None:
            prompt, self._prompt = self._prompt, None
            await self.push_frame(InputTextRawFrame(text=prompt))


__all__ = ["TakeoverPrompt"]
