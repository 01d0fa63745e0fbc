"""Signed 16-bit little-endian PCM: lengths, conversion, silence."""

import numpy as np
from numpy.typing import NDArray

from crossfade.errors import SoundError

SAMPLE_BYTES = 2
_FULL_SCALE = 32768.0
_STEP = np.float32(1 / _FULL_SCALE)
_SAMPLES = np.dtype("<i2")


def duration_ms(pcm: bytes, rate_hz: int, channels: int = 1) -> float:
    """How long the sound lasts."""
    return len(pcm) * 1000 / (SAMPLE_BYTES * channels * rate_hz)


def bytes_for(ms: float, rate_hz: int) -> int:
    """The size of `ms` of mono sound, rounded to whole samples."""
    return round(ms * rate_hz / 1000) * SAMPLE_BYTES


def silence(ms: float, rate_hz: int) -> bytes:
    """Digital silence, mono."""
    return bytes(bytes_for(ms, rate_hz))


def check_mono(pcm: bytes) -> None:
    """Refuse bytes that cannot be whole 16-bit samples.

    Raises:
        SoundError: The number of bytes is odd.
    """
    if len(pcm) % SAMPLE_BYTES:
        raise SoundError(
            f"16-bit sound needs an even number of bytes, got {len(pcm)}; "
            "pass s16le PCM cut at whole samples"
        )


def to_float(pcm: bytes) -> NDArray[np.float32]:
    """Samples in -1.0 ≤ x < 1.0, one per 16-bit value.

    Raises:
        SoundError: The number of bytes is odd.
    """
    check_mono(pcm)
    samples = np.frombuffer(pcm, _SAMPLES).astype(np.float32)
    samples *= _STEP
    return samples


def to_pcm(samples: NDArray[np.float32] | NDArray[np.float64]) -> bytes:
    """The inverse of `to_float`: rounded to the nearest step, clipped at full scale."""
    steps = np.rint(samples.astype(np.float64) * _FULL_SCALE)
    return bytes(steps.clip(-_FULL_SCALE, _FULL_SCALE - 1).astype("<i2"))


def mix_down(pcm: bytes, channels: int) -> bytes:
    """Mono from interleaved channels, each weighted alike.

    Raises:
        SoundError: The bytes are no whole number of frames of `channels` samples.
    """
    if channels < 1 or len(pcm) % (SAMPLE_BYTES * channels):
        raise SoundError(
            f"{len(pcm)} bytes are no whole frames of {channels} channels of 16 bits; "
            "pass interleaved s16le PCM and its true channel count"
        )
    if channels == 1:
        return pcm
    frames = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels)
    return bytes(np.rint(frames.mean(axis=1)).astype("<i2"))
