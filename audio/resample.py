"""Resampling in a stream, without audible delay.

A polyphase FIR filter: a sinc at the output's instants under a Kaiser window (Kaiser 1974).
Coefficients are rounded to a fixed-point grid so that every product and sum of 16-bit samples is
exact in a double: the output is the same to the last bit however the input was cut, whichever
order the machine adds in.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from crossfade.errors import SoundError

from .pcm import SAMPLE_BYTES, check_mono

# Half the filter's length in samples of the lower rate: its whole delay, 2 ms at 8 kHz.
_HALF_SAMPLES = 16
# -6 dB point as a share of the lower Nyquist frequency, and the window's shape: measured to be
# flat within 0.1 dB up to 0.8 and 80 dB down from 1.1.
_CUTOFF = 0.93
_KAISER_BETA = 8.1
_COEFFICIENT_STEPS = 2.0**24
# Up to this size the filters of one whole period are kept as one matrix (a double is 8 bytes).
_MATRIX_LIMIT = 2**18
# Longer periods take theirs from between two of so many, 105 dB exact: the tens of thousands that
# they have would take a third of a second to make.
_STEPS = 256
# Above 4 · 2**16 multiplications OpenBLAS wakes threads of its own, which spin on a busy core.
_PRODUCT_LIMIT = 2**18
_SAMPLES = np.dtype("<i2")

Doubles = NDArray[np.float64]
Samples = NDArray[np.int16]
_LOWEST: Doubles = np.array(-32768.0)
_HIGHEST: Doubles = np.array(32767.0)


class StreamResampler:
    """Turns a stream of mono PCM from one sample rate into another.

    The output is aligned in time with the input and withheld by at most 16 samples of the lower
    of the two rates (2 ms at 8 kHz, 1 ms at 16 kHz). It does not depend on how the input is cut.

    Args:
        in_rate_hz: The rate of what goes in.
        out_rate_hz: The rate of what comes out.

    Raises:
        SoundError: A rate is not positive.
    """

    def __init__(self, in_rate_hz: int, out_rate_hz: int) -> None:
        if in_rate_hz <= 0 or out_rate_hz <= 0:
            raise SoundError(
                f"cannot resample from {in_rate_hz} Hz to {out_rate_hz} Hz; "
                "give sample rates above 0"
            )
        self.in_rate_hz = in_rate_hz
        self.out_rate_hz = out_rate_hz
        common = gcd(in_rate_hz, out_rate_hz)
        # A period: this many outputs for this many inputs.
        outs, ins = out_rate_hz // common, in_rate_hz // common
        self._half = _half_length(outs, ins)
        # Several short periods make one of a quarter of the filter's length: fewer rows to copy,
        # and not yet many zeros to multiply with.
        several = max(1, self._half // (2 * ins))
        self._outs, self._ins = several * outs, several * ins
        # The input that a period of output reaches.
        self._span = self._ins + 2 * self._half - 1
        small = self._outs * self._span <= _MATRIX_LIMIT and outs != ins
        self._matrix = _period_matrix(self._outs, self._ins) if small else None
        self._start()

    def _start(self) -> None:
        # Begins `half - 1` samples before the period that holds the next output.
        self._recent = bytes((self._half - 1) * SAMPLE_BYTES)
        # Which one of the period that is.
        self._next = 0
        # A piece of this size holds whole periods, and leaves as much input behind as it found.
        self._steady_bytes = -1

    def process(self, pcm: bytes) -> bytes:
        """Take the next s16le samples and give all output that they complete.

        Raises:
            SoundError: The number of bytes is odd.
        """
        size = len(pcm)
        if size == self._steady_bytes and self._matrix is not None:
            sound = self._recent + pcm
            self._recent = sound[size:]
            return _filter(sound, self._matrix, self._ins)
        check_mono(pcm)
        if self._outs == self._ins:
            return pcm
        self._recent += pcm
        # Output m lies at input m·ins/outs and needs `half` inputs after it.
        ready = -(-(self._heard - self._half) * self._outs // self._ins)
        made = self._emit(max(ready, self._next))
        # Pieces of one length often follow each other.
        steady = not self._next and self._heard == self._half
        whole = size > 0 and not size // SAMPLE_BYTES % self._ins
        self._steady_bytes = size if steady and whole else -1
        return made

    def flush(self) -> bytes:
        """Give what is still withheld; n samples in make n·out/in out, rounded half up.

        The resampler then stands at the start of a new stream.
        """
        if self._outs == self._ins:
            return b""
        rest = self._emit((2 * self._heard * self._outs + self._ins) // (2 * self._ins))
        self._start()
        return rest

    @property
    def _heard(self) -> int:
        """Inputs so far, from the beginning of the period that holds the next output."""
        return len(self._recent) // SAMPLE_BYTES - (self._half - 1)

    def _emit(self, until: int) -> bytes:
        """Filter the outputs up to `until`, and forget the input that no later one needs."""
        first, ins = self._next, self._ins
        if until == first:
            return b""
        periods = -(-until // self._outs)
        reached_bytes = ((periods - 1) * ins + self._span) * SAMPLE_BYTES
        sound = self._recent[:reached_bytes].ljust(reached_bytes, b"\0")
        whole, self._next = divmod(until, self._outs)
        self._recent = self._recent[whole * ins * SAMPLE_BYTES :]
        if self._matrix is None:
            return self._filter_each(sound, first, until)
        return _filter(sound, self._matrix, ins)[first * SAMPLE_BYTES : until * SAMPLE_BYTES]

    def _filter_each(self, sound: bytes, first: int, until: int) -> bytes:
        """Where a period is too long for a matrix, each output by a filter of its own."""
        places = np.arange(first, until) * self._ins
        taps = 2 * self._half
        windows = _rows(sound, taps, step=1)[places // self._outs]
        filters = _filters_between(places % self._outs / self._outs, self._outs, self._ins)
        return _samples(np.einsum("ij,ij->i", windows.astype(np.float64), filters))


def resample(pcm: bytes, in_rate_hz: int, out_rate_hz: int) -> bytes:
    """Resample a whole sound at once.

    Raises:
        SoundError: The number of bytes is odd, or a rate is not positive.
    """
    check_mono(pcm)
    stream = StreamResampler(in_rate_hz, out_rate_hz)
    second = in_rate_hz * SAMPLE_BYTES
    pieces = [stream.process(pcm[at : at + second]) for at in range(0, len(pcm), second)]
    return b"".join(pieces) + stream.flush()


def _filter(sound: bytes, matrix: Doubles, ins: int) -> bytes:
    """As many periods of output as the sound holds."""
    rows = _rows(sound, len(matrix), step=ins)
    most = _PRODUCT_LIMIT // matrix.size
    if len(rows) <= most:
        return _samples(rows.astype(np.float64).dot(matrix))
    parts = [rows[at : at + most] for at in range(0, len(rows), most)]
    return b"".join(_samples(part.astype(np.float64).dot(matrix)) for part in parts)


def _rows(sound: bytes, length: int, *, step: int) -> Samples:
    """Overlapping rows of its samples, without a copy; each begins `step` after the one before."""
    rows = (len(sound) // SAMPLE_BYTES - length) // step + 1
    return np.ndarray((rows, length), _SAMPLES, sound, 0, (step * SAMPLE_BYTES, SAMPLE_BYTES))


def _samples(filtered: Doubles) -> bytes:
    """Rounded and clipped, which changes `filtered`."""
    np.rint(filtered, filtered)
    # Six times as fast as a maximum and a minimum with a number, for which numpy has no vectors.
    filtered.clip(_LOWEST, _HIGHEST, filtered)
    return filtered.astype(_SAMPLES).tobytes()


def _half_length(outs: int, ins: int) -> int:
    """Half the filter's length in input samples, never more than the delay allows."""
    return _HALF_SAMPLES * max(ins, outs) // outs


def _filters(places: Doubles, outs: int, ins: int) -> Doubles:
    """One filter for each place of an output between two inputs, 0 ≤ place ≤ 1.

    Returns:
        [places, 2 * half], each row with the sum 1. A row weighs the inputs from `half - 1` before
        the output's place to `half` after it.
    """
    half = _half_length(outs, ins)
    width = float(half)
    offsets = np.arange(1 - half, half + 1) - places[:, None]
    shape = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (offsets / width) ** 2, 0, None)))
    shape[np.abs(offsets) > width] = 0
    filters = np.sinc(offsets * (_CUTOFF * min(1.0, outs / ins))) * shape
    filters /= filters.sum(axis=1, keepdims=True)
    return np.asarray(filters)


def _rounded(filters: Doubles) -> Doubles:
    """The coefficients on their grid."""
    return np.asarray(np.rint(filters * _COEFFICIENT_STEPS) / _COEFFICIENT_STEPS)


@lru_cache(maxsize=16)
def _even_filters(outs: int, ins: int) -> Doubles:
    """Filters for places at even distances, both ends included: [_STEPS + 1, 2 * half]."""
    half = _half_length(outs, ins)
    # Those of the second half are those of the first one, turned round.
    first = _filters(np.arange(_STEPS // 2 + 1) / _STEPS, outs, ins)
    filters = np.zeros((_STEPS + 1, 2 * half))
    filters[: len(first)] = first
    filters[len(first) :] = first[-2::-1, ::-1]
    return filters


def _filters_between(places: Doubles, outs: int, ins: int) -> Doubles:
    """As `_filters`, for many places at little cost."""
    table = _even_filters(outs, ins)
    at = places * _STEPS
    before = at.astype(np.intp)
    share = (at - before)[:, None]
    return _rounded(table[before] * (1 - share) + table[before + 1] * share)


@lru_cache(maxsize=16)
def _period_matrix(outs: int, ins: int) -> Doubles:
    """[inputs that a period reaches, outs]: a block of input times this is a period of output."""
    filters = _rounded(_filters(np.arange(outs) / outs, outs, ins))
    taps = filters.shape[1]
    matrix = np.zeros((ins + taps - 1, outs))
    for out in range(outs):
        start, phase = divmod(out * ins, outs)
        matrix[start : start + taps, out] = filters[phase]
    return matrix
