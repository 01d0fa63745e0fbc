"""A voice without any speech engine: deterministic syllables of tone."""

import functools
import re
from collections.abc import AsyncIterator, Iterator

import numpy as np
from numpy.typing import NDArray

from crossfade.audio.pcm import silence, to_pcm

from .voice import Spoken, Word, chunks

MS_PER_CHARACTER = 65

# The first two resonances of the mouth in Hz, after Peterson and Barney (1952), men's voices.
_FORMANTS_HZ = {
    "a": (730, 1090),
    "e": (530, 1840),
    "i": (270, 2290),
    "o": (570, 840),
    "u": (300, 870),
    "y": (390, 1990),
}
_BANDWIDTH_HZ = 120
_PITCH_HZ = 120
_HIGHEST_HZ = 3600
_LEVEL = 0.35
_EDGE_MS = 15
# Of the syllables of English few are longer, and not many differ.
_KEPT_LETTERS = 8
_KEPT_SYLLABLES = 256


class ToneVoice:
    """Hums text as vowel-like syllables, the same every time; 65 ms for each character.

    It does no I/O and never waits, so it runs under a virtual clock.

    Args:
        rate_hz: The sample rate of what it speaks.
    """

    def __init__(self, rate_hz: int = 24000) -> None:
        self.rate_hz = rate_hz

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        """Mono PCM at `rate_hz` in chunks of up to 40 ms."""
        waiting = b""
        for _, _, sound in self._words(text):
            *whole, waiting = chunks(waiting + sound, self.rate_hz)
            for chunk in whole:
                yield chunk
        if waiting:
            yield waiting

    async def render(self, text: str) -> Spoken:
        """The whole text as sound, with the times of its words."""
        words = list(self._words(text))
        return Spoken(
            pcm=b"".join(sound for _, _, sound in words),
            rate_hz=self.rate_hz,
            words=tuple(Word(text=word, at_ms=at_ms) for word, at_ms, _ in words),
        )

    def _words(self, text: str) -> Iterator[tuple[str, float, bytes]]:
        """Each word, where it begins, and its sound up to the next."""
        at_ms = 0.0
        for word in text.split():
            syllables = re.findall(
                r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]+$)?|^[^aeiouy]+$", word.lower()
            )
            sound = [self._syllable(index, each) for index, each in enumerate(syllables)]
            sound.append(silence(MS_PER_CHARACTER, self.rate_hz))
            yield word, at_ms, b"".join(sound)
            at_ms += (len(word) + 1) * MS_PER_CHARACTER

    def _syllable(self, index: int, letters: str) -> bytes:
        """The letters' first vowel, sung over their time; later syllables fall in pitch."""
        vowel = next((letter for letter in letters if letter in _FORMANTS_HZ), "e")
        sing = _sung if len(letters) <= _KEPT_LETTERS else _sung.__wrapped__
        return sing(vowel, index % 4, len(letters), self.rate_hz)


@functools.lru_cache(maxsize=_KEPT_SYLLABLES)
def _sung(vowel: str, fall: int, letters: int, rate_hz: int) -> bytes:
    """A vowel over the time of so many letters, its pitch fallen by so many steps."""
    time_s = np.arange(round(letters * MS_PER_CHARACTER / 1000 * rate_hz)) / rate_hz
    pitch_hz = _PITCH_HZ * 0.94**fall
    harmonics_hz = np.arange(pitch_hz, min(_HIGHEST_HZ, rate_hz / 2), pitch_hz)
    strength = sum(1 / (1 + ((harmonics_hz - f) / _BANDWIDTH_HZ) ** 2) for f in _FORMANTS_HZ[vowel])
    waves = strength @ np.sin(2 * np.pi * np.outer(harmonics_hz, time_s))
    waves *= _LEVEL / np.abs(waves).max() * _envelope(time_s.size, rate_hz)
    return to_pcm(waves)


def _envelope(samples: int, rate_hz: int) -> NDArray[np.float64]:
    edge = min(samples // 2, rate_hz * _EDGE_MS // 1000)
    envelope = np.ones(samples)
    rise = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
    envelope[:edge] = rise
    envelope[samples - edge :] = rise[::-1]
    return envelope
