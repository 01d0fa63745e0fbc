"""Tells a pause for thought from the end of a turn."""

import asyncio
from enum import Enum, auto
from typing import Protocol

from crossfade.audio.pcm import bytes_for
from crossfade.audio.resample import StreamResampler
from crossfade.audio.vad import RATE_HZ
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame
from crossfade.frames.control import (
    CancelFrame,
    EndFrame,
    Frame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from .base import FrameDirection, Processor

ASK_AFTER_MS = 200
"""How long a pause is when the question is asked; what VoiceActivity's detector is to wait."""
PATIENCE_MS = 2000
"""How long a pause may be that does not sound like an end."""
BUSY_MS = 480
"""How long a pause may be when there is no answer: too many questions wait, or the judge failed."""
HEARD_MS = 8000
"""How much of a turn is heard, at most; it is kept for each call (250 kB)."""
_BEFORE_MS = 500


class TurnJudge(Protocol):
    """Knows whether somebody who pauses has finished."""

    async def complete(self, pcm: bytes) -> bool | None:
        """Whether the turn, s16le mono at 16 kHz, is complete; None if it cannot tell now."""
        ...


class _State(Enum):
    SILENT = auto()
    SPEAKING = auto()
    PAUSING = auto()
    """The turn may be over; nobody knows yet but us."""
    RESUMED = auto()
    """Speaking again in the same turn."""


class EndOfTurn(Processor):
    """Holds back the word that the user's speech ended until it sounds like the end of a turn.

    Stands behind VoiceActivity, whose detector is to wait for 200 ms of silence. When speech goes
    on, what is behind hears nothing of the pause. A false start ends at once.

    Args:
        rate_hz: Rate of the user's audio, mono.
        judge: Is asked at each pause.
        patience_ms: A pause of this length ends a turn, whatever it sounds like.
    """

    hears = (
        SpeechConfirmedFrame,
        SpeechDroppedFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )

    def __init__(
        self,
        *,
        rate_hz: int,
        judge: TurnJudge,
        patience_ms: float = PATIENCE_MS,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._judge = judge
        self._patience_ms = patience_ms
        self._resampler = StreamResampler(rate_hz, RATE_HZ)
        self._heard = bytearray()
        self._state = _State.SILENT
        self._pause: asyncio.Task[None] | None = None
        self._stopped: VADUserStoppedSpeakingFrame | None = None

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            self._heard += self._resampler.process(frame.audio)
            if len(self._heard) > bytes_for(HEARD_MS + 1000, RATE_HZ):
                self._keep(HEARD_MS)
        self.push_audio(frame)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case EndFrame() | CancelFrame():
                await self._settle()
            case VADUserStartedSpeakingFrame() if self._state is _State.PAUSING:
                self._state = _State.RESUMED
                await self._forget_pause()
                return
            case VADUserStartedSpeakingFrame():
                self._state = _State.SPEAKING
                self._keep(_BEFORE_MS + frame.start_secs * 1000)
            case SpeechConfirmedFrame() | SpeechDroppedFrame() if self._state is _State.RESUMED:
                return
            case SpeechDroppedFrame():
                self._state = _State.SILENT
            case VADUserStoppedSpeakingFrame() if self._state is not _State.SILENT:
                await self._hold_back(frame)
                return
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        await super().cleanup()
        await self._forget_pause()

    def _keep(self, length_ms: float) -> None:
        """Forget all that was heard but the newest."""
        del self._heard[: -bytes_for(length_ms, RATE_HZ)]

    async def _hold_back(self, frame: VADUserStoppedSpeakingFrame) -> None:
        self._state = _State.PAUSING
        self._stopped = frame
        await self._forget_pause()
        self._pause = self.create_task(self._weigh(frame), f"{self.name}::pause")

    async def _weigh(self, frame: VADUserStoppedSpeakingFrame) -> None:
        """Wait until the pause is long enough for what it sounds like."""
        loop = asyncio.get_running_loop()
        began_s = loop.time() - frame.stop_secs
        complete = await self._ask()
        if not complete:
            allowed_ms = BUSY_MS if complete is None else self._patience_ms
            await asyncio.sleep(began_s + allowed_ms / 1000 - loop.time())
        self._pause = None
        await self._end(loop.time() - began_s)

    async def _ask(self) -> bool | None:
        try:
            return await self._judge.complete(bytes(self._heard))
        except Exception as error:
            # The turn ends without it: the caller waits for an answer.
            await self.push_error(f"{self.name}: {error}", exception=error)
            return None

    async def _end(self, paused_s: float) -> None:
        self._state = _State.SILENT
        await self.push_frame(VADUserStoppedSpeakingFrame(stop_secs=paused_s))

    async def _settle(self) -> None:
        """The call ends: so does the turn."""
        pausing = self._state is _State.PAUSING
        await self._forget_pause()
        if pausing and self._stopped is not None:
            await self._end(self._stopped.stop_secs)

    async def _forget_pause(self) -> None:
        if self._pause is not None:
            task, self._pause = self._pause, None
            await self.cancel_task(task)
