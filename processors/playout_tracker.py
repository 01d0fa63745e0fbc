"""Learns what the caller heard, and tells when an item is over."""

from crossfade.frames.audio import (
    AudioRawFrame,
    OutputAudioRawFrame,
    PlayedSpeech,
    SpeechPlayedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import Frame, InterruptionFrame

from .base import DOWNSTREAM, FrameDirection, Processor
from .playout import Playout


class PlayoutTracker(Processor):
    """Stands behind the transport's output, which pushes audio on once it was written.

    Written counts as played: the error is one chunk and what the client buffers beyond it. Sends
    a SpeechPlayedFrame both ways when a response was played to its end, and after every
    interruption, with the items that were cut (none, if nothing was on its way).

    Args:
        playout: The state shared with the PlayoutQueue before the transport's output.
    """

    hears = (InterruptionFrame, TTSStoppedFrame)

    def __init__(self, playout: Playout, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._playout = playout

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, OutputAudioRawFrame):
            self._playout.played(len(frame.audio))
        self.push_audio(frame)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)
        if direction is not DOWNSTREAM:
            return
        if isinstance(frame, InterruptionFrame):
            await self._tell(self._playout.cut(), interrupted=True)
        elif isinstance(frame, TTSStoppedFrame):
            await self._tell(self._playout.finish(frame.context_id or "speech"))

    async def _tell(self, items: tuple[PlayedSpeech, ...], *, interrupted: bool = False) -> None:
        if items or interrupted:
            await self.broadcast_frame(SpeechPlayedFrame, items=items, interrupted=interrupted)
