"""A running chain for tests: the processors under test between two probes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame, SpeechFrame, SpeechOrigin
from crossfade.frames.control import ErrorFrame, Frame
from crossfade.processors.base import DOWNSTREAM, UPSTREAM, Processor

F = TypeVar("F", bound=Frame)


class Probe(Processor):
    """Passes everything on and keeps what passed."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.audio: list[AudioRawFrame] = []
        self.seen: list[tuple[Frame, FrameDirection]] = []

    def handle_audio(self, frame: AudioRawFrame) -> None:
        self.audio.append(frame)
        self.push_audio(frame)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        self.seen.append((frame, direction))

    def frames(self, kind: type[F], direction: FrameDirection | None = None) -> list[F]:
        return [
            frame
            for frame, way in self.seen
            if isinstance(frame, kind) and direction in (None, way)
        ]


@dataclass
class Chain:
    """What a test holds of a running chain."""

    first: Probe
    last: Probe
    worker: PipelineWorker
    errors: list[ErrorFrame] = field(default_factory=list)

    def hear(self, pcm: bytes, rate_hz: int = 16000, channels: int = 1) -> None:
        """Audio of the user, as a transport would push it."""
        self.first.receive_audio(
            InputAudioRawFrame(audio=pcm, sample_rate=rate_hz, num_channels=channels)
        )

    def speak(self, pcm: bytes, item_id: str = "item", rate_hz: int = 24000) -> None:
        """Speech of the agent, as a node would push it."""
        self.first.receive_audio(speech(pcm, item_id, rate_hz))

    async def down(self, frame: Frame) -> None:
        await self.first.push_frame(frame)

    async def up(self, frame: Frame) -> None:
        await self.last.push_frame(frame, UPSTREAM)

    async def end(self) -> None:
        await self.worker.stop_when_done()


def speech(pcm: bytes, item_id: str = "item", rate_hz: int = 24000) -> SpeechFrame:
    origin = SpeechOrigin(item_id=item_id, response_id=f"of {item_id}")
    return SpeechFrame(audio=pcm, sample_rate=rate_hz, num_channels=1, origin=origin)


@contextlib.asynccontextmanager
async def running(*processors: FrameProcessor) -> AsyncIterator[Chain]:
    """Run a chain until the block ends, then end it as a call ends."""
    first, last = Probe("first"), Probe("last")
    worker = PipelineWorker(
        Pipeline([first, *processors, last]),
        params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=24000),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    chain = Chain(first, last, worker)
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
    async def on_started(_worker: PipelineWorker, _frame: Frame) -> None:
        started.set()

    @worker.event_handler("on_pipeline_error")  # type: ignore[untyped-decorator]
    async def on_error(_worker: PipelineWorker, frame: ErrorFrame) -> None:
        chain.errors.append(frame)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running_task = asyncio.create_task(runner.run())
    try:
        await started.wait()
        yield chain
        await chain.end()
        await running_task
    finally:
        running_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running_task


async def settled(turns: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)


__all__ = ["DOWNSTREAM", "UPSTREAM", "Chain", "Probe", "running", "settled", "speech"]
