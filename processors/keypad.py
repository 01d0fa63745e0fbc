"""Keys of the phone, told to the agent as what the caller wrote."""

import asyncio

from pipecat.frames.frames import InputDTMFFrame

from crossfade.frames.control import CancelFrame, EndFrame, Frame
from crossfade.frames.text import InputTextRawFrame

from .base import DOWNSTREAM, FrameDirection, Processor

PAUSE_S = 2.0
MOST_KEYS = 32


class Keypad(Processor):
    """Gathers keys until the caller presses the last one, or pauses; then the agent is told.

    Stands before the user's ConversationTap, so that the keys are in the conversation. The frames
    of the keys go on to whoever wants each by itself.

    Args:
        last_key: Ends the input at once.
        pause_s: So does a pause of this length.
    """

    hears = (InputDTMFFrame,)

    def __init__(
        self, *, last_key: str = "#", pause_s: float = PAUSE_S, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self._last_key = last_key
        self._pause_s = pause_s
        self._keys = ""
        self._waiting: asyncio.TimerHandle | None = None

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InputDTMFFrame() if direction is DOWNSTREAM:
                self._pressed(frame.button.value)
            case EndFrame() | CancelFrame():
                self._stop_waiting()

    async def cleanup(self) -> None:
        await super().cleanup()
        self._stop_waiting()

    def _pressed(self, key: str) -> None:
        self._stop_waiting()
        self._keys += key
        if key == self._last_key or len(self._keys) >= MOST_KEYS:
            self._tell()
        else:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(self._pause_s, self._tell)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _tell(self) -> None:
        self._waiting = None
        keys, self._keys = self._keys, ""
        self.emit(InputTextRawFrame(text=f"(The caller pressed on the phone's keypad: {keys})"))


__all__ = ["MOST_KEYS", "PAUSE_S", "Keypad"]
