"""Ogg/Opus both ways, by the library that Moshi's own server uses."""

import numpy as np

from crossfade.errors import SettingsError

RATE_HZ = 24_000
FRAME_SAMPLES = 1920
FRAME_BYTES = 2 * FRAME_SAMPLES
FRAME_S = FRAME_SAMPLES / RATE_HZ

# So much of a message is decoded at a time: a packet may be one byte and sound for 120 ms.
_SLICE_BYTES = 1024
# Nobody speaks faster than the clock: more in one message is no caller.
_LONGEST_S = 30


class Garbled(Exception):
    """What came is no Ogg/Opus stream, or a flood."""


def check_available() -> None:
    """Raises SettingsError if the library is missing."""
    try:
        import sphn  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "Moshi's sound is Ogg/Opus, and sphn is not installed; install crossfade[moshi]"
        ) from error


class Decoder:
    """Takes a client's stream; mono at 24 kHz."""

    def __init__(self) -> None:
        import sphn

        self._reader = sphn.OpusStreamReader(RATE_HZ)

    def decode(self, data: bytes) -> bytes:
        """The sound of the next bytes of the stream, s16le.

        Raises:
            Garbled: The stream makes no sense, or holds more than 30 s.
        """
        pieces = []
        samples = 0
        for at in range(0, len(data), _SLICE_BYTES):
            try:
                sound = self._reader.append_bytes(data[at : at + _SLICE_BYTES])
            except ValueError as error:
                raise Garbled(str(error)) from error
            samples += len(sound)
            if samples > _LONGEST_S * RATE_HZ:
                raise Garbled(f"more than {_LONGEST_S} s of sound in one message")
            pieces.append((np.clip(sound, -1.0, 1.0) * 32767).astype("<i2").tobytes())
        return b"".join(pieces)


class Encoder:
    """Makes the service's stream; the first bytes of it hold the stream's head."""

    def __init__(self) -> None:
        import sphn

        self._writer = sphn.OpusStreamWriter(RATE_HZ)

    def encode(self, pcm: bytes) -> bytes:
        """The pages of one frame.

        Args:
            pcm: `FRAME_BYTES` of s16le.
        """
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        return bytes(self._writer.append_pcm(samples))
