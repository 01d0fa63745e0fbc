"""What a recording has of the agent's words: heard by a recogniser that was told more than them."""

import difflib
import re
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossfade.offline.recogniser import Recogniser

OTHER_WORDS = (
    "please call the office on monday morning and ask for the number of the new doctor",
    "the train to the city leaves at seven from the other side of the river",
    "my brother would like two cups of coffee and a piece of the apple pie",
    "it is cold outside and the windows of the old house are open",
)
"""What the recogniser expects as well, so that it does not hear what it ought to."""
Sound = np.ndarray[tuple[int], np.dtype[np.int16]]
_PAUSE_MS = 1500
_GAP_MS = 30
_QUIET = 0.01


def agent_sound(recording: Path) -> tuple[Sound, int]:
    """The agent's channel of a recording, and its rate."""
    with wave.open(str(recording)) as file:
        assert file.getnchannels() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return samples[:, 1].copy(), file.getframerate()


async def heard_words(recording: Path, expected: Sequence[str]) -> list[str]:
    """The words of the agent in a recording, as they are recognised.

    Gaps in the middle of speech, which a machine makes that is too busy, are closed.

    Args:
        recording: Stereo, the agent on the right.
        expected: Sentences that may have been said.
    """
    sound, rate_hz = agent_sound(recording)
    words: list[str] = []
    async with Recogniser(
        [" ".join(_said(each)) for each in (*expected, *OTHER_WORDS)]
    ) as recogniser:
        for begin, end in _utterances(np.abs(sound) > _QUIET * 32768, rate_hz):
            spoken = _without_gaps(sound[begin:end], rate_hz)
            heard = await recogniser.transcribe(spoken.tobytes(), rate_hz)
            words += heard.text.split()
    return words


def share_heard(heard: Sequence[str], sentence: str) -> float:
    """How much of a sentence's words are among those heard, in their order, from 0 to 1."""
    said = _said(sentence)
    matches = difflib.SequenceMatcher(None, list(heard), said, autojunk=False)
    return sum(block.size for block in matches.get_matching_blocks()) / len(said)


def _said(sentence: str) -> list[str]:
    return re.findall(r"[a-z']+", sentence.lower())


def _without_gaps(sound: Sound, rate_hz: int) -> Sound:
    """Without what is silent to the last bit for longer than speech ever is."""
    kept = np.ones(len(sound), dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate(([1], np.abs(sound), [1])) == 0))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        kept[begin + rate_hz * _GAP_MS // 1000 : end] = False
    return sound[kept]


def _utterances(
    loud: np.ndarray[tuple[int], np.dtype[np.bool_]], rate_hz: int
) -> list[tuple[int, int]]:
    """Where there is sound, in samples; what is parted by a short pause is one."""
    at = np.flatnonzero(loud)
    if not at.size:
        return []
    pause, margin = rate_hz * _PAUSE_MS // 1000, rate_hz // 5
    cuts = np.flatnonzero(np.diff(at) > pause)
    begins = [int(at[0]), *(int(at[cut + 1]) for cut in cuts)]
    ends = [*(int(at[cut]) for cut in cuts), int(at[-1])]
    return [
        (max(0, begin - margin), min(len(loud), end + margin))
        for begin, end in zip(begins, ends, strict=True)
    ]


__all__ = ["OTHER_WORDS", "agent_sound", "heard_words", "share_heard"]
