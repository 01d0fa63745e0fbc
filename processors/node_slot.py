"""A speech node between two ends of ours, in the place that it shares with others."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from pipecat.processors.frame_processor import FrameCallback, FrameProcessorSetup

from crossfade.errors import CrossfadeError
from crossfade.frames.audio import AudioRawFrame
from crossfade.frames.control import CancelFrame, ErrorFrame, Frame, ResponseEndFrame, StartFrame

from .base import DOWNSTREAM, FrameDirection, Processor
from .speech_node import SpeechNode

MakeNode = Callable[[], AbstractAsyncContextManager[SpeechNode]]
"""Makes a node that is ready to be started: connected, its services at hand. What it holds is let
go at the end of the context."""

MOST_FAILED = 2
"""A node whose answers fail so often, one after the other, is of no use."""
_GIVEN_KEPT = 64


class Slot:
    """One node, from when it is made until it is let go.

    Args:
        name: What the node is called.
        make: Makes it.
        take: Given each frame that it pushes, and whether it is one of the call's that passes.
        hear: Given its speech.
    """

    def __init__(
        self,
        name: str,
        make: MakeNode,
        *,
        take: Callable[["Slot", Frame, FrameDirection, bool], Awaitable[None]],
        hear: Callable[["Slot", AudioRawFrame], None],
    ) -> None:
        self.name = name
        self.failure: ErrorFrame | None = None
        """Why it cannot be used any more."""
        self.awaited: frozenset[str] = frozenset()
        """Turns whose words it is to tell still, though it serves no more."""
        self.node_is_started = False
        self.since_s = 0.0
        """When it began to serve."""
        self.failed_answers = 0
        """How many of its answers failed, one after the other."""
        self._make = make
        self._take = take
        self._hear = hear
        self._node: SpeechNode | None = None
        self._life: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._over = asyncio.Event()
        self._set_up = False
        self._closing: asyncio.Task[None] | None = None
        # By id: whether a frame that was given goes on down or up the chain
        self._given: OrderedDict[int, bool] = OrderedDict()
        self._told = asyncio.Event()
        self._pushing = 0
        self._calm = asyncio.Event()
        self._calm.set()

    @property
    def node(self) -> SpeechNode:
        """The node, once it is made."""
        assert self._node is not None
        return self._node

    async def open(self) -> None:
        """Make the node. Cancelled, nothing of it is left.

        Raises:
            CrossfadeError: It cannot be had.
        """
        # A task of its own holds the context, which has to end in the task that began it.
        self._life = asyncio.create_task(self._live(), name=f"node {self.name}")
        up = asyncio.create_task(self._up.wait(), name=f"node {self.name} is up")
        try:
            await asyncio.wait([self._life, up], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self.close()
            raise
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
        if self._node is None:
            life, self._life = self._life, None
            await life

    async def _live(self) -> None:
        async with self._make() as node:
            self._node = node
            above, below = _End(self), _End(self)
            above.link(node)
            node.link(below)
            self._up.set()
            await self._over.wait()

    async def start(self, setup: FrameProcessorSetup, frame: StartFrame) -> None:
        """Set the node up and start it.

        Raises:
            CrossfadeError: It cannot be used.
        """
        self._set_up = True
        await self.node.setup(setup)
        await self.give(frame, DOWNSTREAM, passes=False)
        self.node_is_started = True
        self.check()

    def check(self) -> None:
        """Find out whether the node can still be used.

        Raises:
            CrossfadeError: It cannot.
        """
        if self.failure is not None:
            cause = self.failure.exception
            raise cause if isinstance(cause, CrossfadeError) else CrossfadeError(self.failure.error)

    async def give(self, frame: Frame, direction: FrameDirection, *, passes: bool) -> None:
        """Hand a frame in; whether it goes on along the chain behind the node."""
        self._given[frame.id] = passes
        if len(self._given) > _GIVEN_KEPT:
            self._given.popitem(last=False)
        await self.node.queue_frame(frame, direction)

    def gives_up(self, end: ResponseEndFrame) -> ErrorFrame | None:
        """An answer is over; why the node is of no use, if too many have failed."""
        if end.status == "completed":
            self.failed_answers = 0
        self.failed_answers += end.status == "failed"
        if self.failed_answers < MOST_FAILED:
            return None
        return ErrorFrame(f"it failed to answer twice in a row: {end.reason or 'no reason given'}")

    def tells_words(self, item_id: str) -> bool:
        """The words of a turn come; whether they are awaited."""
        awaited = item_id in self.awaited
        self.awaited -= {item_id}
        if not self.awaited:
            self._told.set()
        return awaited

    async def words(self, timeout_s: float) -> None:
        """Wait until the words have come that are awaited."""
        if self.awaited and self.failure is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), timeout_s)

    async def calm(self, timeout_s: float) -> None:
        """Wait until the node is not in the middle of pushing: what it pushes together, such as
        the end of a response and its calls, is told together."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._pushing:
                    await self._calm.wait()

    async def close(self) -> None:
        """End the node and let go of all that it holds. May be called more than once."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name=f"node {self.name} ends")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._node is not None and self._set_up:
            if self._node.open:
                await self.give(CancelFrame(), DOWNSTREAM, passes=False)
            await self._node.cleanup()
        self._over.set()
        life, self._life = self._life, None
        if life is not None:
            if self._node is None:
                life.cancel()
            await asyncio.wait([life])

    async def pushed(self, frame: Frame, direction: FrameDirection) -> None:
        """The node pushes a frame."""
        self._pushing += 1
        self._calm.clear()
        try:
            passes = self._given.pop(frame.id, None)
            if passes is not False:
                await self._take(self, frame, direction, passes is True)
        finally:
            self._pushing -= 1
            if not self._pushing:
                self._calm.set()

    def spoke(self, frame: AudioRawFrame) -> None:
        """The node pushes sound."""
        self._hear(self, frame)


class _End(Processor):
    """Stands where the node's neighbour would."""

    def __init__(self, slot: Slot) -> None:
        super().__init__(name=f"end of {slot.name}")
        self._slot = slot

    def receive_audio(self, frame: AudioRawFrame) -> None:
        self._slot.spoke(frame)

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        await self._slot.pushed(frame, direction)


__all__ = ["MakeNode", "Slot"]
