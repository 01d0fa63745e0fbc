"""Brings the speech of several nodes to one rate, response by response."""

from crossfade.audio.resample import StreamResampler
from crossfade.frames.audio import SpeechFrame, SpeechOrigin


class SpeechRate:
    """Converts what is of another rate. Each response is a stream of its own.

    Args:
        rate_hz: What comes out, mono.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._streams: dict[str, tuple[StreamResampler, SpeechOrigin]] = {}

    def convert(self, frame: SpeechFrame, origin: SpeechOrigin) -> SpeechFrame:
        """A chunk of speech at the rate of all."""
        if frame.sample_rate == self.rate_hz:
            return frame
        stream = self._streams.get(origin.response_id)
        if stream is None:
            stream = StreamResampler(frame.sample_rate, self.rate_hz), origin
        else:
            stream = stream[0], origin
        self._streams[origin.response_id] = stream
        return self._speech(stream[0].process(frame.audio), origin)

    def rest(self, response_id: str) -> SpeechFrame | None:
        """What was held back of a response that is spoken to its end."""
        stream = self._streams.pop(response_id, None)
        if stream is None or not (pcm := stream[0].flush()):
            return None
        return self._speech(pcm, stream[1])

    def forget(self, response_id: str) -> None:
        """The response is over."""
        self._streams.pop(response_id, None)

    def _speech(self, pcm: bytes, origin: SpeechOrigin) -> SpeechFrame:
        return SpeechFrame(
            audio=pcm,
            sample_rate=self.rate_hz,
            num_channels=1,
            context_id=origin.response_id,
            origin=origin,
        )


__all__ = ["SpeechRate"]
