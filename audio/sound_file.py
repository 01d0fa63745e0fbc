"""Sound files: reading any into PCM, and writing a WAV that stays playable while it grows."""

import os
import struct
import sys
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from crossfade.errors import SettingsError, SoundError

from .energy import sound_spans
from .pcm import SAMPLE_BYTES, duration_ms, to_pcm

SILENT_BELOW_DBFS = -60.0
# One channel of eight still leaves three times this share of its power in the mean.
_CANCELLED = 0.005
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_LARGEST_SIZE = 0xFFFFFFFF
_BUFFER_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A whole sound, mono."""

    pcm: bytes
    rate_hz: int

    @property
    def duration_ms(self) -> float:
        """How long it lasts."""
        return duration_ms(self.pcm, self.rate_hz)


def read_sound(path: str | PathLike[str]) -> Sound:
    """Read a WAV, FLAC or OGG file of any rate and number of channels, mixed down to mono.

    Raises:
        SettingsError: There is no such file, it is a folder, or it is no sound file.
        SoundError: It holds no samples, samples that are no numbers, or nothing above −60 dBFS.
    """
    name = fspath(path)
    if not Path(path).exists():
        raise SettingsError(f"{name}: no such file; give the path of a WAV, FLAC or OGG file")
    if Path(path).is_dir():
        raise SettingsError(f"{name}: is a folder; give the path of a WAV, FLAC or OGG file in it")
    try:
        frames, rate_hz = soundfile.read(name, dtype="float32", always_2d=True)
    except PermissionError as error:
        raise SettingsError(f"{name}: may not be read; change its permissions") from error
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise SettingsError(
            f"{name}: cannot be read as sound; give a WAV, FLAC or OGG file"
        ) from error
    if not len(frames):
        raise SoundError(f"{name}: holds no samples; record it again")
    if not np.isfinite(frames).all():
        raise SoundError(f"{name}: holds samples that are no numbers; record or convert it again")
    # Float files may go beyond full scale; they are turned down rather than cut off.
    frames /= max(1.0, float(np.abs(frames).max()))
    pcm = to_pcm(_mono(frames))
    if not sound_spans(pcm, rate_hz, SILENT_BELOW_DBFS):
        raise SoundError(
            f"{name}: is silent, nothing in it is over {SILENT_BELOW_DBFS:.0f} dBFS; "
            "record it again with the microphone on"
        )
    return Sound(pcm=pcm, rate_hz=rate_hz)


def _mono(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, or the loudest where they cancel each other out."""
    mixed: NDArray[np.float32] = frames.mean(axis=1)
    power = np.square(frames).mean(axis=0)
    if np.square(mixed).mean() >= power.max() * _CANCELLED:
        return mixed
    loudest: NDArray[np.float32] = frames[:, int(power.argmax())]
    return loudest


class WavWriter:
    """Streams 16-bit PCM into a WAV file; after every `flush` the file on disk is complete.

    A file of over 4 GB keeps its whole sound, but its header can only tell of the first 4 GB.

    Args:
        path: The file, replaced if it exists.
        rate_hz: Sample rate.
        channels: Number of interleaved channels.

    Raises:
        SettingsError: The file cannot be created.
    """

    def __init__(self, path: str | PathLike[str], rate_hz: int, channels: int = 1) -> None:
        self._rate_hz = rate_hz
        self._channels = channels
        self._data_bytes = 0
        self._waiting = bytearray(self._header())
        try:
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()
            try:
                self._write_waiting()
            except OSError:
                self._file.close()
                raise
        except OSError as error:
            raise SettingsError(
                f"{fspath(path)}: cannot be written ({error.strerror}); "
                "give a path in a folder that exists and is yours to write, on a disk with room"
            ) from error

    def write(self, pcm: bytes) -> None:
        """Append whole frames of interleaved s16le samples; the last 64 KiB wait for a `flush`.

        Raises:
            SoundError: The bytes are no whole number of frames.
            OSError: The disk is full or gone.
        """
        if len(pcm) % (SAMPLE_BYTES * self._channels):
            raise SoundError(
                f"{len(pcm)} bytes are no whole frames of {self._channels} channels of 16 bits"
            )
        self._data_bytes += len(pcm)
        written = 0
        try:
            # What is large goes as it is, without a copy.
            if not self._waiting and len(pcm) > _BUFFER_BYTES:
                written = self._file.write(pcm)
        finally:
            self._waiting += pcm[written:]
        if len(self._waiting) > _BUFFER_BYTES:
            self._write_waiting()

    def flush(self) -> None:
        """Bring everything to disk and the header up to date.

        Raises:
            OSError: The disk is full or gone.
        """
        # The sound goes first: the header on disk never promises more than is there.
        self._write_waiting()
        if sys.platform == "win32":
            self._file.seek(0)
            self._file.write(self._header())
            self._file.seek(0, 2)
        else:
            os.pwrite(self._file.fileno(), self._header(), 0)

    def _write_waiting(self) -> None:
        while self._waiting:
            del self._waiting[: self._file.write(self._waiting)]

    def close(self) -> None:
        """Flush and close; further calls of `close` do nothing.

        Raises:
            OSError: The disk is full or gone; the file is closed nevertheless.
        """
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def _header(self) -> bytes:
        frame_bytes = SAMPLE_BYTES * self._channels
        return _WAV_HEADER.pack(
            b"RIFF",
            min(self._data_bytes + _WAV_HEADER.size - 8, _LARGEST_SIZE),
            b"WAVE",
            b"fmt ",
            16,
            1,  # integer PCM
            self._channels,
            self._rate_hz,
            self._rate_hz * frame_bytes,
            frame_bytes,
            8 * SAMPLE_BYTES,
            b"data",
            min(self._data_bytes, _LARGEST_SIZE),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
