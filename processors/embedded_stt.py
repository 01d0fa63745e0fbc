"""The embedded recogniser as a service of pipecat's: small, local, and of one language."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, Protocol

from pipecat.frames.frames import EagerTranscriptionFrame
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService

from crossfade.audio.pcm import bytes_for
from crossfade.errors import CrossfadeError
from crossfade.frames.control import (
    Frame,
    SpeechDroppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InterimTranscriptionFrame, TranscriptionFrame

from .base import FrameDirection
from .preroll import PreRoll

LEAD_IN_MS = 500
"""Sound from before speech was noticed that goes along with it."""
LONGEST_MS = 60_000
"""Of a longer utterance, the first minute is heard."""
SLOWEST_S = 1.5
"""How long its words may take on a busy machine."""


class Recognised(Protocol):
    """What was understood."""

    @property
    def text(self) -> str:
        """The words."""


class Utterance(Protocol):
    """An utterance that is being recognised, such as `offline.recogniser` has them."""

    @property
    def partial(self) -> str:
        """What has been understood so far."""

    async def feed(self, pcm: bytes) -> None:
        """Hear the next sound, s16le mono."""

    async def finish(self) -> Recognised:
        """The utterance is over."""

    def abandon(self) -> None:
        """Nobody wants the text any more."""


class Recogniser(Protocol):
    """Recognises speech."""

    def utterance(self, rate_hz: int) -> Utterance:
        """Begin with an utterance at this rate."""


class EmbeddedSTT(STTService):
    """Recognises what is said between the words of local voice activity.

    Partial words come while it is spoken; at the end one final transcript that is marked as such,
    which is empty if nothing was made out.

    Args:
        recogniser: Does the work; it is started and closed by whoever gives it.
        eager: Whether to foretell with each pause that the turn is over, so that the model may
            begin; each pause costs a request then.
    """

    in_segments = True
    """It gives one final transcript for each stretch of local voice activity."""

    def __init__(self, recogniser: Recogniser, *, eager: bool = False, **options: Any) -> None:
        super().__init__(
            settings=STTSettings(model="embedded", language=None),
            audio_passthrough=False,
            ttfs_p99_latency=SLOWEST_S,
            **options,
        )
        self._recogniser = recogniser
        self._eager = eager
        self._lead_in: PreRoll | None = None
        self._current: _Listening | None = None
        self._finishing: set[asyncio.Task[Any]] = set()
        """Of utterances that are over, whose words have not come."""

    def can_generate_metrics(self) -> bool:
        """It can."""
        return True

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Hear the next sound; what is made out of it comes later."""
        if self._current is not None:
            self._current.feed(audio)
        else:
            self._before.add(audio)
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Begin and end utterances with local voice activity."""
        await super().process_frame(frame, direction)
        match frame:
            case VADUserStartedSpeakingFrame() if self._current is None:
                current = _Listening(self._recogniser.utterance(self.sample_rate), self.sample_rate)
                current.feed(self._before.take())
                self._current = current
                current.task = self.create_task(self._listen(current), f"{self.name}::listening")
            case SpeechDroppedFrame() if self._current is not None:
                current, self._current = self._current, None
                await self._abandon(current)
            case VADUserStoppedSpeakingFrame() if self._current is not None:
                over, self._current = self._current, None
                over.end()
                if over.task is not None:
                    self._finishing.add(over.task)
                    over.task.add_done_callback(self._finishing.discard)

    async def cleanup(self) -> None:
        """Let go of the utterances at hand."""
        current, self._current = self._current, None
        if current is not None:
            await self._abandon(current)
        for task in tuple(self._finishing):
            await self.cancel_task(task)
        await super().cleanup()

    @property
    def _before(self) -> PreRoll:
        if self._lead_in is None:
            self._lead_in = PreRoll(LEAD_IN_MS, self.sample_rate)
        return self._lead_in

    async def _abandon(self, current: "_Listening") -> None:
        if current.task is not None:
            await self.cancel_task(current.task)

    async def _listen(self, current: "_Listening") -> None:
        """Recognise one utterance while it is spoken."""
        utterance, told = current.utterance, ""
        try:
            while pcm := await current.take():
                await utterance.feed(pcm)
                if utterance.partial != told:
                    told = utterance.partial
                    await self.push_frame(InterimTranscriptionFrame(told, "", _now()))
            text = (await utterance.finish()).text
        except CrossfadeError as error:
            await self.push_error(str(error), exception=error)
            text = ""
        except BaseException:
            utterance.abandon()
            raise
        if self._eager and text:
            await self.push_frame(EagerTranscriptionFrame(text, "", _now()))
        await self.emit_stt_usage_metrics()
        transcript = TranscriptionFrame(text, "", _now())
        transcript.finalized = True
        await self.push_frame(transcript)


class _Listening:
    """Sound on its way to the recogniser, which is given all that waits at once."""

    def __init__(self, utterance: Utterance, rate_hz: int) -> None:
        self.utterance = utterance
        self.task: asyncio.Task[Any] | None = None
        self._room_bytes = bytes_for(LONGEST_MS, rate_hz)
        self._waiting = bytearray()
        self._over = False
        self._more = asyncio.Event()

    def feed(self, pcm: bytes) -> None:
        pcm = pcm[: self._room_bytes]
        self._room_bytes -= len(pcm)
        self._waiting += pcm
        self._more.set()

    def end(self) -> None:
        self._over = True
        self._more.set()

    async def take(self) -> bytes:
        """All sound that waits; empty when it is over."""
        while not self._waiting and not self._over:
            self._more.clear()
            await self._more.wait()
        pcm = bytes(self._waiting)
        self._waiting.clear()
        return pcm


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


__all__ = ["EmbeddedSTT", "Recogniser", "Utterance"]
