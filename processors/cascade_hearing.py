"""The recogniser of a cascade, and whose words are whose."""

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    STTMetadataFrame,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.stt_service import SegmentedSTTService, STTService

from crossfade.audio.pcm import bytes_for
from crossfade.frames.audio import InputAudioRawFrame
from crossfade.frames.control import (
    Frame,
    MetricsFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InterimTranscriptionFrame, TranscriptionFrame

from .cascade_stage import Stage, Take
from .cascade_turn import Heard, HeardTurns
from .kept_uplink import KeptUplink

PATIENCE_S = 1.0
"""How long after speech its words are waited for, where the recogniser does not tell its time."""
LEAST_PATIENCE_S = 0.1
KEEP_S = 60.0
"""So much of what is not put into words yet is kept."""
PREROLL_MS = 700.0
PIECE_MS = 500.0
"""So long are the pieces of what is heard at once: a minute of them fits in front of a service."""


class Hearing:
    """Gives the recogniser the user's sound and turns, and tells what was said in each.

    The recogniser hears all of the sound, as in a chain of pipecat's own. A turn is told when it
    has ended and the recogniser says that these are all its words; where it does not say so, with
    the first final words after the end of speech, or when the time has passed in which it gives
    99 % of its results.

    Args:
        service: The recogniser.
        rate_hz: Rate of the user's sound, mono.
        tell: Given what was heard, in order.
        metrics: Given the recogniser's measurements.
        error: Given what it pushes upstream.
        soon: Runs a coroutine beside.
    """

    def __init__(
        self,
        service: STTService,
        *,
        rate_hz: int,
        tell: Callable[[Heard], Awaitable[None]],
        metrics: Take,
        error: Take,
        soon: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.stage = Stage(service, self._take, error)
        # Another cascade of the same call has turns of other names.
        self._turns = HeardTurns(f"user_{uuid.uuid4().hex[:8]}", segments=in_segments(service))
        self._kept = KeptUplink(rate_hz, keep_s=KEEP_S, preroll_ms=PREROLL_MS)
        self._kept_from: int | None = None
        self._tell = tell
        self._metrics = metrics
        self._soon = soon
        self._told: deque[Heard] = deque()
        self._telling = False
        self._latency_s = PATIENCE_S
        self._silent_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_floor(self) -> bool:
        """Whether the user speaks, or was not understood yet."""
        return self._turns.has_floor

    @property
    def unfinished(self) -> bytes:
        """What was said and not put into words yet, s16le mono."""
        return b"" if self._kept_from is None else self._kept.sound_since(self._kept_from)

    def expect(self, names: Iterable[str]) -> None:
        """Turns that another node has told of are heard again, and keep their names."""
        self._turns.expect(names)

    def put_audio(self, frame: InputAudioRawFrame) -> None:
        self._kept.hear(frame)
        self.stage.put(frame)

    def hear_first(self, pcm: bytes, rate_hz: int) -> None:
        """Hear a turn that somebody else heard the beginning of, before all that comes in.

        Args:
            pcm: s16le mono.
            rate_hz: Its rate.
        """
        self.note(VADUserStartedSpeakingFrame())
        self.note(UserStartedSpeakingFrame())
        size = bytes_for(PIECE_MS, rate_hz)
        for at in range(0, len(pcm), size):
            piece = pcm[at : at + size]
            self.put_audio(InputAudioRawFrame(audio=piece, sample_rate=rate_hz, num_channels=1))
        self.note(VADUserStoppedSpeakingFrame())
        self.note(UserStoppedSpeakingFrame())

    def note(self, frame: Frame) -> None:
        """Take a frame that came from above."""
        turns = self._turns
        match frame:
            case VADUserStartedSpeakingFrame():
                self._heard(turns.onset())
            case SpeechDroppedFrame():
                self._heard(turns.dropped())
            case VADUserStoppedSpeakingFrame():
                self._silent_s = frame.stop_secs
                self._heard(turns.fell_silent())
            case UserStartedSpeakingFrame():
                self._heard(turns.began())
            case UserStoppedSpeakingFrame():
                self._heard(turns.ended())
            case _:
                return
        self.stage.put(frame)
        self._watch()

    async def tell(self) -> None:
        """Tell what was heard, whoever is telling already."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._told:
                await self._tell(self._told.popleft())
        finally:
            self._telling = False

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _take(self, frame: Frame) -> None:
        match frame:
            case TranscriptionFrame():
                self._heard(
                    self._turns.heard(frame.text, final=True, finalized=bool(frame.finalized))
                )
            case InterimTranscriptionFrame():
                self._heard(self._turns.heard(frame.text, final=False))
            case EagerTranscriptionFrame():
                self._heard(self._turns.foreseen(frame.text))
            case EagerEndOfTurnCancelFrame():
                self._heard(self._turns.withdrawn())
            case STTMetadataFrame():
                self._latency_s = frame.ttfs_p99_latency
                return
            case MetricsFrame():
                await self._metrics(frame)
                return
            case _:
                return
        self._watch()
        await self.tell()

    def _heard(self, heard: list[Heard]) -> None:
        self._told += heard
        if not self._turns.listening:
            self._kept_from = None
            self._kept.release(None)
        elif self._kept_from is None:
            self._kept_from = self._kept.begin()

    def _watch(self) -> None:
        """See to it that no turn waits for ever."""
        if not self._turns.waiting:
            self.stop()
        elif self._timer is None:
            patience_s = max(self._latency_s - self._silent_s, LEAST_PATIENCE_S)
            self._timer = asyncio.get_running_loop().call_later(patience_s, self._late)

    def _late(self) -> None:
        self._timer = None
        self._heard(self._turns.late())
        self._soon(self.tell())


def in_segments(service: FrameProcessor) -> bool:
    """Whether a recogniser gives one final transcript for each stretch of local voice activity;
    one that is not pipecat's own tells it by an attribute `in_segments`."""
    return isinstance(service, SegmentedSTTService) or getattr(service, "in_segments", False)


__all__ = ["Hearing", "in_segments"]
