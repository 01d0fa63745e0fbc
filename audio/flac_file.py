"""Writing a FLAC file that can be read while it grows."""

from os import PathLike, fspath
from pathlib import Path

import soundfile

from crossfade.errors import SettingsError, SoundError

from .pcm import SAMPLE_BYTES


class FlacWriter:
    """Streams 16-bit PCM into a FLAC file, losslessly at a fifth to a half of its size.

    Until it is closed its header says no length, as FLAC allows: players play what is there, up to
    the last 4096 frames.

    Args:
        path: The file, replaced if it exists.
        rate_hz: Sample rate.
        channels: Number of interleaved channels.

    Raises:
        SettingsError: The file cannot be created.
    """

    def __init__(self, path: str | PathLike[str], rate_hz: int, channels: int = 1) -> None:
        self._frame_bytes = SAMPLE_BYTES * channels
        try:
            # Tells why; libsndfile says only that it could not.
            Path(path).write_bytes(b"")
            self._file = soundfile.SoundFile(
                fspath(path),
                "w",
                samplerate=rate_hz,
                channels=channels,
                subtype="PCM_16",
                format="FLAC",
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise SettingsError(
                f"{fspath(path)}: cannot be written ({getattr(error, 'strerror', None) or error}); "
                "give a path in a folder that exists and is yours to write"
            ) from error

    def write(self, pcm: bytes) -> None:
        """Append whole frames of interleaved s16le samples.

        Raises:
            SoundError: The bytes are no whole number of frames.
            OSError: The disk is full or gone.
        """
        if len(pcm) % self._frame_bytes:
            raise SoundError(f"{len(pcm)} bytes are no whole frames of {self._frame_bytes} bytes")
        if not pcm:
            return
        try:
            self._file.buffer_write(pcm, dtype="int16")
        except soundfile.LibsndfileError as error:
            raise OSError(f"cannot be written: {error}") from error

    def flush(self) -> None:
        """Bring what is encoded to disk."""
        self._file.flush()

    def close(self) -> None:
        """Write the rest and the length; further calls do nothing."""
        self._file.close()


__all__ = ["FlacWriter"]
