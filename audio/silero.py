"""The Silero voice activity model, one ONNX session for all streams of a process.

Model and its use: https://github.com/snakers4/silero-vad (MIT). It scores windows of 32 ms, each
seen with the 4 ms before it, and carries a recurrent state from one window to the next.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from crossfade.errors import SettingsError

from .vad import RATE_HZ

CONTEXT_SAMPLES = 64
_STATE_SIZE = 128

# Long non-speech pushes the state to where the model hears the next speech late. So the state is
# cleared now and then, but only amid windows that are clearly not speech.
_RESET_AFTER_WINDOWS = 62  # about 2 s
_CLEAR_WINDOWS = 5
_CLEAR_BELOW = 0.1

Floats = NDArray[np.float32]


def model_path() -> Path:
    """The model file: silero-vad's own if installed, else the same file as pipecat carries it.

    Neither package is imported: the one needs torch, the other takes half a second.

    Raises:
        SettingsError: Neither package has the file.
    """
    for package, inside in (
        ("silero_vad", "data/silero_vad.onnx"),
        ("pipecat", "audio/vad/data/silero_vad.onnx"),
    ):
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            path = Path(folder, inside)
            if path.is_file():
                return path
    raise SettingsError(
        "the voice activity model silero_vad.onnx was not found; "
        "install pipecat-ai, which carries it, or silero-vad"
    )


class SileroModel:
    """The network, without any stream's state.

    Args:
        path: The ONNX file; `model_path()` if left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path or model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._rate = np.array(RATE_HZ, dtype=np.int64)

    def score_batch(
        self, windows: Floats, contexts: Floats, states: Floats
    ) -> tuple[Floats, Floats]:
        """Score one window of each of B streams; each gets what it would get alone.

        Args:
            windows: [B, 512] samples at 16 kHz.
            contexts: [B, 64] samples that came just before them.
            states: [2, B, 128] as returned for the windows before, zeros at first.

        Returns:
            Speech probabilities [B], and the new states [2, B, 128].
        """
        sound = np.concatenate((contexts, windows), axis=1)
        scores, states = self._session.run(
            None, {"input": sound, "state": states, "sr": self._rate}
        )
        return scores[:, 0], states


class SileroBank:
    """The speech probabilities of many streams, scored together.

    Args:
        model: The network.
    """

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self._free: list[int] = []
        self._contexts = np.zeros((0, CONTEXT_SAMPLES), dtype=np.float32)
        self._states = np.zeros((2, 0, _STATE_SIZE), dtype=np.float32)
        self._since_reset = np.zeros(0, dtype=np.intp)
        self._clear = np.zeros(0, dtype=np.intp)

    @property
    def streams(self) -> int:
        """How many streams there are."""
        return len(self._contexts) - len(self._free)

    def join(self) -> int:
        """Begin a stream; returns its number."""
        if not self._free:
            self._grow()
        number = self._free.pop()
        self._contexts[number] = 0
        self._forget(number)
        return number

    def leave(self, number: int) -> None:
        """End a stream; its number may be given to another."""
        self._free.append(number)

    def score(self, numbers: Sequence[int], windows: Floats) -> Floats:
        """Score the next window of each of B streams.

        Args:
            numbers: Of the streams, each once.
            windows: [B, 512] samples at 16 kHz.

        Returns:
            Speech probabilities [B].
        """
        return self.take(numbers, windows, self.work(numbers, windows)())

    def work(self, numbers: Sequence[int], windows: Floats) -> Callable[[], tuple[Floats, Floats]]:
        """The part of `score` that takes long, to be called in any thread.

        Until its result is taken, none of its streams may leave or be scored otherwise.
        """
        at = np.asarray(numbers)
        return partial(self._model.score_batch, windows, self._contexts[at], self._states[:, at])

    def take(self, numbers: Sequence[int], windows: Floats, found: tuple[Floats, Floats]) -> Floats:
        """The rest of `score`, by what its long part gave."""
        at = np.asarray(numbers)
        scores, states = found
        self._states[:, at] = states
        self._contexts[at] = windows[:, -CONTEXT_SAMPLES:]
        self._since_reset[at] += 1
        clear = self._clear[at] = np.where(scores < _CLEAR_BELOW, self._clear[at] + 1, 0)
        stale = (self._since_reset[at] >= _RESET_AFTER_WINDOWS) & (clear >= _CLEAR_WINDOWS)
        if stale.any():
            self._forget(at[stale])
        return scores

    def _forget(self, at: int | NDArray[np.intp]) -> None:
        self._states[:, at] = 0
        self._since_reset[at] = 0
        self._clear[at] = 0

    def _grow(self) -> None:
        """Make room for as many streams again."""
        size = len(self._contexts)
        more = max(1, size)
        self._contexts = np.pad(self._contexts, ((0, more), (0, 0)))
        self._states = np.pad(self._states, ((0, 0), (0, more), (0, 0)))
        self._since_reset = np.pad(self._since_reset, (0, more))
        self._clear = np.pad(self._clear, (0, more))
        self._free.extend(reversed(range(size, size + more)))


class SileroStream:
    """One stream's speech probabilities, window by window."""

    def __init__(self, model: SileroModel) -> None:
        self._bank = SileroBank(model)
        self._numbers = [self._bank.join()]

    def score(self, window: Floats) -> float:
        """The probability that this window of 512 samples at 16 kHz holds speech."""
        return float(self._bank.score(self._numbers, window[np.newaxis])[0])


@cache
def shared_model() -> SileroModel:
    """The process's one model, loaded at the first call (about 25 ms)."""
    return SileroModel()
