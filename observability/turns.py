"""Turn latencies from the sound: one definition for native and cascaded agents. Pure.

* Voice to voice: from the end of the caller's speech to the agent's first audible sample after
  it. Silence that leads the agent's audio counts; a turn in which the agent was audible before
  the caller had ended has none.
* Barge-in: from the caller's first sound during the agent's speech to the agent's silence.

Sound is what `sound_spans` calls so: frames of 10 ms at or above -45 dBFS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath

import soundfile

from crossfade.errors import SettingsError

from .sound_spans import SoundSpans, Span

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


def barge_ins(caller: Sequence[Span], agent: Sequence[Span]) -> list[BargeIn]:
    """For each stretch of the agent's speech into which the caller spoke: the first sound."""
    found: list[BargeIn] = []
    for speech in agent:
        inside = [span for span in caller if speech.start_s < span.start_s < speech.end_s]
        if inside:
            found.append(BargeIn(caller_start_s=inside[0].start_s, agent_end_s=speech.end_s))
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
        self.caller = SoundSpans(join_s=CALLER_JOIN_S, batch_ms=1000)
        self.agent = SoundSpans(join_s=AGENT_JOIN_S)
        self._on_answer = on_answer
        self._speech_start_s: float | None = None

    def caller_audio(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Hear the caller: s16le mono that came `at_s` seconds into the call."""
        self.caller.add(pcm, rate_hz, at_s)

    def agent_audio(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Hear the agent: s16le mono played from `at_s` on."""
        self.agent.add(pcm, rate_hz, at_s)
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

    def barge_ins(self) -> list[BargeIn]:
        """All stretches of the agent's speech so far into which the caller spoke."""
        return barge_ins(self.caller.spans, self.agent.spans)

    def _tell_answer(self) -> None:
        self.caller.flush()
        found = self.answers()
        if self._on_answer and found and found[-1].agent_start_s == self._speech_start_s:
            self._on_answer(found[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTurns:
    """What a finished recording tells."""

    duration_s: float
    caller: tuple[Span, ...]
    agent: tuple[Span, ...]
    answers: tuple[Answer, ...]
    barge_ins: tuple[BargeIn, ...]


def from_recording(path: str | PathLike[str]) -> RecordedTurns:
    """Measure a stereo recording, caller left and agent right.

    Raises:
        SettingsError: The file is missing, is no sound file, or is not stereo.
    """
    try:
        frames, rate_hz = soundfile.read(fspath(path), dtype="int16", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise SettingsError(
            f"{fspath(path)}: cannot be read as a recording; give a recording.wav"
        ) from error
    if frames.shape[1] != 2:
        raise SettingsError(
            f"{fspath(path)}: has {frames.shape[1]} channel(s), but a recording has two: "
            "the caller left and the agent right"
        )
    meter = TurnMeter()
    for channel, feed in enumerate((meter.caller_audio, meter.agent_audio)):
        feed(frames[:, channel].astype("<i2").tobytes(), rate_hz, 0.0)
    meter.flush()
    return RecordedTurns(
        duration_s=len(frames) / rate_hz,
        caller=tuple(meter.caller.spans),
        agent=tuple(meter.agent.spans),
        answers=tuple(meter.answers()),
        barge_ins=tuple(meter.barge_ins()),
    )
