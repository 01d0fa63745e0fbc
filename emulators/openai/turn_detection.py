"""The wire's `turn_detection` object, as a detector of turns."""

from collections.abc import Mapping
from typing import Any

from crossfade.audio.vad import Scorer

from ..turn_detection import TurnDetector
from .behaviour import Behaviour

_PADDING_MS = 300
# The service judges the words; here a silence stands for that.
_SEMANTIC_SILENCE_MS = {
    "usual": {"high": 400, "medium": 800, "auto": 800, "low": 1600},
    # The documented waits for a sentence that does not seem to be over.
    "longest": {"high": 2000, "medium": 4000, "auto": 4000, "low": 8000},
}


def turn_detector(
    settings: Mapping[str, Any],
    origin_ms: int,
    scorer: Scorer,
    *,
    rate_hz: int = 24_000,
    behaviour: Behaviour | None = None,
) -> TurnDetector:
    """The detector that a complete `server_vad` or `semantic_vad` object asks for.

    Args:
        settings: The object.
        origin_ms: The audio of the session before the first sample that the detector hears.
        scorer: Gives speech probabilities.
        rate_hz: Of the audio.
        behaviour: Says how long semantic_vad waits.
    """
    waits = _SEMANTIC_SILENCE_MS[(behaviour or Behaviour()).semantic_wait]
    semantic = settings["type"] == "semantic_vad"
    return TurnDetector(
        rate_hz=rate_hz,
        threshold=float(settings.get("threshold", 0.5)),
        padding_ms=int(settings.get("prefix_padding_ms", _PADDING_MS)),
        silence_ms=(
            waits[settings.get("eagerness", "auto")]
            if semantic
            else int(settings["silence_duration_ms"])
        ),
        origin_ms=origin_ms,
        scorer=scorer,
    )
