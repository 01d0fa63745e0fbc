"""Holds the agent's speech and feeds it to the transport at the pace of playout."""

import asyncio
from typing import Any

from crossfade.frames.audio import (
    AudioRawFrame,
    OutputAudioRawFrame,
    SpeechFrame,
    SpeechOrigin,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import CancelFrame, EndFrame, Frame, InterruptionFrame, StartFrame

from .base import DOWNSTREAM, FrameDirection, Processor
from .playout import Playout

LEAD_MS = 40
"""How far ahead of the caller's ear the transport is fed."""


class PlayoutQueue(Processor):
    """Owns all speech not yet played, so that an interruption silences the agent at once.

    The transport gets one chunk at a time, never more than 40 ms ahead: pipecat's own output
    queue would still write what had been pushed into it right before an interruption. Speech
    beyond the bound of `Playout` is refused with an error; nothing is dropped unseen.

    Args:
        playout: The state shared with the PlayoutTracker behind the transport's output.
    """

    def __init__(self, playout: Playout, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._playout = playout
        self._filled = asyncio.Event()
        self._released_until_s = 0.0
        self._feeder: asyncio.Task[Any] | None = None

    @property
    def playout(self) -> Playout:
        return self._playout

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, OutputAudioRawFrame):
            self.push_audio(frame)
            return
        self.expect(frame, self._playout.rate_hz)
        if not self._playout.add(_origin(frame), frame.audio):
            raise OverflowError(
                f"more than {self._playout.waiting_ms / 1000:.0f} s of speech wait to be played; "
                "the rest is dropped"
            )
        self._filled.set()

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame | CancelFrame):
            self._playout.clear()
            self._released_until_s = 0.0

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is DOWNSTREAM:
            if isinstance(frame, StartFrame):
                self._feeder = self.create_task(self._feed(), f"{self.name}::feeder")
            elif isinstance(frame, TTSStoppedFrame | EndFrame) and not self._playout.empty:
                self._playout.add_mark(frame)
                self._filled.set()
                return
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        await super().cleanup()
        if self._feeder:
            await self.cancel_task(self._feeder)
            self._feeder = None

    async def _feed(self) -> None:
        loop = asyncio.get_running_loop()
        chunk_s = self._playout.chunk_bytes / 2 / self._playout.rate_hz
        while True:
            due_s = self._released_until_s + chunk_s - LEAD_MS / 1000
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
                continue
            taken = self._playout.take()
            if taken is None:
                self._filled.clear()
                await self._filled.wait()
            elif isinstance(taken, Frame):
                await self.push_frame(taken)
            else:
                self._released_until_s = max(self._released_until_s, loop.time()) + chunk_s
                await self.push_frame(
                    SpeechFrame(audio=taken, sample_rate=self._playout.rate_hz, num_channels=1)
                )


def _origin(frame: OutputAudioRawFrame) -> SpeechOrigin:
    """The origin of a chunk; what a stock TTS speaks belongs to its context."""
    if isinstance(frame, SpeechFrame) and frame.origin:
        return frame.origin
    context = frame.context_id if isinstance(frame, TTSAudioRawFrame) else None
    return SpeechOrigin(item_id=context or "speech", response_id=context or "speech")
