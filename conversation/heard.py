"""Which words of an answer the user heard before it was cut: never one too many."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Han and kana are written without spaces; each character counts as a word.
_UNSPACED = "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\uff66-\uff9f"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")

# Slow speech, in Latin characters: most voices say 13 to 18 a second.
SLOW_CHARACTERS_PER_S = 10.0
# Speech keeps its average pace only by and large; this much of it is doubtful.
_DOUBT_MS = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTiming:
    """Where a word ends, in the text and in the sound."""

    end_character: int
    """Length of the item's text up to and including the word."""
    end_ms: float
    """Position in the item's audio."""


def heard_length(
    text: str,
    *,
    played_ms: float,
    received_ms: float,
    complete: bool,
    timings: Sequence[WordTiming] = (),
    characters_per_s: float = SLOW_CHARACTERS_PER_S,
) -> int:
    """Count the characters of `text` that were surely heard: whole words, from its beginning.

    Word timings decide where there are any. Else a word was heard if its end, by its share of the
    text's characters, lies within the played share of the audio. Text may run ahead of audio, so
    that while audio is missing a slow pace of speech is a second limit.

    Args:
        text: The item's text as generated.
        played_ms: How much of its audio was played.
        received_ms: How much of its audio had arrived.
        complete: Whether that was all of its audio.
        timings: Word ends in the order of the text, if known.
        characters_per_s: The pace at which the voice speaks at least.
    """
    if timings:
        ends = [timing.end_character for timing in timings if timing.end_ms <= played_ms]
        return min(max(ends, default=0), len(text))
    total = spoken_length(text)
    sure_ms = min(played_ms, received_ms) - _DOUBT_MS
    if sure_ms <= 0 or total == 0:
        return 0
    limit = total * sure_ms / received_ms
    if not complete:
        limit = min(limit, sure_ms / 1000 * characters_per_s)
    heard = said = at = 0
    for word in _WORD.finditer(text):
        said += spoken_length(text[at : word.end()])
        at = word.end()
        if said > limit:
            break
        heard = word.end()
    return heard


def spoken_length(text: str) -> int:
    """Length in Latin characters by the time it takes to say: the other scripts are denser."""
    return len(text) + 2 * sum(character >= "\u2e80" for character in text)


__all__ = ["SLOW_CHARACTERS_PER_S", "WordTiming", "heard_length", "spoken_length"]
