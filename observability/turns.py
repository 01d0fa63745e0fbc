"""Turn latencies from the sound: one definition for native and cascaded agents. Pure.

* Voice to voice: from the end of the caller's speech to the agent's first audible sample after
  it. Silence that leads the agent's audio counts; a turn in which the agent was audible before
  the caller had ended has none.
* Barge-in: from the caller's first sound during the agent's speech to the agent's silence.

Sound is what `sound_spans` calls so: frames of 10 ms at or above -45 dBFS.
"""

import contextlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike, fspath

import numpy as np
import soundfile
from numpy.typing import NDArray

from crossfade.errors import SettingsError

from .call_sound import Placed
from .sound_spans import FRAME_MS, SoundSpans, Span
from .timeline import LATE_S, Side

CALLER_JOIN_S = 0.2
AGENT_JOIN_S = 0.5
"""Longer than the pauses between the sentences of synthetic speech."""
YIELD_S = 0.5
"""How long an agent that was interrupted may still be heard after a short word of the caller."""

_NEVER = Span(start_s=float("-inf"), end_s=float("-inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The agent became audible after the caller's turn."""

    caller_end_s: float
    agent_start_s: float

    @property
    def voice_to_voice_ms(self) -> float:
        return (self.agent_start_s - self.caller_end_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeIn:
    """The caller began to speak while the agent was speaking."""

    caller_start_s: float
    agent_end_s: float

    @property
    def to_silence_ms(self) -> float:
        return (self.agent_end_s - self.caller_start_s) * 1000


def answers(caller: Sequence[Span], agent: Sequence[Span]) -> list[Answer]:
    """For each turn of the caller that was answered: when it ended, and the answer began.

    What the caller said while the agent spoke on is no turn.
    """
    found: list[Answer] = []
    heard = 0
    before = _NEVER
    for speech in agent:
        while heard < len(caller) and caller[heard].start_s < speech.start_s:
            heard += 1
        end_s = caller[heard - 1].end_s if heard else _NEVER.end_s
        spoke_since = end_s > before.start_s and end_s + YIELD_S >= before.end_s
        if heard and spoke_since and end_s <= speech.start_s:
            found.append(Answer(caller_end_s=end_s, agent_start_s=speech.start_s))
        before = speech
    return found


def is_last(words: Span, speech: Span) -> bool:
    """Whether the caller's words are behind the agent's speech, or stopped it."""
    cut_in = words.start_s < speech.start_s
    return words.end_s + (0.0 if cut_in else YIELD_S) >= speech.end_s


def waits_since(caller: Sequence[Span], agent: Sequence[Span], committed_s: float) -> float | None:
    """The end of the caller's turn that was committed then; None if it was not heard, or the agent
    was heard since."""
    at = bisect_right(caller, committed_s, key=lambda span: span.start_s)
    if not at or (agent and not is_last(caller[at - 1], agent[-1])):
        return None
    return caller[at - 1].end_s


def latest_answer(caller: Sequence[Span], agent: Sequence[Span]) -> Answer | None:
    """The last of all answers, if the agent's last speech is one; however long the call is."""
    if not agent:
        return None
    heard = bisect_left(caller, agent[-1].start_s, key=lambda span: span.start_s)
    found = answers(caller[max(0, heard - 1) : heard], agent[-2:])
    return found[-1] if found and found[-1].agent_start_s == agent[-1].start_s else None


def barge_ins(caller: Sequence[Span], agent: Sequence[Span]) -> list[BargeIn]:
    """For each stretch of the agent's speech into which the caller spoke: the first sound."""
    found: list[BargeIn] = []
    for speech in agent:
        first = bisect_right(caller, speech.start_s, key=lambda span: span.start_s)
        if first < len(caller) and caller[first].start_s < speech.end_s:
            found.append(BargeIn(caller_start_s=caller[first].start_s, agent_end_s=speech.end_s))
    return found


def overlaps(caller: Sequence[Span], agent: Sequence[Span]) -> list[Span]:
    """The stretches in which both were heard."""
    found: list[Span] = []
    at = 0
    for speech in agent:
        while at < len(caller) and caller[at].end_s <= speech.start_s:
            at += 1
        for span in islice(caller, at, None):
            if span.start_s >= speech.end_s:
                break
            start_s, end_s = max(span.start_s, speech.start_s), min(span.end_s, speech.end_s)
            found.append(Span(start_s=start_s, end_s=end_s))
    return found


def first_sound(spans: Sequence[Span], since_s: float) -> float | None:
    """The first instant of sound at or after `since_s`, None if there is none."""
    return next((max(span.start_s, since_s) for span in spans if span.end_s > since_s), None)


class TurnMeter:
    """Listens to both sides of a call as it goes.

    Args:
        on_answer: Called when the agent becomes audible after the caller's turn.
    """

    def __init__(self, on_answer: Callable[[Answer], None] | None = None) -> None:
        # The caller's sound is always there, and judged when the agent becomes audible.
        self.caller = SoundSpans(join_s=CALLER_JOIN_S, batch_ms=2000, late_s=LATE_S)
        # That an answer has begun is told at once, where it goes on is not.
        self.agent = SoundSpans(join_s=AGENT_JOIN_S, batch_ms=FRAME_MS, heard_batch_ms=1000)
        self._on_answer = on_answer
        self._speech_start_s: float | None = None

    def caller_audio(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Hear the caller: s16le mono that came `at_s` seconds into the call."""
        self.caller.add(pcm, rate_hz, at_s)

    def agent_audio(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Hear the agent: s16le mono played from `at_s` on."""
        self.agent.add(pcm, rate_hz, at_s)
        self._look_for_answer()

    def take(self, placed: Placed) -> None:
        """Hear both, whose sound is placed already."""
        for side, piece in placed:
            (self.caller if side is Side.CALLER else self.agent).take(piece)
        self._look_for_answer()

    def _look_for_answer(self) -> None:
        spans = self.agent.spans
        if spans and spans[-1].start_s != self._speech_start_s:
            self._speech_start_s = spans[-1].start_s
            self._tell_answer()

    def flush(self) -> None:
        """Judge the last of the sound."""
        self.caller.flush()
        self.agent.flush()

    def answers(self) -> list[Answer]:
        """All answers so far."""
        return answers(self.caller.spans, self.agent.spans)

    def waits_since(self, committed_s: float, due_s: float) -> float | None:
        """The end of the turn that was committed then, if it was before `due_s` and nothing was
        heard of the agent since."""
        if self.caller.spans and self.caller.spans[-1].end_s >= due_s:
            return None
        self.flush()
        end_s = waits_since(self.caller.spans, self.agent.spans, committed_s)
        return None if end_s is None or end_s >= due_s else end_s

    def barge_ins(self) -> list[BargeIn]:
        """All stretches of the agent's speech so far into which the caller spoke."""
        return barge_ins(self.caller.spans, self.agent.spans)

    def overlaps(self) -> list[Span]:
        """All stretches so far in which both were heard."""
        return overlaps(self.caller.spans, self.agent.spans)

    def turns(self, duration_s: float, rest: Callable[[], None] = lambda: None) -> "RecordedTurns":
        """All that was measured in a call of this length.

        Args:
            duration_s: Its length.
            rest: Called between small pieces of work.
        """
        self.flush()
        answered = tuple(self.answers())
        rest()
        cut = tuple(self.barge_ins())
        rest()
        overlapping = tuple(self.overlaps())
        rest()
        return RecordedTurns(
            duration_s=duration_s,
            caller=tuple(self.caller.spans),
            agent=tuple(self.agent.spans),
            answers=answered,
            barge_ins=cut,
            overlaps=overlapping,
        )

    def _tell_answer(self) -> None:
        self.caller.flush()
        found = latest_answer(self.caller.spans, self.agent.spans)
        if self._on_answer and found is not None:
            self._on_answer(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTurns:
    """What the sound of a call tells."""

    duration_s: float
    caller: tuple[Span, ...]
    agent: tuple[Span, ...]
    answers: tuple[Answer, ...]
    barge_ins: tuple[BargeIn, ...]
    overlaps: tuple[Span, ...] = ()
    """When both were heard."""


class RecordingMeter:
    """Measures a recording that is read piece by piece."""

    def __init__(self) -> None:
        self._meter = TurnMeter()
        self._end_s = 0.0

    def add(self, frames: NDArray[np.int16], rate_hz: int) -> None:
        """The next stereo frames of 16 bits, of the shape (frames, 2)."""
        for channel, feed in enumerate((self._meter.caller_audio, self._meter.agent_audio)):
            feed(frames[:, channel].astype("<i2").tobytes(), rate_hz, self._end_s)
        self._end_s += len(frames) / rate_hz

    def turns(self) -> RecordedTurns:
        """What all of it tells."""
        return self._meter.turns(self._end_s)


def from_recording(path: str | PathLike[str]) -> RecordedTurns:
    """Measure a stereo recording, caller left and agent right.

    Raises:
        SettingsError: The file is missing, is no sound file, or is not stereo.
    """
    meter = RecordingMeter()
    for frames, rate_hz in stereo_blocks(path):
        meter.add(frames, rate_hz)
    return meter.turns()


def stereo_blocks(
    path: str | PathLike[str], block_s: float = 0.5
) -> Iterator[tuple[NDArray[np.int16], int]]:
    """Read a stereo recording piece by piece, as far as it goes: each with its rate.

    Raises:
        SettingsError: The file is missing, is no sound file, or is not stereo.
    """
    try:
        file = soundfile.SoundFile(fspath(path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise SettingsError(
            f"{fspath(path)}: cannot be read as a recording; give a recording.wav"
        ) from error
    with file:
        if file.channels != 2:
            raise SettingsError(
                f"{fspath(path)}: has {file.channels} channel(s), but a recording has two: "
                "the caller left and the agent right"
            )
        rate_hz = file.samplerate
        # A FLAC file of a process that was killed has no length: it ends where reading fails.
        with contextlib.suppress(soundfile.LibsndfileError):
            while len(frames := file.read(round(block_s * rate_hz), dtype="int16")):
                yield frames, rate_hz
