"""Server turn detection: where the user's turns begin and end in the audio of a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.audio.resample import StreamResampler
from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.vad import Scorer, SpeechBegan, VoiceDetector

from .configuration import SAMPLE_RATE_HZ

DETECTOR_RATE_HZ = 16_000
# Two windows of the model: one alone may be a click.
_START_MS = 64
# Speech goes on down to this much under the threshold, as Silero's authors advise.
_HYSTERESIS = 0.15
_SEMANTIC_PADDING_MS = 300
# The service judges the words; here a longer silence stands for that.
_SEMANTIC_SILENCE_MS = {"high": 400, "medium": 800, "auto": 800, "low": 1600}

ScorerFactory = Callable[[], Scorer]


def silero_scorer() -> Scorer:
    """A new stream of the Silero model."""
    return SileroStream(shared_model()).score


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnBegan:
    """The user speaks."""

    start_ms: int
    """Where the turn's audio begins: at the speech, less the padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The user has been silent for long enough."""

    end_ms: int
    """Where the turn's audio ends, with that silence."""


class TurnDetector:
    """Listens to a session's audio for turns, as a `turn_detection` of the wire asks.

    Args:
        settings: A complete `server_vad` or `semantic_vad` object.
        origin_ms: The audio of the session before the first sample that this detector hears.
        scorer: Gives speech probabilities.
    """

    def __init__(self, settings: Mapping[str, Any], origin_ms: int, scorer: Scorer) -> None:
        self.creates_response: bool = settings["create_response"]
        self.interrupts_response: bool = settings["interrupt_response"]
        threshold = float(settings.get("threshold", 0.5))
        self._origin_ms = origin_ms
        self.padding_ms = int(settings.get("prefix_padding_ms", _SEMANTIC_PADDING_MS))
        self._resampler = StreamResampler(SAMPLE_RATE_HZ, DETECTOR_RATE_HZ)
        self._detector = VoiceDetector(
            scorer,
            start_threshold=threshold,
            stay_threshold=max(0.0, threshold - _HYSTERESIS),
            start_ms=_START_MS,
            stop_ms=_silence_ms(settings),
        )

    @property
    def speaking(self) -> bool:
        return self._detector.speaking

    def hear(self, pcm: bytes) -> list[TurnBegan | TurnEnded]:
        """The turns that begin or end with this audio, whole s16le samples at 24 kHz."""
        return [
            TurnBegan(start_ms=max(0, round(self._origin_ms + found.at_ms) - self.padding_ms))
            if isinstance(found, SpeechBegan)
            else TurnEnded(end_ms=round(self._origin_ms + found.decided_ms))
            for found in self._detector.feed(self._resampler.process(pcm))
        ]


def _silence_ms(settings: Mapping[str, Any]) -> int:
    if settings["type"] == "semantic_vad":
        return _SEMANTIC_SILENCE_MS[settings["eagerness"]]
    return int(settings["silence_duration_ms"])
