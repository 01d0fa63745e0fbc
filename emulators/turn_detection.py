"""Server turn detection: where the user's turns begin and end in the audio of a session."""

from collections.abc import Callable
from dataclasses import dataclass

from crossfade.audio.resample import StreamResampler
from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.vad import Scorer, SpeechBegan, VoiceDetector

DETECTOR_RATE_HZ = 16_000
# Two windows of the model: one alone may be a click.
_START_MS = 64
# Speech goes on down to this much under the threshold, as Silero's authors advise.
_HYSTERESIS = 0.15

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
    """Listens to a session's audio for turns.

    Args:
        rate_hz: Of the audio.
        threshold: Probability from which a window is speech.
        padding_ms: How much audio before the speech belongs to its turn.
        silence_ms: How long a silence ends the turn.
        origin_ms: The audio of the session before the first sample that this detector hears.
        scorer: Gives speech probabilities.
    """

    def __init__(
        self,
        *,
        rate_hz: int,
        threshold: float,
        padding_ms: int,
        silence_ms: int,
        origin_ms: int,
        scorer: Scorer,
    ) -> None:
        self.padding_ms = padding_ms
        self._origin_ms = origin_ms
        self._resampler = StreamResampler(rate_hz, DETECTOR_RATE_HZ)
        self._detector = VoiceDetector(
            scorer,
            start_threshold=threshold,
            stay_threshold=max(0.0, threshold - _HYSTERESIS),
            start_ms=_START_MS,
            stop_ms=silence_ms,
        )

    @property
    def speaking(self) -> bool:
        return self._detector.speaking

    def hear(self, pcm: bytes) -> list[TurnBegan | TurnEnded]:
        """The turns that begin or end with this audio, whole s16le samples."""
        return [
            TurnBegan(start_ms=max(0, round(self._origin_ms + found.at_ms) - self.padding_ms))
            if isinstance(found, SpeechBegan)
            else TurnEnded(end_ms=round(self._origin_ms + found.decided_ms))
            for found in self._detector.feed(self._resampler.process(pcm))
        ]
