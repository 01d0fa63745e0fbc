"""What a running call tells of its latencies is what its recording holds, measured anew."""

import itertools
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.pipelines.demo import demo_script
from tests.clock import run
from tests.pipelines.calls import make_call
from tests.pipelines.test_cascaded_call import make_call as make_cascaded_call

Stretch = tuple[float, float]

WINDOW_S = 0.01
FLOOR = 10 ** (-45 / 20)
FALL = 10 ** (-30 / 20)


def levels(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """The level around each sample, over a window that slides; nothing is cut into frames."""
    size = round(WINDOW_S * rate_hz)
    sums = np.concatenate([[0.0], np.cumsum(samples**2)])
    mean = (sums[size:] - sums[:-size]) / size
    padded = np.pad(mean, (size // 2, size - size // 2 - 1), mode="edge")
    levels: NDArray[np.float64] = np.sqrt(np.maximum(padded, 0))
    return levels


def stretches(samples: NDArray[np.float64], rate_hz: int, join_s: float) -> list[Stretch]:
    """Where somebody is heard: all at once, each stretch cut back by its own loudest part."""
    level = levels(samples, rate_hz)
    heard = np.flatnonzero(level >= FLOOR)
    if not len(heard):
        return []
    groups = np.split(heard, np.flatnonzero(np.diff(heard) > join_s * rate_hz) + 1)
    found = []
    for group in groups:
        kept = group[level[group] >= FALL * np.maximum.accumulate(level[group])]
        found.append((kept[0] / rate_hz, kept[-1] / rate_hz))
    return found


def latencies(path: Path) -> list[float]:
    """From the end of what the caller said last to the sound that answers it, in ms."""
    samples, rate_hz = soundfile.read(path)
    caller = stretches(samples[:, 0], rate_hz, 0.2)
    agent = stretches(samples[:, 1], rate_hz, 0.5)
    found = []
    for before, (start_s, _) in itertools.pairwise([(-9.0, -9.0), *agent]):
        ends = [end for begin, end in caller if begin < start_s]
        if ends and before[0] < ends[-1] <= start_s and ends[-1] > before[1] - 0.5:
            found.append((start_s - ends[-1]) * 1000)
    return found


def test_live_figures_agree_with_the_recording_within_20_ms(tmp_path: Path) -> None:
    calls = [run(make_cascaded_call(tmp_path / "cascade"))]
    for number, (think_ms, speed, one_way_s) in enumerate(
        [(100, 8, 0), (450, 2, 0.05), (1100, 4, 0.1)]
    ):
        emulator = OpenAIEmulator(timing=Timing(think_ms=think_ms, speed=speed))
        calls.append(
            run(
                make_call(
                    tmp_path / str(number), demo_script(), emulator=emulator, one_way_s=one_way_s
                )
            )
        )
    apart_ms: list[float] = []
    for made in calls:
        measured = latencies(made.recording)
        assert len(measured) == len(made.summary.voice_to_voice_ms) >= 4
        apart_ms += np.abs(np.subtract(measured, made.summary.voice_to_voice_ms)).tolist()
    assert np.percentile(apart_ms, 95) <= 20
