"""Hands frames of note to logs without a queue and a task for each."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from pipecat.frames.frames import Frame
from pipecat.observers.base_observer import (
    BaseObserver,
    FrameProcessed,
    FramePushed,
    ProcessorSetUp,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.frame_processor import FrameProcessor, FrameProcessorSetup

from .frame_log import FrameLog


class FrameWatch(BaseObserver):
    """Stands before a worker's observer, which gets all that it would get anyway.

    A worker queues whatever is pushed or processed for each of its observers, and wakes a task for
    it, also where that looks at one frame in ten. Here logs are told of frames of note alone, in
    order, as soon as the loop has time.

    Args:
        logs: Whom frames of note are told.
        rest: The worker's observer.
    """

    def __init__(self, logs: Sequence[FrameLog], rest: BaseObserver | None) -> None:
        super().__init__()
        self._logs = tuple(logs)
        self._rest = rest or BaseObserver()
        self._of_note: dict[type[Frame], bool] = {}
        # Held weakly: those that are under way.
        self._seen: WeakValueDictionary[int, Frame] = WeakValueDictionary()
        self._last_id = -1
        """Of the frame of note that was pushed last: most are pushed on at once."""
        self._untold: deque[Frame] = deque()

    async def on_push_frame(self, data: FramePushed) -> None:
        frame = data.frame
        kind = type(frame)
        of_note = self._of_note.get(kind)
        if of_note is None:
            of_note = self._of_note[kind] = any(log.notes(kind) for log in self._logs)
        if of_note and frame.id != self._last_id:
            self._last_id = frame.id
            self._note(frame)
        await self._rest.on_push_frame(data)

    async def on_process_frame(self, data: FrameProcessed) -> None:
        await self._rest.on_process_frame(data)

    async def on_processor_setup(self, data: ProcessorSetUp) -> None:
        await self._rest.on_processor_setup(data)

    def _note(self, frame: Frame) -> None:
        if frame.id in self._seen:
            return
        self._seen[frame.id] = frame
        if not self._untold:
            asyncio.get_running_loop().call_soon(self._tell)
        self._untold.append(frame)

    def _tell(self) -> None:
        try:
            while self._untold:
                for log in self._logs:
                    log.see(self._untold[0])
                self._untold.popleft()
        finally:
            # One that fails on a frame is told the next.
            if self._untold:
                self._untold.popleft()
                if self._untold:
                    asyncio.get_running_loop().call_soon(self._tell)


class WatchedPipeline(Pipeline):
    """A pipeline whose frames of note are told to logs.

    Args:
        processors: As of any pipeline.
        logs: Whom they are told.
    """

    def __init__(self, processors: Sequence[FrameProcessor], logs: Sequence[FrameLog]) -> None:
        super().__init__(processors)
        self._logs = tuple(logs)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        if self._logs:
            setup = replace(setup, observer=FrameWatch(self._logs, setup.observer))
        await super().setup(setup)


__all__ = ["FrameWatch", "WatchedPipeline"]
