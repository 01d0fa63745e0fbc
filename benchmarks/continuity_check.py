"""Whether a call that was disturbed is the call that it would have been. Pure.

The caller's sound is told apart sample by sample: a little noise makes each stretch of it unlike
any other, so that what an emulator was given can be found in it again, and nowhere else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Span = tuple[int, int]
"""From one sample to before another."""
Entry = Mapping[str, Any]
"""A turn of a transcript, as `conversation.transcript` describes it."""

_NEEDLE = 16
"""So many samples in a row are found nowhere else."""
_PRIME = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Samples in a row that the caller said in a row; `said_at` None: samples never said."""

    at: int
    said_at: int | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one session of an emulator was given."""

    pcm: bytes
    """Everything, s16le mono at the rate of what was said."""
    turns: Sequence[tuple[bytes, bool]]
    """The user's turns that it found, each with whether anything began to answer it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What became of the caller's sound, in samples."""

    lost: int
    doubled: int
    why: Sequence[str]


class Said:
    """What the caller said, so that samples of it can be found.

    Args:
        pcm: s16le, no 16 samples of it the same as any others of it.
    """

    def __init__(self, pcm: bytes) -> None:
        self.samples = _samples(pcm)
        keys = _keys(self.samples)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def places(self, heard: Samples) -> NDArray[np.int64]:
        """Where 16 samples from each on were said; -1 where they were not."""
        keys = _keys(heard)
        if not self._keys.size or not keys.size:
            return np.full(keys.size, -1)
        at = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
        return np.where(self._keys[at] == keys, self._order[at], -1)


def runs_in(heard: bytes, said: Said) -> list[Run]:
    """Find what was heard, s16le, in what was said."""
    here = _samples(heard)
    places = said.places(here)
    known = np.flatnonzero(places >= 0)
    found: list[Run] = []
    at = 0
    while at < here.size:
        next_known = int(np.searchsorted(known, at))
        begin = int(known[next_known]) if next_known < known.size else here.size
        if begin > at:
            found.append(Run(at=at, said_at=None, count=begin - at))
        if begin < here.size:
            place = int(places[begin])
            # Two keys may be the same by chance: at least one sample is taken for foreign.
            count = _alike(here[begin:], said.samples[place:])
            run = Run(at=begin, said_at=place, count=count)
            found.append(run if count else Run(at=begin, said_at=None, count=1))
            begin += max(1, count)
        at = begin
    return found


def _keys(samples: Samples) -> NDArray[np.uint64]:
    """A number for each 16 samples in a row."""
    count = max(0, samples.size - _NEEDLE + 1)
    keys = np.zeros(count, dtype=np.uint64)
    for at in range(_NEEDLE):
        keys = keys * _PRIME + samples[at : at + count].astype(np.int64).astype(np.uint64)
    return keys


def _alike(one: Samples, other: Samples) -> int:
    """How many samples at the beginning are the same."""
    size = min(one.size, other.size)
    differ = one[:size] != other[:size]
    return int(differ.argmax()) if differ.any() else size


def _samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, dtype="<i2")


def check_sound(said: bytes, lines: Sequence[Span], sessions: Sequence[Heard]) -> Sound:
    """Whether each line of the caller was answered with all of its samples, once and in order.

    Args:
        said: Everything that the caller said, s16le.
        lines: Where in it the caller spoke.
        sessions: What the emulator was given, connection by connection.
    """
    index = Said(said)
    lost = doubled = 0
    why: list[str] = []
    for number, session in enumerate(sessions, 1):
        gaps, twice = _faults_of_order(runs_in(session.pcm, index), skips=True)
        doubled += twice
        if twice:
            why.append(f"connection {number} was given {twice} samples twice")
    answered = [
        [runs_in(pcm, index) for pcm, is_answered in session.turns if is_answered]
        for session in sessions
    ]
    for number, line in enumerate(lines, 1):
        # The last connection that answered it is the one that counts.
        turns = next(
            (ours for each in reversed(answered) if (ours := [t for t in each if _holds(t, line)])),
            [],
        )
        missing = (line[1] - line[0]) - _covered(turns, line)
        lost += missing
        if missing:
            why.append(f"line {number}: {missing} samples are in no turn that was answered")
        for turn in turns:
            gaps, twice = _faults_of_order(turn, skips=False)
            lost += gaps
            doubled += twice
            if gaps or twice:
                why.append(
                    f"line {number}: {gaps} samples left out, {twice} given twice or foreign"
                )
    return Sound(lost=lost, doubled=doubled, why=why)


def _faults_of_order(runs: Sequence[Run], *, skips: bool) -> tuple[int, int]:
    """How many samples were left out, and how many came again or were never said.

    Args:
        runs: What was heard.
        skips: Whether what is left out between runs does not count.
    """
    left_out = twice = 0
    end: int | None = None
    for run in runs:
        if run.said_at is None:
            twice += run.count
            continue
        if end is not None:
            left_out += max(0, run.said_at - end)
            twice += min(run.count, max(0, end - run.said_at))
        end = run.said_at + run.count if end is None else max(end, run.said_at + run.count)
    return (0 if skips else left_out), twice


def _holds(runs: Sequence[Run], line: Span) -> bool:
    return any(True for _ in _within(runs, line))


def _within(runs: Sequence[Run], line: Span) -> Iterator[Span]:
    """The parts of a line that runs hold."""
    for run in runs:
        if run.said_at is not None:
            begin, end = max(line[0], run.said_at), min(line[1], run.said_at + run.count)
            if begin < end:
                yield begin, end


def _covered(turns: Sequence[Sequence[Run]], line: Span) -> int:
    covered = np.zeros(line[1] - line[0], dtype=bool)
    for runs in turns:
        for begin, end in _within(runs, line):
            covered[begin - line[0] : end - line[0]] = True
    return int(covered.sum())


def check_conversation(now: Sequence[Entry], undisturbed: Sequence[Entry]) -> list[str]:
    """In what the transcript of a call differs from that of one that nothing disturbed.

    Between two contributions of the others the agent may say what it says in several turns, as
    long as it is the same in the same order: no word missing, none twice, all of them heard.
    """
    ours, theirs = _contributions(now), _contributions(undisturbed)
    why = []
    for _, i, j, k, end in SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes():
        missing, much = theirs[i:j], ours[k:end]
        if missing != much:
            why.append(
                f"{' | '.join(much) or 'nothing'} instead of {' | '.join(missing) or 'nothing'}"
            )
    return why


def without_words(entries: Sequence[Entry], count: int) -> list[Entry]:
    """A transcript without the words of the caller's first `count` turns."""
    told = [entry for entry in entries if entry["role"] == "user"][:count]
    return [{**entry, "text": ""} if entry in told else entry for entry in entries]


def _contributions(entries: Sequence[Entry]) -> list[str]:
    told: list[str] = []
    words: list[str] = []
    heard: list[str] = []

    def agent() -> None:
        if words:
            told.append(f"agent: {' '.join(words)}")
            if heard != words:
                told.append(f"heard: {' '.join(heard)}")
        words.clear()
        heard.clear()

    for entry in entries:
        if entry["role"] == "agent":
            words += entry["text"].split()
            heard += entry["heard"].split()
            continue
        agent()
        if entry["role"] == "user":
            told.append(f"user: {entry['text']}" + ("" if entry["final"] else " (not final)"))
        else:
            told.append(f"tool: {entry['name']} {entry['arguments']} -> {entry['result']}")
    agent()
    return told
