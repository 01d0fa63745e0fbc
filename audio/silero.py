"""The Silero voice activity model, one ONNX session for all streams of a process.

Model and its use: https://github.com/snakers4/silero-vad (MIT). It scores windows of 32 ms, each
seen with the 4 ms before it, and carries a recurrent state from one window to the next.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from crossfade.errors import SettingsError

from .vad import RATE_HZ

CONTEXT_SAMPLES = 64
_STATE_SHAPE = (2, 1, 128)

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


class SileroStream:
    """One stream's speech probabilities, window by window."""

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self._context = np.zeros((1, CONTEXT_SAMPLES), dtype=np.float32)
        self._state = np.zeros(_STATE_SHAPE, dtype=np.float32)
        self._since_reset = 0
        self._clear = 0

    def score(self, window: Floats) -> float:
        """The probability that this window of 512 samples at 16 kHz holds speech."""
        batch = window[np.newaxis]
        scores, self._state = self._model.score_batch(batch, self._context, self._state)
        self._context = batch[:, -CONTEXT_SAMPLES:].copy()
        score = float(scores[0])
        self._since_reset += 1
        self._clear = self._clear + 1 if score < _CLEAR_BELOW else 0
        if self._since_reset >= _RESET_AFTER_WINDOWS and self._clear >= _CLEAR_WINDOWS:
            self._state = np.zeros(_STATE_SHAPE, dtype=np.float32)
            self._since_reset = 0
        return score


@cache
def shared_model() -> SileroModel:
    """The process's one model, loaded at the first call (about 25 ms)."""
    return SileroModel()
