"""One of pipecat's services inside a processor of ours."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pipecat.pipeline.pipeline import Pipeline, PipelineSink, PipelineSource
from pipecat.processors.frame_processor import FrameProcessor, FrameProcessorSetup

from crossfade.frames.control import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    StartFrame,
)

from .base import DOWNSTREAM, FrameDirection
from .cascade_trouble import told
from .outbox import Outbox

ENDING_S = 2.0
"""How long a service may take to end in good order."""

Take = Callable[[Frame], Awaitable[None]]
CreateTask = Callable[..., "asyncio.Task[object]"]


class Stage:
    """A service with two ends of ours around it: what it pushes is handed to us, and goes nowhere
    by itself.

    Frames are put in by plain calls and delivered by a task, in order. Of the user's audio that a
    slow service leaves waiting, the oldest gives way beyond 250 frames, and is counted. Observers
    of the chain do not see what happens inside.

    Args:
        service: Any service of pipecat's.
        take: Given what it pushes downstream.
        take_upstream: Given what it pushes upstream; of errors, what `told` makes of them.
    """

    def __init__(self, service: FrameProcessor, take: Take, take_upstream: Take) -> None:
        self.service = service
        self._take = take
        self._take_upstream = take_upstream
        self._pipeline = Pipeline(
            [service],
            source=PipelineSource(self._upstream, name=f"{service.name}::before"),
            sink=PipelineSink(self._downstream, name=f"{service.name}::behind"),
        )
        self._outbox = Outbox(self._pipeline.queue_frame)  # type: ignore[arg-type]
        self._interruptions = 0
        self._started = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def stale(self) -> bool:
        """Whether what comes out now is from before the last interruption."""
        return self._interruptions > 0

    @property
    def dropped_audio(self) -> int:
        """Frames of the user's audio that the service was too slow for."""
        return self._outbox.dropped_audio

    def put(self, frame: Frame) -> None:
        """Give the service a frame."""
        self._outbox.put(frame, DOWNSTREAM)

    def interrupt(self) -> None:
        """Have the service drop what it is at."""
        self._interruptions += 1
        self._outbox.put(InterruptionFrame(), DOWNSTREAM)

    async def setup(self, setup: FrameProcessorSetup, create_task: CreateTask) -> None:
        """Set the service up, which is when it connects."""
        await self._pipeline.setup(
            replace(setup, observer=None, enable_metrics=True, enable_usage_metrics=True)
        )
        name = f"{self.service.name}::outbox"
        self._outbox.start(lambda: create_task(self._outbox.run(), name))

    async def start(self, frame: StartFrame) -> None:
        """Start the service, and wait until it has; one that could not be set up never may."""
        await self._pipeline.queue_frame(frame)
        if self.service.is_usable:
            await self._started.wait()

    async def end(self, frame: EndFrame) -> None:
        """End the service, in good order if it can."""
        self.put(frame)
        try:
            await asyncio.wait_for(self._ended.wait(), ENDING_S)
        except TimeoutError:
            await self.cancel(CancelFrame())

    async def cancel(self, frame: CancelFrame) -> None:
        """End the service at once."""
        await self._pipeline.queue_frame(frame)

    async def cleanup(self) -> asyncio.Task[object] | None:
        """Let go of all that the service holds; gives a task to be cancelled."""
        task = self._outbox.stop()
        await self._pipeline.cleanup()
        return task

    async def _upstream(self, frame: Frame, _direction: FrameDirection) -> None:
        if isinstance(frame, ErrorFrame):
            frame = told(self.service, frame)
        await self._take_upstream(frame)

    async def _downstream(self, frame: Frame, _direction: FrameDirection) -> None:
        match frame:
            case StartFrame():
                self._started.set()
            case EndFrame() | CancelFrame():
                self._ended.set()
            case InterruptionFrame():
                self._interruptions = max(0, self._interruptions - 1)
            case _:
                await self._take(frame)


__all__ = ["Stage"]
