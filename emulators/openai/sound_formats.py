"""The sound formats of the wire."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.audio import g711
from crossfade.audio.resample import resample

from ..backends.backend import SPEECH_RATE_HZ


def _same(pcm: bytes) -> bytes:
    return pcm


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFormat:
    """How sound is written on the wire, mono."""

    rate_hz: int
    sample_bytes: int
    decode: Callable[[bytes], bytes] = _same
    """Sound of the wire, whole samples, as s16le at the same rate."""
    encode: Callable[[bytes], bytes] = _same
    """The inverse of `decode`."""

    @property
    def bytes_per_ms(self) -> int:
        return self.rate_hz * self.sample_bytes // 1000

    def spoken(self, pcm: bytes) -> bytes:
        """A whole sentence of a backend in this format."""
        return self.encode(resample(pcm, SPEECH_RATE_HZ, self.rate_hz))


PCM = SoundFormat(rate_hz=24_000, sample_bytes=2)
_FORMATS = {
    "audio/pcm": PCM,
    "audio/pcmu": SoundFormat(
        rate_hz=g711.RATE_HZ,
        sample_bytes=1,
        decode=g711.decode_mu_law,
        encode=g711.encode_mu_law,
    ),
    "audio/pcma": SoundFormat(
        rate_hz=g711.RATE_HZ,
        sample_bytes=1,
        decode=g711.decode_a_law,
        encode=g711.encode_a_law,
    ),
}


def sound_format(wire: Mapping[str, Any]) -> SoundFormat:
    """The format of a checked `format` object."""
    return _FORMATS[wire["type"]]


def recoded(sound: bytes, old: SoundFormat, new: SoundFormat) -> bytes:
    """Sound of one format in another."""
    return new.encode(resample(old.decode(sound), old.rate_hz, new.rate_hz))
