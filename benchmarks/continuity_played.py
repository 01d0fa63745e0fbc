"""Whether the caller heard what the agent said: each answer whole, and once. Pure.

The agent's voice takes the same time for each character wherever it stands, and adds one behind
each word. So each sample of a rendering has its place in the sound of the whole script, also where
a connection that went on rendered the rest of a sentence alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.emulators.backends.backend import SPEECH_RATE_HZ
from crossfade.errors import SettingsError
from crossfade.offline.tone_voice import MS_PER_CHARACTER

from .continuity_check import Run, Said, runs_in
from .continuity_voice import Rendered

LONGEST_REPEAT_MS = 1500.0
"""So much may be said again at a cut: how many words the sound of a stump holds is an estimate."""
LONGEST_HOLE_MS = 400.0
"""So much may be missing at a cut, for the same reason."""
_SAMPLES_A_MS = SPEECH_RATE_HZ // 1000
_CHANCE = 16
"""So many samples in a row are alike by chance nowhere."""
_CHARACTER = MS_PER_CHARACTER * _SAMPLES_A_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of the agent's sound."""

    repeated_ms: float
    """Said again where an answer was cut, all cuts together."""
    missing_ms: float
    """Never said where an answer was cut, all cuts together."""
    why: Sequence[str]
    """What is not as it should be: at a cut beyond the bounds, elsewhere at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Samples of one rendering that were played in a row."""

    rendering: int
    session: int
    at: int
    """Where they begin in their rendering."""
    count: int
    place: int
    """Where they begin in the sound of the script."""


def check_played(played: bytes, rendered: Sequence[Rendered], script: Sequence[str]) -> Played:
    """Whether the whole script was heard once, as it was rendered.

    Where another connection goes on, a little may be said again or be missing, within
    `LONGEST_REPEAT_MS` and `LONGEST_HOLE_MS`; anywhere else not one sample.

    Args:
        played: What the transport's output was given, s16le mono at the rate of backends; silence
            between is not looked at.
        rendered: What the emulators' connections rendered.
        script: The sentences that are to be heard, in order, none ending with the same word as
            another.

    Raises:
        SettingsError: A rendering is no end of any sentence, so that its place is not known.
    """
    why: list[str] = []
    repeated = missing = foreign = 0
    places = [_place(each, script) for each in rendered]
    heard_to, last = 0, None
    for run in runs_in(played, Said(b"".join(each.pcm for each in rendered))):
        if run.said_at is None:
            foreign += _loud(played, run)
            continue
        for now in _stretches(run, rendered, places):
            step, skipped = now.place - heard_to, _skipped(last, now)
            if last is not None and now.session > last.session and not skipped:
                repeated += max(0, -step)
                missing += max(0, step)
                why += _beyond(step)
            elif step or skipped:
                left_out = max(0, step, skipped)
                why.append(
                    f"in {rendered[now.rendering].text!r} the caller was not played "
                    f"{_ms(left_out):g} ms, and {_ms(max(0, -step)):g} ms again"
                )
            heard_to, last = now.place + now.count, now
    if foreign:
        why.append(f"{foreign} samples were played that nobody rendered")
    whole = _length(script)
    if heard_to != whole:
        why.append(f"the caller was played {_ms(heard_to):g} of {_ms(whole):g} ms")
    return Played(repeated_ms=_ms(repeated), missing_ms=_ms(missing), why=why)


def _place(each: Rendered, script: Sequence[str]) -> int:
    """Where a rendering begins in the sound of the script."""
    for number, sentence in enumerate(script):
        if f" {sentence}".endswith(f" {each.text}"):
            return _length(script[: number + 1]) - _length([each.text])
    raise SettingsError(f"{each.text!r} is no end of a sentence of the script: {list(script)}")


def _length(texts: Sequence[str]) -> int:
    """Of their sound, in samples."""
    return sum(len(text) + 1 for text in texts) * _CHARACTER


def _stretches(run: Run, rendered: Sequence[Rendered], places: Sequence[int]) -> Iterator[_Stretch]:
    """A run in all that was rendered, cut where a rendering ends."""
    assert run.said_at is not None, "it was rendered"
    begin, end, offset = run.said_at, run.said_at + run.count, 0
    for number, each in enumerate(rendered):
        size = len(each.pcm) // SAMPLE_BYTES
        first, behind = max(begin, offset), min(end, offset + size)
        # A sample or two of its neighbour may be those of the silence that was played beside it.
        if behind - first > 0 and (behind - first >= _CHANCE or behind - first == run.count):
            yield _Stretch(
                rendering=number,
                session=each.session,
                at=first - offset,
                count=behind - first,
                place=places[number] + first - offset,
            )
        offset += size


def _skipped(last: _Stretch | None, now: _Stretch) -> int:
    """How many samples were left out at the beginning of a rendering."""
    return now.at if last is None or last.rendering != now.rendering else 0


def _beyond(step: int) -> list[str]:
    if -step > LONGEST_REPEAT_MS * _SAMPLES_A_MS:
        return [f"at a cut {_ms(-step):g} ms were said again"]
    if step > LONGEST_HOLE_MS * _SAMPLES_A_MS:
        return [f"at a cut {_ms(step):g} ms were never said"]
    return []


def _loud(played: bytes, run: Run) -> int:
    """How many samples of a run are not silence."""
    return int(np.count_nonzero(np.frombuffer(played, dtype="<i2")[run.at : run.at + run.count]))


def _ms(samples: int) -> float:
    return round(samples / _SAMPLES_A_MS, 3)
