"""A caller made of sound files and cues, for demos, tests and measurements."""

import asyncio

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import resample
from crossfade.frames.control import BotStartedSpeakingFrame, BotStoppedSpeakingFrame, Frame
from crossfade.frames.tools import (
    FunctionCallCancelFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    is_final,
)
from crossfade.processors.base import UPSTREAM, FrameDirection
from crossfade.processors.metronome import PERIOD_MS, metronome

from .input import InputTransport
from .paced_output import PacedOutput
from .script import Script


class ScriptedInput(InputTransport):
    """Speaks the lines of a script into the call when their cues come, and silence between them.

    Args:
        script: What to say and when.
        rate_hz: Rate of the audio it sends, mono; the lines are converted here, before the call.
    """

    def __init__(self, script: Script, *, rate_hz: int) -> None:
        super().__init__(rate_hz=rate_hz)
        self._script = script
        self._sounds = {
            id(line): resample(line.sound.pcm, line.sound.rate_hz, rate_hz) for line in script.lines
        }
        self._frame_bytes = rate_hz * PERIOD_MS // 1000 * SAMPLE_BYTES
        self._line = b""
        self._heard_until_s: float | None = None
        self.hung_up = asyncio.Event()
        """Set when all is said and answered."""

    async def begin(self) -> None:
        self._script.started(asyncio.get_running_loop().time())
        metronome().join(self._beat)

    async def finish(self) -> None:
        metronome().leave(self._beat)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is not UPSTREAM:
            return
        now_s = asyncio.get_running_loop().time()
        match frame:
            case BotStartedSpeakingFrame():
                self._script.agent_started(now_s)
            case BotStoppedSpeakingFrame():
                self._script.agent_stopped(now_s)
            case FunctionCallInProgressFrame():
                self._script.tool_called(frame.tool_call_id)
            case FunctionCallCancelFrame():
                self._script.tool_answered(frame.tool_call_id)
            case FunctionCallResultFrame() if is_final(frame):
                self._script.tool_answered(frame.tool_call_id)

    def _beat(self) -> None:
        now_s, period_s = asyncio.get_running_loop().time(), PERIOD_MS / 1000
        if self._heard_until_s is None:
            self._heard_until_s = now_s - period_s
        # A late beat makes up for what was due; one a little early is the next one's turn.
        while self._heard_until_s + period_s / 2 <= now_s and not self.hung_up.is_set():
            self._speak(self._heard_until_s)
            self._heard_until_s += period_s

    def _speak(self, at_s: float) -> None:
        """Say the 20 ms that begin at a moment."""
        if self._script.over(at_s):
            metronome().leave(self._beat)
            self.hung_up.set()
            return
        if spoken := self._script.due(at_s):
            self._line = self._sounds[id(spoken)]
        pcm, self._line = self._line[: self._frame_bytes], self._line[self._frame_bytes :]
        self.hear(pcm.ljust(self._frame_bytes, b"\0"))


class ScriptedCaller(BaseTransport):
    """The caller's end of a line on which nobody else listens.

    Args:
        script: What the caller says and when.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
    """

    def __init__(
        self,
        script: Script,
        *,
        in_rate_hz: int = 16000,
        out_rate_hz: int = 24000,
    ) -> None:
        super().__init__()
        self._input = ScriptedInput(script, rate_hz=in_rate_hz)
        self._output = PacedOutput(rate_hz=out_rate_hz)

    def input(self) -> FrameProcessor:
        return self._input

    def output(self) -> FrameProcessor:
        return self._output

    async def hung_up(self) -> None:
        """Wait until all is said and answered."""
        await self._input.hung_up.wait()
