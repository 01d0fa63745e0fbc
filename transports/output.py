"""The base of our transports' outputs: audio by plain calls, without a task or a queue a call."""

import asyncio
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from pipecat.frames.frames import BotSpeakingFrame, OutputTransportReadyFrame

from crossfade.frames.audio import (
    AudioRawFrame,
    OutputAudioRawFrame,
    SpeechFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    StartFrame,
)
from crossfade.processors.base import DOWNSTREAM, UPSTREAM, FrameDirection, Processor
from crossfade.processors.metronome import metronome

PASS_ON_EVERY_S = 0.09
"""How often it is looked what was heard while speech flows: at every fifth beat."""
_STARVED_S = 0.01
"""So long after all has sounded that was written, none flows; a busy loop is late by less."""
BOT_SPEAKING_EVERY_S = 5.0
"""pipecat ends a call as idle in which it does not hear of speech now and then."""
_ROUNDING_S = 1e-6


class OutputTransport(Processor):
    """Writes each chunk at once, and passes it on when it has been heard.

    Stands behind a PlayoutQueue, which keeps the pace. What was heard goes on ten times a second,
    several chunks in one; and at once where somebody asks: at the end of speech, at an
    interruption. Tells both ways when the agent begins and stops to speak, as pipecat's transports
    do: with the first chunk, and with TTSStoppedFrame or an interruption. Where a chunk was heard
    is reckoned from when it was written; the error bound is one chunk, and what the other end
    buffers.

    Args:
        rate_hz: Rate of the audio, mono; anything else is refused.
    """

    hears: ClassVar[tuple[type[Frame], ...] | None] = (InterruptionFrame, TTSStoppedFrame)

    def __init__(self, *, rate_hz: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self._rate_hz = rate_hz
        self._sounding: deque[tuple[float, OutputAudioRawFrame]] = deque()
        self._sounds_until_s = 0.0
        self.unheard_samples = 0
        """Of the chunks that were written and not passed on."""
        self._pass_on_due_s = -math.inf
        self._beating = False
        self._tell_due_s = -math.inf
        """When it is to be told again that the agent speaks; `-inf` while it does not."""

    # What a subclass overrides

    @abstractmethod
    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        """Send one chunk to the caller. Neither awaits nor blocks."""

    async def begin(self) -> None:
        """Get ready to write; called at the start of the chain."""

    async def finish(self) -> None:
        """Let go of everything; called at the end, or when the call is cancelled."""

    def heard_until_s(self, now_s: float) -> float:
        """Chunks that end by this moment were heard; their ends are reckoned from the writing.
        For a transport that learns more from its client."""
        return now_s

    # What a subclass calls

    def write_again(self) -> None:
        """Write what was not heard once more, as if all of it came just now."""
        now_s = asyncio.get_running_loop().time()
        sounding, self._sounding = self._sounding, deque()
        self._sounds_until_s, self.unheard_samples = now_s, 0
        for _, frame in sounding:
            self._write(frame, now_s)

    def pass_on_heard(self) -> None:
        """Pass on what was heard by now, without waiting for the next beat."""
        self._pass_on(asyncio.get_running_loop().time())

    def end_of_heard_s(self, samples: int) -> float:
        """For `heard_until_s`: when the last chunk ends of those that lie wholly within so many
        samples of what is unheard."""
        until_s = -math.inf
        for end_s, frame in self._sounding:
            samples -= frame.num_frames
            if samples < 0:
                break
            until_s = end_s
        return until_s

    def forget_unheard(self) -> None:
        """Count what was not heard so far as never to be heard: the client dropped it."""
        self._sounding.clear()
        self._sounds_until_s, self.unheard_samples = 0.0, 0

    # The engine's side

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, OutputAudioRawFrame):
            self.push_audio(frame)
            return
        self.expect(frame, self._rate_hz)
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._pass_on_due_s:
            self._pass_on(now_s)
        if now_s >= self._tell_due_s and isinstance(frame, TTSAudioRawFrame):
            self._tell_speaking(now_s)
        self._write(frame, now_s)
        if not self._beating:
            self._beating = True
            metronome().join(self._beat)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame | CancelFrame):
            # Behind this output it is asked at once how much was heard.
            self.pass_on_heard()
            self._tell_silent()
        elif direction is DOWNSTREAM and isinstance(frame, TTSStoppedFrame | EndFrame):
            # The queue waited for the last chunk, but for the few ms that a beat may be early.
            self._pass_on(self._sounds_until_s)
            # That another answer is heard is told with its first chunk.
            self._pass_on_due_s = -math.inf
            self._tell_silent()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case EndFrame() | CancelFrame():
                await self.finish()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            await self.begin()
            await self.push_frame(OutputTransportReadyFrame(), UPSTREAM)

    async def cleanup(self) -> None:
        await super().cleanup()
        self._rest()
        await self.finish()

    def _write(self, frame: OutputAudioRawFrame, now_s: float) -> None:
        self.write_audio(frame)
        samples = frame.num_frames
        until_s = max(self._sounds_until_s, now_s) + samples / self._rate_hz
        self._sounds_until_s = until_s
        self._sounding.append((until_s, frame))
        self.unheard_samples += samples

    def _beat(self) -> None:
        # Not sooner: while speech flows, there is another chunk by the next beat.
        if not self._sounding:
            self._rest()
            return
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._pass_on_due_s or now_s >= self._sounds_until_s + _STARVED_S:
            self._pass_on(now_s)

    def _rest(self) -> None:
        self._beating = False
        metronome().leave(self._beat)

    def _pass_on(self, now_s: float) -> None:
        """Pass on what has been heard by now."""
        sounding = self._sounding
        if not sounding:
            return
        until_s = self.heard_until_s(now_s) + _ROUNDING_S
        heard: list[OutputAudioRawFrame] = []
        while sounding and sounding[0][0] <= until_s:
            heard.append(sounding.popleft()[1])
        if not heard:
            return
        self._pass_on_due_s = now_s + PASS_ON_EVERY_S
        self.unheard_samples -= sum(frame.num_frames for frame in heard)
        self.push_audio(heard[0] if len(heard) == 1 else self._joined(heard))

    def _joined(self, heard: Sequence[OutputAudioRawFrame]) -> SpeechFrame:
        pcm = b"".join(frame.audio for frame in heard)
        return SpeechFrame(audio=pcm, sample_rate=self._rate_hz, num_channels=1)

    def _tell_speaking(self, now_s: float) -> None:
        if self._tell_due_s == -math.inf:
            self._tell(BotStartedSpeakingFrame)
        self._tell_due_s = now_s + BOT_SPEAKING_EVERY_S
        self._tell(BotSpeakingFrame)

    def _tell_silent(self) -> None:
        if self._tell_due_s != -math.inf:
            self._tell_due_s = -math.inf
            self._tell(BotStoppedSpeakingFrame)

    def _tell(self, kind: type[Frame]) -> None:
        down, up = kind(), kind()
        down.broadcast_sibling_id, up.broadcast_sibling_id = up.id, down.id
        self.emit(down)
        self.emit(up, UPSTREAM)
