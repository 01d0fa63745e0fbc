"""How rightly Smart Turn tells the end of a prompt from a pause in it, and at what cost."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.audio.pcm import silence, to_pcm
from crossfade.processors.end_of_turn import ASK_AFTER_MS
from crossfade.processors.smart_turn import shared_smart_turn

from .vad_material import RATE_HZ, Prompt

# Prompts are cut there: mostly in the middle of a phrase, sometimes at the end of one.
_CUT_AT = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Shares of the prompts, and the time of one judgement."""

    whole_taken_for_ends: float
    cut_taken_for_pauses: float
    judgement_ms: float


def measure_ends(prompts: Sequence[Prompt]) -> Ends:
    """Judge every prompt whole and cut, each with the silence after which it is asked."""
    return asyncio.run(_measure_ends(prompts))


async def _measure_ends(prompts: Sequence[Prompt]) -> Ends:
    judge = shared_smart_turn()
    pause = silence(ASK_AFTER_MS, RATE_HZ)
    whole: list[bool | None] = []
    cut: list[bool | None] = []
    spent_ms: list[float] = []
    for prompt in prompts:
        start, end = (int(ms * RATE_HZ / 1000) for ms in (prompt.start_ms, prompt.end_ms))
        middle = start + int((end - start) * _CUT_AT)
        for answers, until in ((whole, end), (cut, middle)):
            before = time.perf_counter()
            answers.append(await judge.complete(to_pcm(prompt.sound[:until]) + pause))
            spent_ms.append((time.perf_counter() - before) * 1e3)
    return Ends(
        whole_taken_for_ends=round(whole.count(True) / len(whole), 3),
        cut_taken_for_pauses=round(cut.count(False) / len(cut), 3),
        judgement_ms=round(statistics.median(spent_ms), 1),
    )
