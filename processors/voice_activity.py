"""Hears when the user speaks, on this machine."""

from crossfade.audio.resample import StreamResampler
from crossfade.audio.vad import SpeechBegan, VoiceDetector
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame
from crossfade.frames.control import (
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from .base import Processor

DETECTOR_RATE_HZ = 16000


class VoiceActivity(Processor):
    """Scores the user's audio and emits pipecat's VAD frames; passes the audio on untouched.

    Args:
        rate_hz: Rate of the user's audio, mono; anything else is refused.
        detector: Decides what is speech; takes 16 kHz.
    """

    def __init__(self, *, rate_hz: int, detector: VoiceDetector, name: str | None = None) -> None:
        super().__init__(name=name)
        self._rate_hz = rate_hz
        self._detector = detector
        self._resampler = StreamResampler(rate_hz, DETECTOR_RATE_HZ)

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            self.expect(frame, self._rate_hz)
            for change in self._detector.feed(self._resampler.process(frame.audio)):
                if isinstance(change, SpeechBegan):
                    self.emit(VADUserStartedSpeakingFrame())
                else:
                    self.emit(VADUserStoppedSpeakingFrame())
        self.push_audio(frame)
