"""A caller made of sound files and cues, for demos, tests and measurements."""

import asyncio
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import resample

from .paced_output import PacedOutput
from .script import Script

FRAME_MS = 20


class ScriptedInput(BaseInputTransport):
    """Speaks the lines of a script into the call when their cues come, and silence between them.

    Args:
        script: What to say and when.
        rate_hz: Rate of the audio it sends, mono; the lines are converted here, before the call.
    """

    def __init__(self, script: Script, *, rate_hz: int) -> None:
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=rate_hz))
        self._script = script
        self._rate_hz = rate_hz
        self._sounds = {
            id(line): resample(line.sound.pcm, line.sound.rate_hz, rate_hz) for line in script.lines
        }
        self._speaking: asyncio.Task[Any] | None = None
        self.hung_up = asyncio.Event()
        """Set when all is said and answered."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._speaking = self.create_task(self._speak())

    async def stop(self, frame: EndFrame) -> None:
        await self._silence()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._silence()
        await super().cancel(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is FrameDirection.UPSTREAM:
            self._follow(frame)
        await super().process_frame(frame, direction)

    def _follow(self, frame: Frame) -> None:
        now_s = asyncio.get_running_loop().time()
        match frame:
            case BotStartedSpeakingFrame():
                self._script.agent_started(now_s)
            case BotStoppedSpeakingFrame():
                self._script.agent_stopped(now_s)
            case FunctionCallInProgressFrame():
                self._script.tool_called(frame.tool_call_id)
            case FunctionCallResultFrame():
                self._script.tool_answered(frame.tool_call_id)

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        frame_bytes = self._rate_hz * FRAME_MS // 1000 * SAMPLE_BYTES
        line = b""
        due_s = loop.time()
        self._script.started(due_s)
        while not self._script.over(due_s):
            if spoken := self._script.due(due_s):
                line = self._sounds[id(spoken)]
            pcm, line = line[:frame_bytes].ljust(frame_bytes, b"\0"), line[frame_bytes:]
            frame = InputAudioRawFrame(audio=pcm, sample_rate=self._rate_hz, num_channels=1)
            due_s += FRAME_MS / 1000
            await asyncio.sleep(due_s - loop.time())
            await self.push_audio_frame(frame)
        self.hung_up.set()

    async def _silence(self) -> None:
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            await self.cancel_task(speaking)


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
