"""Brings the agent's speech to the rate of the transport."""

from crossfade.audio.pcm import mix_down
from crossfade.audio.resample import StreamResampler
from crossfade.frames.audio import (
    AudioRawFrame,
    OutputAudioRawFrame,
    SpeechFrame,
    SpeechOrigin,
    TTSStoppedFrame,
    origin_of,
)
from crossfade.frames.control import Frame, InterruptionFrame

from .base import DOWNSTREAM, FrameDirection, Processor


class Resampler(Processor):
    """Converts the speech of a node, mixes channels down, and refuses another rate than declared.

    Each item is a stream of its own, so that no sample of one leaks into the next. The caller's
    audio is not converted here: each consumer does that once, for itself.

    Args:
        in_rate_hz: Rate of the node's speech.
        out_rate_hz: Rate of the transport, mono.
    """

    hears = (InterruptionFrame, TTSStoppedFrame)

    def __init__(self, *, in_rate_hz: int, out_rate_hz: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self._in_rate_hz = in_rate_hz
        self._out_rate_hz = out_rate_hz
        self._stream: StreamResampler | None = None
        self._origin: SpeechOrigin | None = None

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, OutputAudioRawFrame):
            self.push_audio(frame)
            return
        self.expect(frame, self._in_rate_hz, frame.num_channels)
        if self._in_rate_hz == self._out_rate_hz and frame.num_channels == 1:
            self.push_audio(frame)
            return
        origin = origin_of(frame)
        if origin != self._origin:
            self._flush()
        if self._stream is None:
            self._stream = StreamResampler(self._in_rate_hz, self._out_rate_hz)
            self._origin = origin
        self._speak(self._stream.process(mix_down(frame.audio, frame.num_channels)))

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame):
            self._stream = None
        elif isinstance(frame, TTSStoppedFrame) and direction is DOWNSTREAM:
            self._flush()

    def _flush(self) -> None:
        if self._stream is not None:
            tail, self._stream = self._stream.flush(), None
            self._speak(tail)

    def _speak(self, pcm: bytes) -> None:
        if pcm:
            self.push_audio(
                SpeechFrame(
                    audio=pcm,
                    sample_rate=self._out_rate_hz,
                    num_channels=1,
                    origin=self._origin,
                )
            )
