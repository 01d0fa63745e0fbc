"""How the audio of a session is coded, and how long so many bytes of it last."""

from dataclasses import dataclass

from crossfade.providers.config import Encoding
from crossfade.providers.profiles import Profile

_G711_RATE_HZ = 8000


@dataclass(slots=True)
class WholeSamples:
    """Joins pieces of audio, of which any may end within a sample."""

    half: bytes = b""
    """The beginning of a sample whose rest is in the next piece."""

    def join(self, audio: bytes, sample_bytes: int) -> bytes:
        """Give the whole samples that end in `audio`; what is left over waits."""
        if self.half or len(audio) % sample_bytes:
            audio = self.half + audio
            end = len(audio) - len(audio) % sample_bytes
            audio, self.half = audio[:end], audio[end:]
        return audio


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFormat:
    """Mono audio, both ways in the same encoding."""

    encoding: Encoding
    sample_bytes: int
    input_rate_hz: int
    output_rate_hz: int

    @property
    def input_second_bytes(self) -> int:
        return self.sample_bytes * self.input_rate_hz

    def input_ms(self, size_bytes: int) -> float:
        return size_bytes * 1000 / (self.sample_bytes * self.input_rate_hz)

    def output_ms(self, size_bytes: int) -> float:
        return size_bytes * 1000 / (self.sample_bytes * self.output_rate_hz)


def sound_format(encoding: Encoding, profile: Profile) -> SoundFormat:
    if encoding is Encoding.PCM:
        return SoundFormat(
            encoding=encoding,
            sample_bytes=2,
            input_rate_hz=profile.input_rate_hz,
            output_rate_hz=profile.output_rate_hz,
        )
    return SoundFormat(
        encoding=encoding,
        sample_bytes=1,
        input_rate_hz=_G711_RATE_HZ,
        output_rate_hz=_G711_RATE_HZ,
    )


__all__ = ["SoundFormat", "WholeSamples", "sound_format"]
