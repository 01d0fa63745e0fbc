"""G.711: telephone sound of 8 bits a sample, by the laws µ and A (ITU-T G.711)."""

import numpy as np
from numpy.typing import NDArray

from .pcm import check_mono

RATE_HZ = 8000

_MU_BIAS = 0x84
_MU_CLIP = 32635


def _mu_values() -> NDArray[np.int16]:
    """The 16-bit value of each code."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _MU_BIAS) << ((code >> 4) & 0x07)) - _MU_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _mu_codes() -> NDArray[np.uint8]:
    """The code of each value, by the value as unsigned."""
    value = np.arange(65536, dtype=np.uint16).astype(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(value), _MU_CLIP) + _MU_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(value < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


def _a_values() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code >> 4) & 0x07
    step = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _a_codes() -> NDArray[np.uint8]:
    value = np.arange(65536, dtype=np.uint16).astype(np.int16).astype(np.int32) >> 3
    mask = np.where(value >= 0, 0xD5, 0x55)
    magnitude = np.where(value >= 0, value, -value - 1)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    return (((segment << 4) | mantissa) ^ mask).astype(np.uint8)


_VALUES = {"mu": _mu_values().astype("<i2"), "a": _a_values().astype("<i2")}
_CODES = {"mu": _mu_codes(), "a": _a_codes()}


def decode_mu_law(sound: bytes) -> bytes:
    """µ-law codes as s16le samples."""
    return bytes(_VALUES["mu"][np.frombuffer(sound, np.uint8)])


def encode_mu_law(pcm: bytes) -> bytes:
    """s16le samples as µ-law codes.

    Raises:
        SoundError: The number of bytes is odd.
    """
    check_mono(pcm)
    return bytes(_CODES["mu"][np.frombuffer(pcm, "<u2")])


def decode_a_law(sound: bytes) -> bytes:
    """A-law codes as s16le samples."""
    return bytes(_VALUES["a"][np.frombuffer(sound, np.uint8)])


def encode_a_law(pcm: bytes) -> bytes:
    """s16le samples as A-law codes.

    Raises:
        SoundError: The number of bytes is odd.
    """
    check_mono(pcm)
    return bytes(_CODES["a"][np.frombuffer(pcm, "<u2")])
