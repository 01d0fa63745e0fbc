"""Whether a service was given the caller's lines, by likeness: for a wire whose codec changes
every sample. Pure.

A line is whole on a connection if all of it lies there at one place, piece by piece; a loss or a
repetition moves what is behind it away from there.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .continuity_check import Heard, Sound, Span

_Wave = NDArray[np.float64]

LIKE = 0.7
"""The least correlation of a piece that is the same."""
# Of a whole line, in which something may be missing; of another line it is below 0.4.
_FOUND = 0.5
_APART_MS = 100
_PIECE_MS = 100
# The codec moves sound a little to and fro.
_AWAY_MS = 2
_LOOK_MS = 60
_DOUBT = 0.06
# Pieces so much quieter than their line are noise that no codec keeps.
_QUIET = 0.25


def check_likeness(
    said: bytes, lines: Sequence[Span], sessions: Sequence[Heard], rate_hz: int
) -> Sound:
    """Whether each line of the caller lies whole, and once, on the last connection that has it.

    Args:
        said: Everything that the caller said, s16le.
        lines: Where in it the caller spoke.
        sessions: What the emulator was given, connection by connection, as the codec left it.
        rate_hz: Of both.
    """
    spoken = _wave(said)
    heard = [_wave(session.pcm) for session in sessions]
    ms = rate_hz // 1000
    lost = doubled = 0
    why: list[str] = []
    for number, (begin, end) in enumerate(lines, 1):
        line = spoken[begin:end]
        found = ((each, places) for each in reversed(heard) if (places := _places(each, line, ms)))
        session, places = next(found, (None, []))
        if session is None:
            lost += line.size
            why.append(f"line {number} is on no connection")
            continue
        missing = _unlike(session, line, places[0], ms)
        again = (len(places) - 1) * line.size
        lost += missing
        doubled += again
        if missing:
            why.append(f"line {number}: {missing} samples are not where they belong")
        if again:
            why.append(f"line {number} came {len(places)} times on one connection")
    return Sound(lost=lost, doubled=doubled, why=why)


def _places(heard: _Wave, line: _Wave, ms: int) -> list[int]:
    """Where a line lies in what was heard, the likest place first."""
    likeness = _likeness(heard, line)
    places: list[int] = []
    while likeness.size and likeness.max() >= _FOUND:
        at = int(likeness.argmax())
        places.append(at)
        likeness[max(0, at - _APART_MS * ms) : at + _APART_MS * ms] = 0.0
    return places


def _unlike(heard: _Wave, line: _Wave, at: int, ms: int) -> int:
    """How many samples of a line, that lies at a place, are not what is heard there."""
    size, away, look = _PIECE_MS * ms, _AWAY_MS * ms, _LOOK_MS * ms
    loud = _rms(line)
    unlike = 0
    for begin in range(0, line.size - size + 1, size):
        piece = line[begin : begin + size]
        if _rms(piece) < _QUIET * loud:
            continue
        from_ = max(0, at + begin - look)
        likeness = _likeness(heard[from_ : at + begin + size + look], piece)
        middle = at + begin - from_
        here = likeness[max(0, middle - away) : middle + away + 1]
        # A vowel is like itself a few periods on, but less so.
        if not here.size or here.max() < max(LIKE, likeness.max() - _DOUBT):
            unlike += size
    return unlike


def _likeness(heard: _Wave, line: _Wave) -> _Wave:
    """The correlation of a line with what is heard from each sample on, -1 to 1."""
    count = heard.size - line.size + 1
    if count <= 0:
        return np.zeros(0)
    size = 1 << (heard.size + line.size).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(line, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    powers = (energy[line.size :] - energy[: -line.size]) * float(line @ line)
    likeness: _Wave = products[:count] / np.sqrt(np.maximum(powers, 1.0))
    return likeness


def _rms(wave: _Wave) -> float:
    return float(np.sqrt(np.mean(wave**2)))


def _wave(pcm: bytes) -> _Wave:
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64)
