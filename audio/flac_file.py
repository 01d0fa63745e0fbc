"""Writing a FLAC file that can be read while it grows."""

from os import PathLike, fspath
from pathlib import Path

import soundfile

from crossfade.errors import SettingsError, SoundError

from .pcm import SAMPLE_BYTES

# In the header of each file (RFC 9639, 8.2): the frames of a block, and how many there are in all,
# 36 bits that begin in the middle of a byte.
_BLOCK_AT, _TOTAL_AT = 10, 21
_TOTAL_BITS = 36


class FlacWriter:
    """Streams 16-bit PCM into a FLAC file, losslessly at a fifth to a half of its size.

    With each `flush` the header tells how much there is, as far as it is encoded: all but the last
    4096 frames. So what a killed process leaves can be read by everybody.

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
            self._path = Path(path)
            self._frames = self._told_frames = 0
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
        self._frames += len(pcm) // self._frame_bytes

    def flush(self) -> None:
        """Bring what is encoded to disk, and its length.

        Raises:
            OSError: The disk is gone.
        """
        self._file.flush()
        if self._frames > self._told_frames:
            self._tell_length()

    def close(self) -> None:
        """Write the rest and the length; further calls do nothing."""
        self._file.close()

    def _tell_length(self) -> None:
        with self._path.open("r+b", buffering=0) as header:
            head = header.read(_TOTAL_AT + 5)
            block_frames = int.from_bytes(head[_BLOCK_AT : _BLOCK_AT + 2], "big")
            if not block_frames:
                return
            # A block is encoded when a sample of the next one is there.
            there = max(0, self._frames - 1) // block_frames * block_frames
            above = int.from_bytes(head[_TOTAL_AT:], "big") >> _TOTAL_BITS << _TOTAL_BITS
            header.seek(_TOTAL_AT)
            header.write((above | there).to_bytes(5, "big"))
        self._told_frames = self._frames


__all__ = ["FlacWriter"]
