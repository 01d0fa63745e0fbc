"""A caller whose sound comes from a capture."""

import asyncio

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.frames.control import Frame
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.metronome import metronome
from crossfade.transports.input import InputTransport
from crossfade.transports.paced_output import PacedOutput


class ReplayedInput(InputTransport):
    """Gives the chain what it is told to.

    Args:
        rate_hz: Rate of the audio, mono.
    """

    def __init__(self, *, rate_hz: int) -> None:
        super().__init__(rate_hz=rate_hz)
        self.begun = asyncio.Event()
        """Set when the chain has started."""

    async def begin(self) -> None:
        # Playout keeps the time that it kept when a scripted caller was there from the start.
        metronome()
        self.begun.set()


class ReplayedCaller(BaseTransport):
    """The captured caller's end of the line; what the agent says is played to nobody.

    Args:
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
    """

    def __init__(self, *, in_rate_hz: int, out_rate_hz: int) -> None:
        super().__init__()
        self.microphone = ReplayedInput(rate_hz=in_rate_hz)
        self._output = PacedOutput(rate_hz=out_rate_hz)

    async def bring(self, frame: Frame, *, upstream: bool) -> None:
        """Push a frame that came from the client beside its sound."""
        end = self._output if upstream else self.microphone
        await end.push_frame(frame, UPSTREAM if upstream else DOWNSTREAM)

    def input(self) -> FrameProcessor:
        return self.microphone

    def output(self) -> FrameProcessor:
        return self._output


__all__ = ["ReplayedCaller", "ReplayedInput"]
