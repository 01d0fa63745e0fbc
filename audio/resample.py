"""Resampling in a stream, without audible delay.

A polyphase FIR filter: a sinc at the output's instants under a Kaiser window (Kaiser 1974).
Coefficients are rounded to a fixed-point grid so that every product and sum of 16-bit samples is
exact in a double: the output is the same to the last bit however the input was cut, whichever
order the machine adds in.
"""

import threading
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
_MOST_SHAPES = 16

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
        self._heard = 0
        self._sent = 0
        # Begins `half - 1` samples before the period that holds the next output.
        self._recent: Doubles = np.zeros(self._half - 1)
        self._steady: _Steady | None = None
        self._before_bytes = 0

    def process(self, pcm: bytes) -> bytes:
        """Take the next s16le samples and give all output that they complete.

        Raises:
            SoundError: The number of bytes is odd.
        """
        if self._steady is not None:
            if len(pcm) == self._steady.in_bytes:
                self._heard += self._steady.ins
                self._sent += self._steady.outs
                return self._steady.filter(pcm)
            self._recent, self._steady = self._steady.recent, None
        check_mono(pcm)
        if self._outs == self._ins:
            return pcm
        again, self._before_bytes = len(pcm) == self._before_bytes, len(pcm)
        if again and (steady := self._settle(len(pcm) // SAMPLE_BYTES)) is not None:
            self._steady = steady
            return self.process(pcm)
        self._heard += len(pcm) // SAMPLE_BYTES
        self._recent = np.concatenate((self._recent, np.frombuffer(pcm, _SAMPLES)))
        # Output m lies at input m·ins/outs and needs `half` inputs after it.
        ready = -(-(self._heard - self._half) * self._outs // self._ins)
        return self._emit(max(ready, self._sent))

    def flush(self) -> bytes:
        """Give what is still withheld; n samples in make n·out/in out, rounded half up.

        The resampler then stands at the start of a new stream.
        """
        if self._outs == self._ins:
            return b""
        if self._steady is not None:
            self._recent, self._steady = self._steady.recent, None
        total = (2 * self._heard * self._outs + self._ins) // (2 * self._ins)
        rest = self._emit(total)
        self._heard = 0
        self._sent = 0
        self._recent = np.zeros(self._half - 1)
        self._before_bytes = 0
        return rest

    def _settle(self, samples: int) -> "_Steady | None":
        """For pieces of one length that hold whole periods, and begin where one does."""
        outs, ins, half = self._outs, self._ins, self._half
        periods, left_over = divmod(samples, ins)
        between = left_over or self._sent % outs or self._recent.size != 2 * half - 1
        size = outs * (ins + 2 * half - 1)
        if between or not periods or size > _MATRIX_LIMIT or size * periods > _PRODUCT_LIMIT:
            return None
        return _Steady(self._recent, periods, _period_matrix(outs, ins), ins)

    def _emit(self, until: int) -> bytes:
        """Filter the outputs up to `until` and forget the input that no later one needs."""
        if until == self._sent:
            return b""
        outs, ins = self._outs, self._ins
        first = self._sent // outs
        periods = -(-until // outs) - first
        span = ins + 2 * self._half - 1
        missing = (periods - 1) * ins + span - self._recent.size
        samples = np.concatenate((self._recent, np.zeros(missing))) if missing > 0 else self._recent
        if outs * span <= _MATRIX_LIMIT:
            filtered = _filter(samples, periods, outs, ins, span)
            result = filtered.ravel()[self._sent - first * outs : until - first * outs]
        else:
            places = np.arange(self._sent - first * outs, until - first * outs) * ins
            taps = 2 * self._half
            windows = _rows(samples, samples.size - taps + 1, taps, step=1)[places // outs]
            filters = _filters_between(places % outs / outs, outs, ins)
            result = np.einsum("ij,ij->i", windows, filters)
        self._recent = self._recent[(until // outs - first) * ins :]
        self._sent = until
        np.rint(result, out=result)
        np.maximum(result, -32768.0, out=result)
        np.minimum(result, 32767.0, out=result)
        return result.astype(_SAMPLES).tobytes()


class _Workbench(threading.local):
    """Arrays of a thread for the pieces that it filters, by periods, inputs and outputs of each."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[int, int, int], tuple[Doubles, Doubles, Samples]] = {}

    def make(self, periods: int, span: int, outs: int) -> tuple[Doubles, Doubles, Samples]:
        """The rows that are filtered, what becomes of them, and that as samples."""
        made = (
            np.empty((periods, span)),
            np.empty((periods, outs)),
            np.empty((periods, outs), _SAMPLES),
        )
        if len(self.arrays) >= _MOST_SHAPES:
            self.arrays.clear()
        self.arrays[periods, span, outs] = made
        return made


_workbench = _Workbench()


class _Steady:
    """Filters pieces of one length, of which each holds so many whole periods.

    All arrays are made once: fifty times a second for each call, making them costs more than
    filtering does. What need not last from one piece to the next is shared by all streams of a
    thread, and so stays where the processor has it at hand.

    Args:
        recent: The input before the first piece that its output needs.
        periods: In a piece.
        matrix: As `_period_matrix` gives it.
        ins: Inputs of a period.
    """

    def __init__(self, recent: Doubles, periods: int, matrix: Doubles, ins: int) -> None:
        span, outs = matrix.shape
        self.ins, self.outs = periods * ins, periods * outs
        self.in_bytes = self.ins * SAMPLE_BYTES
        self._matrix = matrix
        self._input: Doubles = np.concatenate((recent, np.zeros(self.ins)))
        # After a piece, what is left of it for the next one stands at the end.
        self._old, self._new = self._input[: recent.size], self._input[recent.size :]
        self._left = self._input[self.ins :]
        self._left[:] = recent
        self._overlapping = _rows(self._input, periods, span, step=ins)
        self._shape = (periods, span, outs)

    @property
    def recent(self) -> Doubles:
        """The input that the next piece's output needs."""
        return self._left.copy()

    def filter(self, pcm: bytes) -> bytes:
        rows, filtered, samples = _workbench.arrays.get(self._shape) or _workbench.make(
            *self._shape
        )
        self._old[:] = self._left
        self._new[:] = np.frombuffer(pcm, _SAMPLES)
        rows[:] = self._overlapping
        np.dot(rows, self._matrix, out=filtered)
        np.rint(filtered, out=filtered)
        np.maximum(filtered, _LOWEST, out=filtered)
        np.minimum(filtered, _HIGHEST, out=filtered)
        samples[:] = filtered
        return samples.tobytes()


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


def _filter(samples: Doubles, periods: int, outs: int, ins: int, span: int) -> Doubles:
    """So many periods of output, [periods, outs]; `span` is the input that one of them reaches."""
    matrix = _period_matrix(outs, ins)
    most = max(1, _PRODUCT_LIMIT // matrix.size)
    if periods <= most:
        whole: Doubles = _rows(samples, periods, span, step=ins).copy() @ matrix
        return whole
    filtered = np.empty((periods, outs))
    for at in range(0, periods, most):
        rows = _rows(samples[at * ins :], min(most, periods - at), span, step=ins)
        np.matmul(rows.copy(), matrix, out=filtered[at : at + most])
    return filtered


def _rows(samples: Doubles, rows: int, length: int, *, step: int) -> Doubles:
    """Overlapping rows of `samples`, without a copy; each begins `step` after the one before."""
    size = samples.itemsize
    return np.ndarray((rows, length), np.float64, samples, 0, (step * size, size))


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
