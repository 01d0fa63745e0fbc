"""The wire's `turn_detection` object, as a detector of turns."""

from collections.abc import Mapping
from typing import Any

from crossfade.audio.vad import Scorer

from ..turn_detection import TurnDetector
from .configuration import SAMPLE_RATE_HZ

_PADDING_MS = 300
# The service judges the words; here a longer silence stands for that.
_SEMANTIC_SILENCE_MS = {"high": 400, "medium": 800, "auto": 800, "low": 1600}


def turn_detector(settings: Mapping[str, Any], origin_ms: int, scorer: Scorer) -> TurnDetector:
    """The detector that a complete `server_vad` or `semantic_vad` object asks for.

    Args:
        settings: The object.
        origin_ms: The audio of the session before the first sample that the detector hears.
        scorer: Gives speech probabilities.
    """
    semantic = settings["type"] == "semantic_vad"
    return TurnDetector(
        rate_hz=SAMPLE_RATE_HZ,
        threshold=float(settings.get("threshold", 0.5)),
        padding_ms=int(settings.get("prefix_padding_ms", _PADDING_MS)),
        silence_ms=(
            _SEMANTIC_SILENCE_MS[settings["eagerness"]]
            if semantic
            else int(settings["silence_duration_ms"])
        ),
        origin_ms=origin_ms,
        scorer=scorer,
    )
