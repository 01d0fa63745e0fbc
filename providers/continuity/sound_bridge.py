"""Carries sound between what a session's caller has and what another provider takes and gives."""

from collections.abc import Callable, Mapping, Sequence

from crossfade.audio.g711 import decode_a_law, decode_mu_law, encode_a_law, encode_mu_law
from crossfade.audio.resample import StreamResampler
from crossfade.providers.config import Encoding
from crossfade.providers.events import AudioChunk, Event, ResponseDone, SpeechDone
from crossfade.providers.sound_format import SoundFormat

_Code = Callable[[bytes], bytes]
_DECODE: Mapping[Encoding, _Code] = {
    Encoding.PCM: lambda pcm: pcm,
    Encoding.ULAW: decode_mu_law,
    Encoding.ALAW: decode_a_law,
}
_ENCODE: Mapping[Encoding, _Code] = {
    Encoding.PCM: lambda pcm: pcm,
    Encoding.ULAW: encode_mu_law,
    Encoding.ALAW: encode_a_law,
}


class SoundBridge:
    """Both directions of one connection.

    Args:
        ours: The sound of the session's caller.
        theirs: The sound of the provider.
    """

    def __init__(self, ours: SoundFormat, theirs: SoundFormat) -> None:
        self._ours = ours
        self._theirs = theirs
        self._up = StreamResampler(ours.input_rate_hz, theirs.input_rate_hz)
        self._down = StreamResampler(theirs.output_rate_hz, ours.output_rate_hz)
        self._last: AudioChunk | None = None

    def up(self, audio: bytes) -> bytes:
        """The user's sound, as the provider takes it; it lags by 2 ms at most."""
        pcm = self._up.process(_DECODE[self._ours.encoding](audio))
        return _ENCODE[self._theirs.encoding](pcm)

    def whole(self, audio: bytes) -> bytes:
        """A stretch of the user's sound apart from what is sent, as the provider takes it."""
        resampler = StreamResampler(self._ours.input_rate_hz, self._theirs.input_rate_hz)
        pcm = resampler.process(_DECODE[self._ours.encoding](audio)) + resampler.flush()
        return _ENCODE[self._theirs.encoding](pcm)

    def down(self, events: Sequence[Event]) -> list[Event]:
        """The provider's events, with sound as the caller takes it."""
        converted: list[Event] = []
        for event in events:
            match event:
                case AudioChunk():
                    converted += self._speech(event)
                case SpeechDone() | ResponseDone():
                    converted += [*self._rest(), event]
                case _:
                    converted.append(event)
        return converted

    def _speech(self, chunk: AudioChunk) -> list[Event]:
        ends = self._last is not None and self._last.item_id != chunk.item_id
        before = self._rest() if ends else []
        self._last = chunk
        pcm = self._down.process(_DECODE[self._theirs.encoding](chunk.pcm))
        return before + self._chunk(chunk, pcm)

    def _rest(self) -> list[Event]:
        """The end of an item, which the filter has held back."""
        last, self._last = self._last, None
        return [] if last is None else self._chunk(last, self._down.flush())

    def _chunk(self, like: AudioChunk, pcm: bytes) -> list[Event]:
        if not pcm:
            return []
        audio = _ENCODE[self._ours.encoding](pcm)
        return [AudioChunk(response_id=like.response_id, item_id=like.item_id, pcm=audio)]


__all__ = ["SoundBridge"]
