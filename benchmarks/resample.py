"""Every pair of rates: delay, cleanness, cost, beside soxr as pipecat uses it; and in a call."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from crossfade.audio.pcm import SAMPLE_BYTES, to_float, to_pcm
from crossfade.audio.resample import StreamResampler

from . import points
from .points import Order, Point

RATES_HZ = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
GOAL_DELAY_MS = 2.0
GOAL_REJECTION_DB = 80.0
GOAL_RIPPLE_DB = 0.1
GOAL_SOCKET_MS = 13.0
_FRAME_MS = 20
_LEVEL = 0.9

Convert = Callable[[bytes], bytes]
Maker = Callable[[int, int], Convert]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """From one rate to another, the stream cut into 20 ms."""

    side: str
    in_hz: int
    out_hz: int
    delay_ms: float
    """Sound held back at most, once a second of it was heard."""
    rejection_db: float
    """Of a tone at 1.1 × the lower Nyquist frequency; of its image where the rate rises."""
    ripple_db: float
    """The furthest from 0 dB of tones up to 0.8 × the lower Nyquist frequency."""
    cpu_ms_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampleResult:
    pairs: Sequence[Pair]
    socket_ms: dict[str, float]
    """Mean from a sample's being spoken, at 16 kHz, to its arrival at the service."""
    ratios: dict[str, float]
    """Of medians over all pairs, and of the way to the socket: stock over ours."""

    def missed(self) -> list[Pair]:
        """Pairs of ours that miss a goal."""
        return [
            pair
            for pair in self.pairs
            if pair.side == "crossfade"
            and (
                pair.delay_ms > GOAL_DELAY_MS
                or pair.rejection_db < GOAL_REJECTION_DB
                or pair.ripple_db > GOAL_RIPPLE_DB
            )
        ]


def ours(in_hz: int, out_hz: int) -> Convert:
    return StreamResampler(in_hz, out_hz).process


def soxr_vhq(in_hz: int, out_hz: int) -> Convert:
    """As pipecat's stream resampler has it."""
    # It comes with pipecat, and is measured only as pipecat uses it.
    soxr = import_module("soxr")
    stream = soxr.ResampleStream(in_hz, out_hz, 1, quality="VHQ", dtype="int16")

    def convert(pcm: bytes) -> bytes:
        converted: bytes = stream.resample_chunk(np.frombuffer(pcm, dtype="<i2")).tobytes()
        return converted

    return convert


MAKERS: dict[str, Maker] = {"crossfade": ours, "pipecat": soxr_vhq}


def measure(
    *,
    rates_hz: Sequence[int] = RATES_HZ,
    rounds: int = 3,
    seconds: float = 5.0,
    in_calls: bool = True,
    take: Callable[[Order], Point] = points.talk,
) -> ResampleResult:
    """Measure all pairs, both sides in turn, and the way to the socket in whole calls."""
    pairs = [
        measure_pair(side, make, in_hz, out_hz)
        for in_hz, out_hz in permutations(rates_hz, 2)
        for side, make in MAKERS.items()
    ]
    socket_ms: dict[str, list[float]] = {}
    orders = {
        "crossfade": Order(side="crossfade", calls=1, seconds=seconds),
        "pipecat": Order(side="pipecat", calls=1, seconds=seconds, options={"as_it_comes": True}),
    }
    for _ in range(rounds if in_calls else 0):
        for side, order in orders.items():
            socket_ms.setdefault(side, []).append(take(order).spoken_to_socket_ms)
    medians = {side: round(statistics.median(found), 1) for side, found in socket_ms.items()}

    def ratio(of: Callable[[Pair], float]) -> float:
        theirs, mine = (
            statistics.median(of(pair) for pair in pairs if pair.side == side)
            for side in ("pipecat", "crossfade")
        )
        return round(theirs / mine, 2)

    ratios = {"delay": ratio(lambda p: p.delay_ms), "cpu": ratio(lambda p: p.cpu_ms_per_s)}
    if medians:
        ratios["microphone_to_socket"] = round(medians["pipecat"] / medians["crossfade"], 2)
    return ResampleResult(pairs=pairs, socket_ms=medians, ratios=ratios)


def measure_pair(side: str, make: Maker, in_hz: int, out_hz: int) -> Pair:
    """Measure one resampler between two rates."""
    nyquist_hz = min(in_hz, out_hz) / 2
    rejection_db = (
        _alias_db(make, in_hz, out_hz, 1.1 * nyquist_hz)
        if in_hz > 2.2 * nyquist_hz
        else _image_db(make, in_hz, out_hz)
    )
    ripple_db = max(
        abs(_gain_db(make, in_hz, out_hz, share * nyquist_hz)) for share in (0.05, 0.4, 0.6, 0.8)
    )
    delay_ms, cpu_ms = _delay_and_cpu(make, in_hz, out_hz)
    return Pair(
        side=side,
        in_hz=in_hz,
        out_hz=out_hz,
        delay_ms=round(delay_ms, 2),
        rejection_db=round(rejection_db, 1),
        ripple_db=round(ripple_db, 3),
        cpu_ms_per_s=round(cpu_ms, 3),
    )


def _delay_and_cpu(make: Maker, in_hz: int, out_hz: int) -> tuple[float, float]:
    """Sound held back at most, in ms, and ms of CPU a second of sound."""
    sound = _tone(440, in_hz, 2.0)
    convert, worst_ms, given = make(in_hz, out_hz), 0.0, 0
    half = len(sound) // 2
    began_s = time.process_time()
    # Whole samples of each 20 ms; 22.05 kHz and 11.025 kHz take turns.
    edges = [round(i * in_hz * _FRAME_MS / 1000) * SAMPLE_BYTES for i in range(101)]
    for start, end in pairwise(edges):
        given += len(convert(sound[start:end]))
        if end > half:
            held_ms = (end / in_hz - given / out_hz) / SAMPLE_BYTES * 1000
            worst_ms = max(worst_ms, held_ms)
    return worst_ms, (time.process_time() - began_s) / 2 * 1000


def _gain_db(make: Maker, in_hz: int, out_hz: int, frequency_hz: float) -> float:
    """How much louder a tone comes out than it went in."""
    out = _convert(make, in_hz, out_hz, _tone(frequency_hz, in_hz))
    time_s = np.arange(out.size) / out_hz
    wave = np.exp(-2j * np.pi * frequency_hz * time_s)
    window = np.kaiser(out.size, 14)
    level = 2 * abs((out * wave * window).sum()) / window.sum()
    return float(20 * np.log10(level / _LEVEL))


def _alias_db(make: Maker, in_hz: int, out_hz: int, frequency_hz: float) -> float:
    """How far below a tone over the output's Nyquist frequency all that is left of it lies."""
    out = _convert(make, in_hz, out_hz, _tone(frequency_hz, in_hz))
    return float(-20 * np.log10(_spectrum(out).max() / _LEVEL))


def _image_db(make: Maker, in_hz: int, out_hz: int) -> float:
    """How far below a tone its image over 1.1 × the input's Nyquist frequency lies."""
    out = _convert(make, in_hz, out_hz, _tone(0.9 * in_hz / 2, in_hz))
    levels = _spectrum(out)
    above = levels[round(1.1 * in_hz / out_hz * (levels.size - 1)) :]
    # Rates so near to each other leave no room for an image.
    return float(-20 * np.log10(above.max() / _LEVEL)) if above.size else 120.0


def _convert(make: Maker, in_hz: int, out_hz: int, pcm: bytes) -> NDArray[np.float64]:
    """The half second in the middle of what comes out."""
    convert = make(in_hz, out_hz)
    step = in_hz // 10 * SAMPLE_BYTES
    out = b"".join(convert(pcm[at : at + step]) for at in range(0, len(pcm), step))
    sound = to_float(out).astype(np.float64)
    begin = out_hz // 4
    return sound[begin : begin + out_hz // 2]


def _spectrum(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.kaiser(sound.size, 14)
    return np.asarray(np.abs(np.fft.rfft(sound * window)) * 2 / window.sum())


def _tone(frequency_hz: float, rate_hz: int, seconds: float = 1.2) -> bytes:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return to_pcm(_LEVEL * np.sin(2 * np.pi * frequency_hz * time_s))


def tables(result: ResampleResult) -> list[Table]:
    """The result for people: the worst of all pairs, and the way to the socket."""
    shown = Table(title=f"{len(result.pairs) // len(MAKERS)} pairs of rates: the worst of each")
    shown.add_column("")
    for heading in ("delay ms", "rejection dB", "ripple dB", "CPU ms a second, median"):
        shown.add_column(heading, justify="right")
    for side in MAKERS:
        mine = [pair for pair in result.pairs if pair.side == side]
        shown.add_row(
            side,
            f"{max(p.delay_ms for p in mine):.1f}",
            f"{min(p.rejection_db for p in mine):.0f}",
            f"{max(p.ripple_db for p in mine):.3f}",
            f"{statistics.median(p.cpu_ms_per_s for p in mine):.2f}",
        )
    shown.add_section()
    shown.add_row(
        "goal", f"≤ {GOAL_DELAY_MS:g}", f"≥ {GOAL_REJECTION_DB:g}", f"≤ {GOAL_RIPPLE_DB:g}", ""
    )
    missed = Table(title="Pairs of ours that miss a goal")
    for heading in ("from Hz", "to Hz", "delay ms", "rejection dB", "ripple dB"):
        missed.add_column(heading, justify="right")
    for pair in result.missed():
        values = (pair.in_hz, pair.out_hz, pair.delay_ms, pair.rejection_db, pair.ripple_db)
        missed.add_row(*map(str, values))
    way = Table(title="From a spoken sample to the socket, 16 kHz in 20 ms, mean")
    way.add_column("")
    way.add_column("ms", justify="right")
    for side, ms in result.socket_ms.items():
        way.add_row(side, f"{ms:.1f}")
    way.add_section()
    way.add_row("goal", f"≤ {GOAL_SOCKET_MS:g}")
    return [shown, *([missed] if result.missed() else []), *([way] if result.socket_ms else [])]


def content(result: ResampleResult) -> dict[str, Any]:
    """The result for JSON."""
    return {
        "measurement": "streams of 20 ms between all pairs of rates: sound held back, rejection "
        "at 1.1 × Nyquist, ripple up to 0.8 × Nyquist, CPU; and the mean way of a sample from the "
        "microphone to the service in a whole call",
        "goals": {
            "delay_ms": GOAL_DELAY_MS,
            "rejection_db": GOAL_REJECTION_DB,
            "ripple_db": GOAL_RIPPLE_DB,
            "socket_ms": GOAL_SOCKET_MS,
        },
        **asdict(result),
    }
