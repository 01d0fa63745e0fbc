"""The ear: where the user's speech lies in the stream. Moshi itself knows no turns."""

from dataclasses import dataclass

from crossfade.audio.vad import Scorer

from ..turn_detection import TurnBegan, TurnDetector
from .ogg_opus import RATE_HZ

_THRESHOLD = 0.5
_PADDING_MS = 300
_BYTES_PER_MS = 2 * RATE_HZ // 1000
# Silence that is kept: the padding, and what the detector takes to decide.
_KEPT_MS = _PADDING_MS + 500
# Of longer speech only the end is recognised.
LONGEST_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Something that the user has said."""

    begin: int
    """Where it begins, in samples of the stream."""
    pcm: bytes


class Ear:
    """Cuts the user's utterances out of the stream.

    Args:
        silence_ms: How long a pause ends an utterance.
        scorer: Gives speech probabilities.
    """

    def __init__(self, silence_ms: int, scorer: Scorer) -> None:
        self._detector = TurnDetector(
            rate_hz=RATE_HZ,
            threshold=_THRESHOLD,
            padding_ms=_PADDING_MS,
            silence_ms=silence_ms,
            origin_ms=0,
            scorer=scorer,
        )
        self._pcm = bytearray()
        # Where what is kept begins in the stream.
        self._start = 0
        self._utterance_ms = 0

    @property
    def heard_ms(self) -> float:
        """How much of the stream came."""
        return (self._start + len(self._pcm)) / _BYTES_PER_MS

    def hear(self, pcm: bytes) -> list[Utterance | None]:
        """Take sound.

        Returns:
            None for each utterance that begins, its sound for each that ends; in order.
        """
        self._pcm += pcm
        found: list[Utterance | None] = []
        for turn in self._detector.hear(pcm):
            if isinstance(turn, TurnBegan):
                self._utterance_ms = turn.start_ms
                found.append(None)
            else:
                found.append(self._between(self._utterance_ms, turn.end_ms))
        self._forget(LONGEST_MS if self._detector.speaking else _KEPT_MS)
        return found

    def _between(self, start_ms: int, end_ms: int) -> Utterance:
        start = max(0, start_ms * _BYTES_PER_MS - self._start)
        pcm = bytes(self._pcm[start : end_ms * _BYTES_PER_MS - self._start])
        return Utterance(begin=(self._start + start) // 2, pcm=pcm)

    def _forget(self, kept_ms: int) -> None:
        surplus = len(self._pcm) - kept_ms * _BYTES_PER_MS
        if surplus > 0:
            del self._pcm[:surplus]
            self._start += surplus
