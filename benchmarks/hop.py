"""CPU of an audio frame's way from one processor to the next, ours beside stock pipecat's."""

import asyncio
import contextlib
import gc
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipecat.frames.frames import Frame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from rich.table import Table

from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame, OutputAudioRawFrame
from crossfade.processors.base import Processor

GOAL_RATIO = 20.0
LENGTHS = (1, 4, 8, 16)
_RATE_HZ = 16000
_PCM = bytes(640)
_FRAMES: Mapping[str, type[InputAudioRawFrame | OutputAudioRawFrame]] = {
    "up": InputAudioRawFrame,
    "down": OutputAudioRawFrame,
}
_LAST_TURNS = 5
_HOPS_AGAIN = 10
"""Ours are so quick that more frames are needed to see them."""

Link = Callable[[], FrameProcessor]


class OurLink(Processor):
    """Takes audio and hands it on. One that only let it past would not be called at all."""

    def handle_audio(self, frame: AudioRawFrame) -> None:
        self.push_audio(frame)


class StockLink(FrameProcessor):
    """The same, as pipecat's documentation shows it."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Medians, in µs of CPU a hop; up is the microphone's audio, down the agent's speech."""

    side: str
    up_us: float
    down_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HopResult:
    hops: Sequence[Hop]
    up_ratio: float
    down_ratio: float
    """How many of ours one of stock's costs."""
    frames: int
    rounds: int


class _OurSource(Processor):
    """Sends what it is given as a transport of ours does."""

    async def send(self, frame: AudioRawFrame) -> None:
        self.push_audio(frame)


class _OurSink(Processor):
    def __init__(self, arrived: asyncio.Event) -> None:
        super().__init__()
        self._arrived = arrived

    def handle_audio(self, frame: AudioRawFrame) -> None:
        self._arrived.set()


class _StockSource(FrameProcessor):
    """Sends what it is given as pipecat's transports do."""

    async def send(self, frame: AudioRawFrame) -> None:
        assert isinstance(frame, Frame)
        await self.push_frame(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class _StockSink(FrameProcessor):
    def __init__(self, arrived: asyncio.Event) -> None:
        super().__init__()
        self._arrived = arrived

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, AudioRawFrame):
            self._arrived.set()
        else:
            await self.push_frame(frame, direction)


def measure(
    rounds: int = 5, frames: int = 300, *, ours: Link = OurLink, stock: Link = StockLink
) -> HopResult:
    """Measure both in turn, each in a worker as it comes, with its default observers.

    Args:
        rounds: How often each is measured.
        frames: How many frames go through each chain; ours sees ten times as many.
        ours: Makes one of our processors.
        stock: Makes one of pipecat's.
    """
    return asyncio.run(_measure(rounds, frames, ours, stock))


async def _measure(rounds: int, frames: int, ours: Link, stock: Link) -> HopResult:
    us: dict[tuple[str, str], list[float]] = {}
    # The first round warms up.
    for number in range(rounds + 1):
        for kind in _FRAMES:
            for side, link in (("crossfade", ours), ("pipecat", stock)):
                count = frames * (_HOPS_AGAIN if side == "crossfade" else 1)
                costs = [await _cost_us(side, link, length, kind, count) for length in LENGTHS]
                if number:
                    us.setdefault((side, kind), []).append(_slope(LENGTHS, costs))
    hops = [
        Hop(
            side=side,
            up_us=round(statistics.median(us[side, "up"]), 3),
            down_us=round(statistics.median(us[side, "down"]), 3),
        )
        for side in ("crossfade", "pipecat")
    ]
    ratios = [
        statistics.median(
            theirs / mine
            for theirs, mine in zip(us["pipecat", kind], us["crossfade", kind], strict=True)
        )
        for kind in _FRAMES
    ]
    return HopResult(
        hops=hops,
        up_ratio=round(ratios[0], 1),
        down_ratio=round(ratios[1], 1),
        frames=frames,
        rounds=rounds,
    )


def _slope(lengths: Sequence[int], costs: Sequence[float]) -> float:
    """What one more processor costs, by least squares."""
    return statistics.linear_regression(lengths, costs).slope


async def _cost_us(side: str, link: Link, length: int, kind: str, count: int) -> float:
    """CPU of a frame's way through a chain, one frame at a time, as in a live call."""
    arrived = asyncio.Event()
    async with _running(side, [link() for _ in range(length)], arrived) as source:
        gc.collect()
        before_s = time.process_time()
        for _ in range(count):
            arrived.clear()
            await source.send(_FRAMES[kind](audio=_PCM, sample_rate=_RATE_HZ, num_channels=1))
            await arrived.wait()
        # What observers have not yet heard of belongs to it, too.
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)
        return (time.process_time() - before_s) / count * 1e6


@contextlib.asynccontextmanager
async def _running(
    side: str, links: Sequence[FrameProcessor], arrived: asyncio.Event
) -> AsyncIterator[_OurSource | _StockSource]:
    source: _OurSource | _StockSource
    sink: FrameProcessor
    if side == "crossfade":
        source, sink = _OurSource(), _OurSink(arrived)
    else:
        source, sink = _StockSource(), _StockSink(arrived)
    worker = PipelineWorker(
        Pipeline([source, *links, sink]),
        params=PipelineParams(audio_in_sample_rate=_RATE_HZ, audio_out_sample_rate=_RATE_HZ),
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
        yield source
    finally:
        await worker.cancel()
        await asyncio.gather(running, return_exceptions=True)


def table(result: HopResult) -> Table:
    """The result for people."""
    shown = Table(title="CPU of an audio frame from one processor to the next", min_width=60)
    shown.add_column("")
    shown.add_column("up, µs", justify="right")
    shown.add_column("down, µs", justify="right")
    for hop in result.hops:
        shown.add_row(hop.side, f"{hop.up_us:.2f}", f"{hop.down_us:.2f}")
    shown.add_section()
    shown.add_row(
        f"times cheaper (goal {GOAL_RATIO:g})", f"{result.up_ratio:.0f}", f"{result.down_ratio:.0f}"
    )
    return shown


def content(result: HopResult) -> dict[str, Any]:
    """The result for JSON."""
    return {
        "measurement": "CPU in µs of an audio frame's way from one processor to the next, by the "
        f"slope over chains of {', '.join(map(str, LENGTHS))}; stock pipecat with its default "
        "observers; medians",
        "goal_ratio": GOAL_RATIO,
        **asdict(result),
        "ratios": {"hop_up": result.up_ratio, "hop_down": result.down_ratio},
    }
