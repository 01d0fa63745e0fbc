"""Keeps the agent from speaking into a dead line by WebRTC, and hears how a call stands."""

import asyncio
import math
from collections.abc import Callable
from typing import ClassVar

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame, SpeechPlayedFrame
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from crossfade.processors.base import DOWNSTREAM, FrameDirection, Processor

from .webrtc_line import WebRtcLine

SILENT_S = 0.6
"""A browser whose microphone is on sends sound 50 times a second; without any for so long, its
line is taken for dead."""
MUTED_S = 2.5
"""One whose microphone is off sends a word each second."""
MUTE_AFTER_S = 2.0
_LOOK_S = 0.1


class LineWatch(Processor):
    """Holds the playout while nothing comes from the browser, and lets it go on when it is back.

    Stands in the chain before the node: it hears the caller's sound.

    Args:
        line: Whose signs of life they are.
        received_samples: So much of the caller's audio was heard elsewhere.
    """

    hears: ClassVar[tuple[type[Frame], ...] | None] = (
        InterruptionFrame,
        PlayoutResumeFrame,
        SpeechPlayedFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        BotStartedSpeakingFrame,
        BotStoppedSpeakingFrame,
    )

    def __init__(self, line: WebRtcLine, *, received_samples: int = 0) -> None:
        super().__init__()
        self._line = line
        self._clock = asyncio.get_running_loop().time
        self.received_samples = received_samples
        self.on_played: Callable[[SpeechPlayedFrame], None] = lambda frame: None
        """Told what was heard of the agent, when all others know it."""
        self.dead_since_s: float | None = self._clock()
        """When the last sign of life came; None while they come."""
        self.user_speaks = self.agent_speaks = False
        self._heard_at_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            self.received_samples += len(frame.audio) // SAMPLE_BYTES
            self._heard_at_s = self._clock()
            if self.dead_since_s is not None:
                self._look()
        self.push_audio(frame)

    def hold(self) -> None:
        """The browser is not to hear anything until it is heard again."""
        if self.dead_since_s is None:
            self.dead_since_s = self._clock()
        self._heard_at_s = -math.inf
        self.emit(PlayoutHoldFrame())

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case StartFrame():
                self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look_again)
            case EndFrame() | CancelFrame():
                self._rest()
            case PlayoutResumeFrame() | InterruptionFrame() if direction is DOWNSTREAM:
                if self.dead_since_s is not None:
                    self.emit(PlayoutHoldFrame())
            case SpeechPlayedFrame() if direction is not DOWNSTREAM:
                self.on_played(frame)
            case UserStartedSpeakingFrame():
                self.user_speaks = True
            case UserStoppedSpeakingFrame():
                self.user_speaks = False
            case BotStartedSpeakingFrame():
                self.agent_speaks = True
            case BotStoppedSpeakingFrame():
                self.agent_speaks = False

    async def cleanup(self) -> None:
        await super().cleanup()
        self._rest()

    def _look_again(self) -> None:
        self._look()
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look_again)

    def _look(self) -> None:
        now_s = self._clock()
        alive = self._line.connected and self._signs(now_s)
        if alive and self.dead_since_s is not None:
            self.dead_since_s = None
            self.emit(PlayoutResumeFrame())
        elif not alive and self.dead_since_s is None:
            self.dead_since_s = now_s
            self.emit(PlayoutHoldFrame())

    def _signs(self, now_s: float) -> bool:
        """Whether there are signs of life."""
        if now_s < self._heard_at_s + SILENT_S:
            return True
        word_s, line = self._line.alive_at_s, self._line
        # One that goes on sending words has no microphone, or lost it.
        mute = not line.sends_sound or word_s > self._heard_at_s + MUTE_AFTER_S
        return mute and now_s < word_s + MUTED_S

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


__all__ = ["MUTED_S", "SILENT_S", "LineWatch"]
