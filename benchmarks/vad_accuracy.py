"""How soon and how rightly voice activity is told, ours and stock pipecat's, on the same sound."""

import asyncio
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADState

from crossfade.audio.pcm import to_pcm
from crossfade.audio.silero import SileroBank, shared_model
from crossfade.audio.vad import (
    SpeechBegan,
    SpeechConfirmed,
    SpeechDropped,
    SpeechEnded,
    SpeechEvent,
    two_stage_detector,
)
from crossfade.observability.virtual_time import run_virtual
from crossfade.processors.speech_scoring import SpeechScoring

from .vad_material import RATE_HZ, Prompt, Sound

_FRAME_MS = 20
_FRAME_BYTES = RATE_HZ * 2 * _FRAME_MS // 1000
# A decision may come so long after the speech that it is about.
_LATE_MS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told of one sound, in ms of its time."""

    starts: Sequence[float]
    confirmations: Sequence[float]
    """Where speech is certain enough to interrupt: pipecat's defaults interrupt at the start."""
    drops: Sequence[float]
    stops: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Of all prompts in some surroundings. Delays are median and 90th percentile, in ms."""

    surroundings: str
    detector: str
    prompts: int
    start_ms: tuple[float, float]
    confirm_ms: tuple[float, float]
    end_ms: tuple[float, float]
    missed_starts: int
    missed_confirmations: int
    false_starts: int
    """Before the speech, or after it."""
    false_confirmations: int
    pauses: int
    """Ends told within the prompts, at their pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Falsehood:
    """Of a minute of sound that is no speech."""

    sound: str
    detector: str
    starts: int
    confirmations: int


Hear = Callable[[Sequence[Sound]], list[Told]]


def measure_accuracy(
    surroundings: Mapping[str, Sequence[Prompt]], not_speech: Mapping[str, Sound]
) -> tuple[list[Accuracy], list[Falsehood]]:
    """Have both hear everything, in frames of 20 ms."""
    detectors: dict[str, Hear] = {"crossfade": hear_ours, "pipecat": hear_stock}
    accuracies = [
        _accuracy(where, name, prompts, hear([prompt.sound for prompt in prompts]))
        for where, prompts in surroundings.items()
        for name, hear in detectors.items()
    ]
    falsehoods = [
        Falsehood(
            sound=sound,
            detector=name,
            starts=len(told.starts),
            confirmations=len(told.confirmations),
        )
        for name, hear in detectors.items()
        for sound, told in zip(not_speech, hear(list(not_speech.values())), strict=True)
    ]
    return accuracies, falsehoods


def hear_ours(sounds: Sequence[Sound]) -> list[Told]:
    """All sounds at once, as calls of one loop: the wait for the tick is in the times."""
    return run_virtual(_hear_ours(sounds))


async def _hear_ours(sounds: Sequence[Sound]) -> list[Told]:
    loop = asyncio.get_running_loop()
    scoring = SpeechScoring(SileroBank(shared_model()))
    told: list[list[tuple[SpeechEvent, float]]] = [[] for _ in sounds]
    start_s = loop.time()

    def listener(number: int) -> Callable[[SpeechEvent], None]:
        return lambda event: told[number].append((event, (loop.time() - start_s) * 1e3))

    streams = [scoring.join(two_stage_detector(), listener(at)) for at in range(len(sounds))]
    frames = [_frames(sound) for sound in sounds]
    playing = True
    while playing:
        await asyncio.sleep(_FRAME_MS / 1e3)
        playing = False
        for stream, rest in zip(streams, frames, strict=True):
            if frame := next(rest, b""):
                stream.hear(frame)
                playing = True
    for stream in streams:
        stream.leave()
    return [_of_kinds(events) for events in told]


def _of_kinds(events: Sequence[tuple[SpeechEvent, float]]) -> Told:
    def when(kind: type[SpeechEvent]) -> list[float]:
        return [ms for event, ms in events if isinstance(event, kind)]

    return Told(
        starts=when(SpeechBegan),
        confirmations=when(SpeechConfirmed),
        drops=when(SpeechDropped),
        stops=when(SpeechEnded),
    )


def hear_stock(sounds: Sequence[Sound]) -> list[Told]:
    """Pipecat's analyzer with its defaults, one after another."""

    async def hear_all() -> list[Told]:
        return [await _hear_stock(sound) for sound in sounds]

    return asyncio.run(hear_all())


async def _hear_stock(sound: Sound) -> Told:
    analyzer = SileroVADAnalyzer(sample_rate=RATE_HZ)
    analyzer.set_sample_rate(RATE_HZ)
    starts: list[float] = []
    stops: list[float] = []
    before = VADState.QUIET
    for number, frame in enumerate(_frames(sound), start=1):
        state = await analyzer.analyze_audio(frame)
        if state in (VADState.SPEAKING, VADState.QUIET) and state is not before:
            (starts if state is VADState.SPEAKING else stops).append(float(number * _FRAME_MS))
            before = state
    await analyzer.cleanup()
    return Told(starts=starts, confirmations=starts, drops=(), stops=stops)


def _frames(sound: Sound) -> Iterator[bytes]:
    pcm = to_pcm(sound)
    return (pcm[at : at + _FRAME_BYTES] for at in range(0, len(pcm), _FRAME_BYTES))


def _accuracy(
    surroundings: str, detector: str, prompts: Sequence[Prompt], told: Sequence[Told]
) -> Accuracy:
    pairs = list(zip(prompts, told, strict=True))
    starts = [_delay_ms(prompt, each.starts) for prompt, each in pairs]
    confirmations = [_delay_ms(prompt, each.confirmations) for prompt, each in pairs]
    ends = [each.stops[-1] - prompt.end_ms for prompt, each in pairs if each.stops]
    return Accuracy(
        surroundings=surroundings,
        detector=detector,
        prompts=len(prompts),
        start_ms=_spread(starts),
        confirm_ms=_spread(confirmations),
        end_ms=_spread([end for end in ends if end > 0]),
        missed_starts=starts.count(None),
        missed_confirmations=confirmations.count(None),
        false_starts=sum(_false(prompt, each.starts) for prompt, each in pairs),
        false_confirmations=sum(_false(prompt, each.confirmations) for prompt, each in pairs),
        pauses=sum(sum(ms < prompt.end_ms for ms in each.stops) for prompt, each in pairs),
    )


def _delay_ms(prompt: Prompt, decisions: Sequence[float]) -> float | None:
    """From the beginning of the speech to the first decision about it."""
    within = [ms for ms in decisions if prompt.start_ms < ms <= prompt.end_ms + _LATE_MS]
    return within[0] - prompt.start_ms if within else None


def _false(prompt: Prompt, decisions: Sequence[float]) -> int:
    return sum(not prompt.start_ms < ms <= prompt.end_ms + _LATE_MS for ms in decisions)


def _spread(delays: Sequence[float | None]) -> tuple[float, float]:
    known = [delay for delay in delays if delay is not None]
    if not known:
        return 0.0, 0.0
    return round(statistics.median(known)), round(float(np.percentile(known, 90)))
