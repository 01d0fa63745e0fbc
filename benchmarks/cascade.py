"""The cascade beside a stock pipecat pipeline of the same services, and its voice-to-voice time."""

import asyncio
import contextlib
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipecat.frames.frames import Frame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from rich.table import Table

from crossfade.conversation.ledger import Conversation
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame, TTSAudioRawFrame
from crossfade.frames.control import (
    SpeechConfirmedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.observability.latency_budget import Hop, Waterfall
from crossfade.observability.run import read_run
from crossfade.offline.responder import Reply
from crossfade.offline.tone_voice import ToneVoice
from crossfade.pipelines.cascaded_call import run_cascaded
from crossfade.pipelines.cascaded_settings import CascadedSettings
from crossfade.processors.base import DOWNSTREAM, Processor
from crossfade.processors.cascade import Cascade
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.turn_taking import TurnOwner, TurnTaking

GOAL_OWN_MS = 15.0
GOAL_VOICE_TO_VOICE_MS = 700.0
TURNS = 10
SIDES = ("crossfade", "pipecat")
_MIC_HZ, _VOICE_HZ = 16000, 24000
_TURN_FRAMES = 50
_STEP_S = 0.005
_ANSWER = "It is sunny there, and warm for the season."
_SAID = "what is the weather in tokyo"
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Medians of one side."""

    side: str
    added_ms: float
    """From the end of the user's turn to the first sound; its services take no time."""
    cpu_ms: float
    """Of a turn of a second's microphone and some three of speech, services and all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopTimes:
    """What answers waited for, in the calls."""

    name: str
    answers: int
    p50_ms: float
    most_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeResult:
    """What was measured."""

    sides: Sequence[Side]
    added_ratio: float
    cpu_ratio: float
    """What ours takes of what stock's does; medians over rounds."""
    turns: int
    rounds: int
    calls: int
    voice_to_voice_ms: Sequence[float]
    """In the recordings of calls of the embedded cascade."""
    hops: Sequence[HopTimes]

    @property
    def held(self) -> bool:
        """Whether all goals were reached."""
        ours = self.sides[0]
        soon = self.voice_to_voice_ms
        return (
            self.added_ratio <= 1
            and self.cpu_ratio < 1
            and ours.added_ms < GOAL_OWN_MS
            and (not soon or statistics.median(soon) < GOAL_VOICE_TO_VOICE_MS)
        )


class _Words:
    text = partial = _SAID

    async def feed(self, pcm: bytes) -> None:
        pass

    async def finish(self) -> "_Words":
        return self

    def abandon(self) -> None:
        pass


class _Ear:
    def utterance(self, _rate_hz: int) -> _Words:
        return _Words()


class _Brain:
    def reply(self, _user_text: str, _history: Sequence[tuple[str, str]] = ()) -> Reply:
        return Reply(text=_ANSWER)

    def after_tools(self, _results: Sequence[tuple[str, str]]) -> Reply:
        return Reply(text=_ANSWER)

    def sentences(self) -> list[str]:
        return [_SAID]


class _Voice:
    """A hum that is there at once."""

    rate_hz = _VOICE_HZ

    def __init__(self, pcm: Sequence[bytes]) -> None:
        self._pcm = pcm

    async def speak(self, _text: str) -> AsyncIterator[bytes]:
        for chunk in self._pcm:
            yield chunk


class _Hearer:
    """Notes when sound comes, and waits for all of it."""

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, expected_bytes: int) -> None:
        self._left = expected_bytes
        self.first_s: float | None = None
        self.all = asyncio.Event()

    def hear(self, pcm: bytes) -> None:
        if self.first_s is None:
            self.first_s = time.perf_counter()
        self._left -= len(pcm)
        if self._left <= 0:
            self.all.set()


class _OurEnd(Processor):
    """Before the chain it sends; behind it, it hears."""

    def __init__(self, hearer: _Hearer | None = None) -> None:
        super().__init__()
        self._hearer = hearer

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if self._hearer is None:
            self.push_audio(frame)
        elif isinstance(frame, TTSAudioRawFrame):
            self._hearer.hear(frame.audio)

    async def send(self, frame: Frame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            self.push_audio(frame)
        else:
            await self.push_frame(frame, DOWNSTREAM)


class _StockEnd(FrameProcessor):
    def __init__(self, hearer: _Hearer | None = None) -> None:
        super().__init__()
        self._hearer = hearer

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if self._hearer is not None and isinstance(frame, TTSAudioRawFrame):
            self._hearer.hear(frame.audio)
        await self.push_frame(frame, direction)

    async def send(self, frame: Frame) -> None:
        await self.push_frame(frame)


def measure(
    rounds: int = 5,
    turns: int = TURNS,
    calls: int = 3,
    tell: Callable[[str], None] = lambda _: None,
) -> CascadeResult:
    """Measure both sides in turn, and then calls of the embedded cascade in real time.

    Args:
        rounds: How often each side is measured.
        turns: Of the user in each.
        calls: Of the demo's caller; 0 for none.
        tell: Given what is being done.
    """
    added: dict[str, list[float]] = {side: [] for side in SIDES}
    cpu: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(rounds):
        # Who begins alternates, too.
        for side in SIDES if number % 2 else SIDES[::-1]:
            tell(f"{side}, round {number + 1}")
            added_ms, cpu_ms = asyncio.run(_talk(side, turns))
            added[side].append(added_ms)
            cpu[side].append(cpu_ms)
    tell("calling")
    falls = asyncio.run(_calls(calls))
    return CascadeResult(
        sides=[
            Side(
                side=side,
                added_ms=round(statistics.median(added[side]), 2),
                cpu_ms=round(statistics.median(cpu[side]), 2),
            )
            for side in SIDES
        ],
        added_ratio=_ratio(added),
        cpu_ratio=_ratio(cpu),
        turns=turns,
        rounds=rounds,
        calls=calls,
        voice_to_voice_ms=[round(fall.answer.voice_to_voice_ms, 1) for fall in falls],
        hops=hop_times(falls),
    )


def _ratio(measured: Mapping[str, Sequence[float]]) -> float:
    ours, stock = (measured[side] for side in SIDES)
    return round(statistics.median(a / b for a, b in zip(ours, stock, strict=True)), 2)


async def _talk(side: str, turns: int) -> tuple[float, float]:
    """Median of what is added, and CPU of a turn, in ms; the first turn only warms up."""
    pcm = [chunk async for chunk in ToneVoice(_VOICE_HZ).speak(_ANSWER)]
    hearer = _Hearer()
    expected = sum(map(len, pcm))
    async with _running(side, _Voice(pcm), hearer) as send:
        await _turn(send, hearer, expected)
        gc.collect()
        before_s = time.process_time()
        added = [await _turn(send, hearer, expected) for _ in range(turns)]
        cpu_ms = (time.process_time() - before_s) / turns * 1000
    return statistics.median(added), cpu_ms


async def _turn(send: Callable[[Frame], Any], hearer: _Hearer, expected_bytes: int) -> float:
    hearer.begin(expected_bytes)
    await send(VADUserStartedSpeakingFrame(start_secs=0.2))
    await send(SpeechConfirmedFrame())
    for _ in range(_TURN_FRAMES):
        await send(InputAudioRawFrame(audio=bytes(640), sample_rate=_MIC_HZ, num_channels=1))
        await asyncio.sleep(_STEP_S)
    ended_s = time.perf_counter()
    await send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
    await asyncio.wait_for(hearer.all.wait(), _PATIENCE_S)
    assert hearer.first_s is not None
    # What is said of the end of an answer belongs to it.
    await asyncio.sleep(0.05)
    return (hearer.first_s - ended_s) * 1000


@contextlib.asynccontextmanager
async def _running(
    side: str, voice: _Voice, hearer: _Hearer
) -> AsyncIterator[Callable[[Frame], Any]]:
    stt, llm = EmbeddedSTT(_Ear()), EmbeddedLLM(lambda _tools, _instructions: _Brain())
    tts = EmbeddedTTS(voice)
    first: _OurEnd | _StockEnd
    links: list[FrameProcessor]
    if side == "crossfade":
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        node = Cascade(stt=stt, llm=llm, tts=tts, conversation=ledger, rate_hz=_MIC_HZ)
        taps = [ConversationTap(ledger, each) for each in (TapSide.USER, TapSide.AGENT)]
        first = _OurEnd()
        links = [first, TurnTaking(TurnOwner.LOCAL), taps[0], node, taps[1], _OurEnd(hearer)]
    else:
        turns = UserTurnStrategies(
            start=[VADUserTurnStartStrategy()],
            stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0)],
        )
        pair = LLMContextAggregatorPair(
            LLMContext(), user_params=LLMUserAggregatorParams(user_turn_strategies=turns)
        )
        first = _StockEnd()
        links = [first, stt, pair.user(), llm, tts, _StockEnd(hearer), pair.assistant()]
    worker = PipelineWorker(
        Pipeline(links),
        params=PipelineParams(
            audio_in_sample_rate=_MIC_HZ,
            audio_out_sample_rate=_VOICE_HZ,
            enable_metrics=True,
            enable_usage_metrics=True,
        ),
    )
    started = asyncio.Event()

    async def on_started(_worker: PipelineWorker, _frame: StartFrame) -> None:
        started.set()

    worker.event_handler("on_pipeline_started")(on_started)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await started.wait()
        yield first.send
    finally:
        await worker.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _calls(count: int) -> list[Waterfall]:
    """The way of each answer in the recordings of calls, which are made in real time."""
    falls: list[Waterfall] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            runs = Path(folder) / str(number)
            settings = CascadedSettings(llm="embedded", runs=runs)
            await run_cascaded(settings, announce=lambda _: None, listener=lambda _: None)
            (log,) = runs.rglob("events.jsonl")
            falls += read_run(log.parent).waterfalls
    return falls


def hop_times(falls: Sequence[Waterfall]) -> list[HopTimes]:
    """What the answers waited for."""
    waits = {hop: [fall.by_hop_ms[hop] for fall in falls if hop in fall.by_hop_ms] for hop in Hop}
    return [
        HopTimes(
            name=hop.value,
            answers=len(each),
            p50_ms=round(statistics.median(each), 1),
            most_ms=round(max(each), 1),
        )
        for hop, each in waits.items()
        if each
    ]


def tables(result: CascadeResult) -> list[Table]:
    """The result for people."""
    beside = Table(title="A cascade beside a stock pipeline of the same services", min_width=60)
    for column in ("", "added, ms", "CPU of a turn, ms"):
        beside.add_column(column, justify="right" if column else "left")
    for side in result.sides:
        beside.add_row(side.side, f"{side.added_ms:.2f}", f"{side.cpu_ms:.1f}")
    beside.add_section()
    beside.add_row(
        "ours of theirs (goal 1, below 1)", f"{result.added_ratio:.2f}", f"{result.cpu_ratio:.2f}"
    )
    if not result.voice_to_voice_ms:
        return [beside]
    spoken = result.voice_to_voice_ms
    waits = Table(title=f"The embedded cascade in {result.calls} calls", min_width=60)
    for column in ("", "p50, ms", "most, ms"):
        waits.add_column(column, justify="right" if column else "left")
    waits.add_row(
        f"voice to voice (goal {GOAL_VOICE_TO_VOICE_MS:.0f})",
        f"{statistics.median(spoken):.0f}",
        f"{max(spoken):.0f}",
    )
    waits.add_section()
    for hop in result.hops:
        waits.add_row(
            f"{hop.name}, {hop.answers} answers", f"{hop.p50_ms:.1f}", f"{hop.most_ms:.1f}"
        )
    return [beside, waits]


def content(result: CascadeResult) -> dict[str, Any]:
    """The result for JSON."""
    return {
        "measurement": "time from the end of the user's turn to the first sound, and CPU of a "
        "turn, of Cascade and of a stock pipecat pipeline with the same services, which take no "
        "time; alternately, medians; voice to voice in recordings of the embedded cascade's demo",
        "goals": {
            "added_ratio": 1,
            "own_ms": GOAL_OWN_MS,
            "voice_to_voice_ms": GOAL_VOICE_TO_VOICE_MS,
        },
        "held": result.held,
        **asdict(result),
    }
