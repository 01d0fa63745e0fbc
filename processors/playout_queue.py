"""Holds the agent's speech and feeds it to the transport at the pace of playout."""

import asyncio

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.frames.audio import (
    AudioRawFrame,
    OutputAudioRawFrame,
    SpeechFrame,
    TTSStoppedFrame,
    origin_of,
)
from crossfade.frames.control import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
)

from .base import DOWNSTREAM, FrameDirection, Processor
from .metronome import PERIOD_MS, SLOT_S, metronome
from .playout import Playout

LEAD_MS = 40
"""How far ahead of the caller's ear a stock transport is fed."""
OWN_LEAD_S = PERIOD_MS / 1000 + SLOT_S
"""Ours needs the chunk that sounds, and the next one by so much early as a beat may be."""
CATCH_UP_S = 0.06
"""A beat that came so much late is made up for, since clients buffer more: speech keeps its pace.
What was later was heard as a pause, and speech goes on from there."""
HUSH_LIMIT_S = 1.0
"""The frame that a hush is ahead of comes within a few ms; should it be lost, speech goes on."""
_ROUNDING_S = 1e-6


class PlayoutQueue(Processor):
    """Owns all speech not yet played, so that an interruption silences the agent at once.

    The transport gets one chunk at a time: one of ours never has more than 25 ms that the caller
    has not heard, a stock one 40 ms, because its own queue would still write what had been pushed
    into it right before an interruption. When the user's turn begins, or a hold, the feeding stops
    by a plain call, before anybody is told; the frame that comes then empties the queue, or holds
    it. A resume goes on with the next sample within the same turn of the loop. Speech beyond the
    bound of `Playout` is refused with an error; nothing is dropped unseen.

    Args:
        playout: The state shared with the PlayoutTracker behind the transport's output.
    """

    hears = (InterruptionFrame, PlayoutHoldFrame, PlayoutResumeFrame, TTSStoppedFrame)

    def __init__(self, playout: Playout, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._playout = playout
        self._chunk_s = playout.chunk_bytes / SAMPLE_BYTES / playout.rate_hz
        self._held = False
        self._hushed_until_s = 0.0
        self._beating = False

    @property
    def playout(self) -> Playout:
        return self._playout

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, OutputAudioRawFrame):
            self.push_audio(frame)
            return
        playout = self._playout
        self.expect(frame, playout.rate_hz)
        starved = not playout.chunk_waits
        if not playout.add(origin_of(frame), frame.audio):
            raise OverflowError(
                f"more than {playout.waiting_ms / 1000:.0f} s of speech wait to be played; "
                "the rest is dropped"
            )
        if starved:
            # Nothing was late but the speech itself, and that was heard as a pause.
            now_s = asyncio.get_running_loop().time()
            playout.released_until_s = max(playout.released_until_s, now_s)
        self._release()

    def fall_silent(self) -> None:
        self._hushed_until_s = asyncio.get_running_loop().time() + HUSH_LIMIT_S

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InterruptionFrame() | CancelFrame():
                self._playout.clear()
                self._playout.released_until_s = self._hushed_until_s = 0.0
                self._held = False
                self._release()
            case PlayoutHoldFrame():
                self._held, self._hushed_until_s = True, 0.0
                self._rest()
            case PlayoutResumeFrame():
                self._held = False
                # What was held back was no delay to make up for.
                now_s = asyncio.get_running_loop().time()
                self._playout.released_until_s = max(self._playout.released_until_s, now_s)
                self._release()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        ends = direction is DOWNSTREAM and isinstance(frame, TTSStoppedFrame | EndFrame)
        if ends and not self._playout.empty:
            self._playout.add_mark(frame)
            self._release()
        else:
            await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        await super().cleanup()
        self._rest()

    def _release(self) -> None:
        """Hand on what is due, and come back at the next beat if more waits."""
        now_s = asyncio.get_running_loop().time()
        lead_s = OWN_LEAD_S if self.feeds_ours else LEAD_MS / 1000
        latest_s = now_s + lead_s - self._chunk_s + _ROUNDING_S
        playout = self._playout
        silent = self._held or now_s < self._hushed_until_s
        while not silent and playout.released_until_s <= latest_s and not self.emitting:
            taken = playout.take()
            if taken is None:
                break
            if isinstance(taken, Frame):
                self.emit(taken)
            else:
                if playout.released_until_s < now_s - CATCH_UP_S:
                    playout.released_until_s = now_s
                playout.released_until_s += self._chunk_s
                self.push_audio(
                    SpeechFrame(audio=taken, sample_rate=playout.rate_hz, num_channels=1)
                )
        if not (self._beating or self._held or playout.empty):
            self._beating = True
            metronome().join(self._beat)

    def _beat(self) -> None:
        self._release()
        # Not sooner: while speech flows, there is soon more to wait for.
        if self._playout.empty:
            self._rest()

    def _rest(self) -> None:
        if self._beating:
            self._beating = False
            metronome().leave(self._beat)
