"""Hears when the user speaks, on this machine."""

import asyncio
from collections.abc import Callable, Mapping

from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.processors.frame_processor import FrameProcessorSetup

from crossfade.audio.pcm import silence
from crossfade.audio.resample import StreamResampler
from crossfade.audio.vad import (
    RATE_HZ,
    WINDOW_MS,
    SpeechBegan,
    SpeechConfirmed,
    SpeechDropped,
    SpeechEnded,
    SpeechEvent,
    VoiceDetector,
    two_stage_detector,
)
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame
from crossfade.frames.control import (
    Frame,
    SpeechConfirmedFrame,
    SpeechControlParamsFrame,
    SpeechDroppedFrame,
    StartFrame,
    UserSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from .base import FrameDirection, Processor
from .speech_scoring import ScoredStream, shared_scoring

STILL_SPEAKING_S = 1.0
"""How often it is told that the user still speaks."""


class VoiceActivity(Processor):
    """Tells when the user's speech begins, is confirmed, fades or ends; passes the audio on.

    The speech of all calls of an event loop is scored together, so a decision comes up to 20 ms
    behind its audio. Emits pipecat's VAD frames, with the times that its turn strategies reckon
    with: `start_secs` and `stop_secs` are what really passed between the event and its decision.
    A false start is a SpeechDroppedFrame and then a VADUserStoppedSpeakingFrame. Audio that stops
    coming while the user speaks (a muted microphone) counts as silence after a second.

    Args:
        rate_hz: Rate of the user's audio, mono; anything else is refused.
        detector: Decides what is speech; takes 16 kHz. One with a scorer of its own is left to it.
            The default takes speech in two stages.
    """

    hears = ()

    def __init__(
        self, *, rate_hz: int, detector: VoiceDetector | None = None, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self._rate_hz = rate_hz
        self._resampler = None if rate_hz == RATE_HZ else StreamResampler(rate_hz, RATE_HZ)
        self._detector = detector or two_stage_detector()
        self._stream: ScoredStream | None = None
        self._hear: Callable[[bytes], None] = self._feed
        self._heard = 0
        self._heard_before = 0
        self._watch: asyncio.TimerHandle | None = None
        self.on_decision: Callable[[SpeechEvent], None] | None = None
        """Told of each decision first, with its place in the sound."""

    @property
    def settings(self) -> Mapping[str, float | None]:
        """What decides on speech, by the names of `VoiceDetector`'s arguments."""
        return self._detector.settings

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            self.expect(frame, self._rate_hz)
            self._heard += 1
            self._hear(
                frame.audio if self._resampler is None else self._resampler.process(frame.audio)
            )
        self.push_audio(frame)

    def _feed(self, pcm: bytes) -> None:
        for event in self._detector.feed(pcm):
            self._tell(event)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        if self._detector.scorer is None:
            self._stream = shared_scoring().join(self._detector, self._tell)
            self._hear = self._stream.hear

    async def cleanup(self) -> None:
        await super().cleanup()
        self._stop_watching()
        if self._stream is not None:
            self._stream.leave()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            # From these, pipecat's own realtime services reckon how much sound to keep.
            params = VADParams(
                start_secs=self._detector.start_ms / 1000, stop_secs=self._detector.stop_ms / 1000
            )
            await self.broadcast_frame(SpeechControlParamsFrame, vad_params=params)

    def _tell(self, event: SpeechEvent) -> None:
        if self.on_decision is not None:
            self.on_decision(event)
        passed_s = (event.decided_ms - event.at_ms) / 1000
        match event:
            case SpeechBegan():
                self.emit(VADUserStartedSpeakingFrame(start_secs=passed_s))
                self._watch_on()
            case SpeechConfirmed():
                self.emit(SpeechConfirmedFrame())
            case SpeechDropped():
                self.emit(SpeechDroppedFrame())
                self.emit(VADUserStoppedSpeakingFrame(stop_secs=passed_s))
                self._stop_watching()
            case SpeechEnded():
                self.emit(VADUserStoppedSpeakingFrame(stop_secs=passed_s))
                self._stop_watching()

    def _watch_on(self) -> None:
        """See in a second whether audio still comes."""
        self._heard_before = self._heard
        self._watch = asyncio.get_running_loop().call_later(STILL_SPEAKING_S, self._look)

    def _look(self) -> None:
        if not self.open:
            return
        if self._heard > self._heard_before:
            self.emit(UserSpeakingFrame())
            self._watch_on()
        else:
            # The window that is not full yet may still sound like speech.
            self._hear(silence(WINDOW_MS + self._detector.stop_ms, RATE_HZ))

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
