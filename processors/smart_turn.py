"""Smart Turn v3.2: whether somebody who pauses has said what they wanted to say.

The model and its features come with pipecat (https://github.com/pipecat-ai/smart-turn, BSD); they
need onnxruntime and numpy. One inference takes 25 to 60 ms of a core, so it runs on a thread.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from crossfade.audio.pcm import to_float

LIMIT = 8
"""So many questions may wait for the thread; one more is not asked."""
COMPLETE = 0.5
"""Probability from which a turn is taken for complete."""


class _Model(LocalSmartTurnAnalyzerV3):
    """Pipecat's analyzer without its buffer, timers and thread."""

    def probability(self, samples: NDArray[np.float32]) -> float:
        return float(self._predict_endpoint(samples)["probability"])


class SmartTurn:
    """Judges pauses on one thread, for all calls of a process. Loading takes about 100 ms."""

    def __init__(self) -> None:
        self._model = _Model()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="smart-turn")
        self._waiting = 0

    async def complete(self, pcm: bytes) -> bool | None:
        """Whether a turn is complete, None if too many questions wait already.

        Args:
            pcm: The turn so far with the pause that ends it, s16le mono at 16 kHz; 8 s matter.
        """
        if self._waiting >= LIMIT:
            return None
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            probability = await loop.run_in_executor(self._thread, self._probability, pcm)
        finally:
            self._waiting -= 1
        return probability >= COMPLETE

    def _probability(self, pcm: bytes) -> float:
        return self._model.probability(to_float(pcm))


@cache
def shared_smart_turn() -> SmartTurn:
    """The process's one."""
    return SmartTurn()
