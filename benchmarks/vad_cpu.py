"""CPU of voice activity detection for many calls at once, ours and stock pipecat's."""

import asyncio
import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer

from crossfade.audio.pcm import to_pcm
from crossfade.audio.silero import SileroBank, shared_model
from crossfade.audio.vad import two_stage_detector
from crossfade.observability.virtual_time import run_virtual
from crossfade.processors.speech_scoring import SpeechScoring

from .vad_material import RATE_HZ, Prompt

CALLS = 32
GOAL_RATIO = 5.0
_SECONDS = 4
_FRAME_MS = 20
_FRAME_BYTES = RATE_HZ * 2 * _FRAME_MS // 1000
# The calls' frames arrive in so many groups, evenly over 20 ms.
_GROUPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class VadCost:
    """Medians of process CPU, all threads, in ms per second of a call's audio."""

    crossfade_ms: float
    pipecat_ms: float
    ratio: float
    calls: int
    rounds: int


def measure_cost(prompts: Sequence[Prompt], rounds: int) -> VadCost:
    """Both in turn on the same frames of speech in a room, so many times."""
    logger.disable("pipecat")
    calls = _calls(prompts)
    ours: list[float] = []
    stock: list[float] = []
    # The first round warms up.
    for number in range(rounds + 1):
        both = run_virtual(_ours_s(calls)), asyncio.run(_stock_s(calls))
        if number:
            ours.append(both[0] * 1e3 / CALLS / _SECONDS)
            stock.append(both[1] * 1e3 / CALLS / _SECONDS)
    return VadCost(
        crossfade_ms=round(statistics.median(ours), 3),
        pipecat_ms=round(statistics.median(stock), 3),
        ratio=round(statistics.median(b / a for a, b in zip(ours, stock, strict=True)), 2),
        calls=CALLS,
        rounds=rounds,
    )


def _calls(prompts: Sequence[Prompt]) -> list[list[bytes]]:
    """Each call's frames of 20 ms, the first cut short: the windows do not fall together."""
    everything = np.concatenate([prompt.sound for prompt in prompts])
    pcm = to_pcm(np.resize(everything, max(everything.size, CALLS * RATE_HZ + _SECONDS * RATE_HZ)))
    calls = []
    for number in range(CALLS):
        at = number * RATE_HZ * 2
        short = _FRAME_BYTES - number % 8 * 64
        end = at + _SECONDS * RATE_HZ * 2
        calls.append([pcm[at : at + short]])
        calls[-1] += [pcm[cut : cut + _FRAME_BYTES] for cut in range(at + short, end, _FRAME_BYTES)]
    return calls


async def _ours_s(calls: Sequence[Sequence[bytes]]) -> float:
    scoring = SpeechScoring(SileroBank(shared_model()))
    streams = [scoring.join(two_stage_detector(), lambda _: None) for _ in calls]
    gc.collect()
    before = time.process_time()
    groups = cycle(range(_GROUPS))
    for number in range(len(calls[0]) * _GROUPS):
        group = next(groups)
        for stream, frames in zip(streams[group::_GROUPS], calls[group::_GROUPS], strict=True):
            if number // _GROUPS < len(frames):
                stream.hear(frames[number // _GROUPS])
        await asyncio.sleep(_FRAME_MS / 1000 / _GROUPS)
    spent_s = time.process_time() - before
    for stream in streams:
        stream.leave()
    return spent_s


async def _stock_s(calls: Sequence[Sequence[bytes]]) -> float:
    analyzers = [SileroVADAnalyzer(sample_rate=RATE_HZ) for _ in calls]
    for analyzer in analyzers:
        analyzer.set_sample_rate(RATE_HZ)
    gc.collect()
    before = time.process_time()
    for number in range(max(map(len, calls))):
        for analyzer, frames in zip(analyzers, calls, strict=True):
            if number < len(frames):
                await analyzer.analyze_audio(frames[number])
    spent_s = time.process_time() - before
    for analyzer in analyzers:
        await analyzer.cleanup()
    return spent_s
