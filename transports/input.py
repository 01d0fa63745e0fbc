"""The base of our transports' inputs: audio by plain calls, without a task or a queue a call."""

from typing import ClassVar

from pipecat.frames.frames import StopFrame

from crossfade.frames.audio import CallerAudioFrame
from crossfade.frames.control import CancelFrame, EndFrame, Frame, StartFrame
from crossfade.processors.base import FrameDirection, Processor


class InputTransport(Processor):
    """Brings the caller's audio into the chain.

    A subclass calls `hear` with each piece of sound as it comes.

    Args:
        rate_hz: Rate of the audio, mono.
    """

    hears: ClassVar[tuple[type[Frame], ...] | None] = ()

    def __init__(self, *, rate_hz: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self._rate_hz = rate_hz

    # What a subclass overrides

    async def begin(self) -> None:
        """Begin to listen; called when the whole chain has been started."""

    async def finish(self) -> None:
        """Let go of everything; called at the end, or when the call is cancelled."""

    # What a subclass calls

    def hear(self, pcm: bytes) -> None:
        """Take the caller's sound, s16le mono; what comes before the start or after the end is
        dropped and counted."""
        if self._open:
            self.push_audio(CallerAudioFrame(pcm, self._rate_hz, 1))
        else:
            self.dropped_audio += 1

    # The engine's side

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case CancelFrame():
                await self.finish()
                await self.push_frame(frame, direction)
            case EndFrame() | StopFrame():
                await self.push_frame(frame, direction)
                await self.finish()
            case StartFrame():
                await self.push_frame(frame, direction)
                await self.begin()
            case _:
                await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        await super().cleanup()
        await self.finish()
