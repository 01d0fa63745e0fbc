"""Keeps a call served by one of its nodes: brings the next one up and picks its moment."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessorSetup

from crossfade.errors import ConnectionLost, CrossfadeError, SettingsError
from crossfade.frames.continuity import NodeSwitchedFrame
from crossfade.frames.control import ErrorFrame, StartFrame

from .node_slot import MakeNode, Slot
from .node_switch_queue import GivesWay, SwapQueue
from .node_switch_route import NodeRoute
from .node_switch_settings import Order, SwitchSettings, When
from .node_switch_states import Happening, SwapState, advance

if TYPE_CHECKING:
    from .node_switch import NodeSwitch

_LOOK_AGAIN_S = 1.0


class SwapKeeper:
    """Decides which node serves, and when; `NodeSwitch` does what is decided.

    Args:
        switch: Where the nodes stand.
        nodes: Makes each node, by name.
        route: Who serves when a node fails.
        settings: The times.
        spare: A node that is kept up while another one serves.
    """

    def __init__(
        self,
        switch: "NodeSwitch",
        nodes: Mapping[str, MakeNode],
        route: NodeRoute,
        settings: SwitchSettings,
        spare: str | None = None,
    ) -> None:
        self._switch = switch
        self._nodes = nodes
        self._route = route
        self._settings = settings
        self._state = SwapState.SERVING
        self._queue = SwapQueue()
        self._goes_back = False
        self._returning: asyncio.Task[None] | None = None
        self._spare = spare
        self._spare_slot: Slot | None = None
        self._spare_comes: asyncio.Task[None] | None = None
        self._slots: set[Slot] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._setup: FrameProcessorSetup | None = None
        self._start: StartFrame | None = None

    # What it is told

    def nudge(self) -> None:
        """Have it look again."""
        self._queue.news.set()

    def set_up(self, setup: FrameProcessorSetup) -> None:
        """What nodes are set up with."""
        self._setup = setup

    def over(self) -> None:
        """The call ends."""
        self._happens(Happening.ENDED)

    @property
    def has_others(self) -> bool:
        """Whether another node could serve in the place of the one that does."""
        serving = self._switch.serving
        return self._state is SwapState.SERVING and bool(self._route.candidates(serving, _now_s()))

    def failed(self, slot: Slot, frame: ErrorFrame, *, serves: bool) -> bool:
        """A node cannot be used any more; whether another one is brought in."""
        slot.failure = slot.failure or frame
        self.nudge()
        if slot is self._spare_slot:
            self._spare_slot = None
            self.begin(self._replace_spare(slot, frame.error))
        if not serves or self._state is SwapState.OVER:
            return True
        now_s = _now_s()
        served_s = 0.0 if slot.failed_answers else now_s - slot.since_s
        self._route.failed(slot.name, now_s, served_s=served_s)
        if self._state is SwapState.SERVING and not self._route.candidates(slot.name, now_s):
            return False
        self._happens(Happening.LOST)
        self._goes_back = True
        self.begin(self._fail_over(slot))
        return True

    # What it does

    async def first(self, name: str) -> Slot:
        """Make the node that serves first; if it cannot be had, the next of the route.

        Raises:
            CrossfadeError: None can be had.
        """
        names = list(dict.fromkeys([name, *self._route.candidates(name, _now_s())]))
        for each in names:
            slot = self._slot(each)
            try:
                await slot.open()
            except CrossfadeError as error:
                self._slots.discard(slot)
                self._route.failed(each, _now_s())
                if each == names[-1]:
                    raise
                logger.warning(f"the node {each} cannot be had, the next one is tried: {error}")
                self._goes_back = True
            else:
                return slot
        raise SettingsError("there is no node to serve")

    async def start(self, slot: Slot, frame: StartFrame) -> None:
        """Start the node that serves first.

        Raises:
            CrossfadeError: It cannot be used.
        """
        assert self._setup is not None
        self._start = frame
        slot.since_s = _now_s()
        await slot.start(self._setup, frame)
        if self._goes_back:
            self._go_back()
        self._want_spare()

    def order(self, order: Order) -> "asyncio.Task[NodeSwitchedFrame | None]":
        """Carry out what is asked for."""
        self._goes_back = False
        return self.begin(self._swap(order))

    async def stop(self, but: Slot | None = None) -> None:
        """End what is under way, and all nodes but one, which ends with the frame that it gets."""
        here = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not here]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(slot.close() for slot in self._slots if slot is not but))
        self._slots = {slot for slot in self._slots if slot is but}

    def begin(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Have something done beside; it ends with the call."""
        task = asyncio.create_task(work, name=f"{self._switch.name}::swap")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def _swap(self, order: Order) -> NodeSwitchedFrame | None:
        async with self._queue.turn(order, hurries=order.when is When.NOW):
            if self._state is SwapState.OVER:
                raise CrossfadeError(f"The call is over; {order.node} cannot serve it any more.")
            if self._switch.serving == order.node and self._state is SwapState.SERVING:
                return None
            slot = await self._next(order.node)
            try:
                await self._bring_up(slot)
                order = await self._moment(slot, order)
            except GivesWay as error:
                self._happens(Happening.REFUSED)
                logger.info(f"{slot.name} does not take over: {error}")
                self._put_back(slot)
                raise
            except BaseException as error:
                self._happens(Happening.REFUSED)
                self._route.failed(slot.name, _now_s())
                await self._let_go(slot)
                if isinstance(error, Exception):
                    await self._switch.tell_failed(slot, _told(error), served=False)
                raise
            return await self._take_over(slot, order)

    async def _bring_up(self, slot: Slot) -> None:
        """Make and start a node.

        Raises:
            CrossfadeError: It does not come up.
        """
        self._happens(Happening.WANTED)
        if slot.node_is_started:
            slot.check()
        else:
            await self._start_beside(slot, self._queue.coming_up(self._settings.come_up_s))
        self._happens(Happening.CAME_UP)

    async def _start_beside(
        self, slot: Slot, limit: contextlib.AbstractAsyncContextManager[object]
    ) -> None:
        if self._setup is None or self._start is None:
            raise SettingsError("The call has not begun. Name the node as the first one instead.")
        try:
            async with limit:
                await slot.open()
                await slot.start(self._setup, self._start)
        except TimeoutError as error:
            limit_s = self._settings.come_up_s
            raise ConnectionLost(f"The node {slot.name} was not up in {limit_s:g} s.") from error

    def _want_spare(self) -> None:
        """Have the spare node up, unless it serves."""
        here = self._spare in (None, self._switch.serving) or self._spare_slot is not None
        if not here and (self._spare_comes is None or self._spare_comes.done()):
            self._spare_comes = self.begin(self._keep_spare())

    async def _replace_spare(self, lost: Slot, message: str) -> None:
        await self._switch.tell_failed(lost, message, served=False)
        await self._let_go(lost)
        await asyncio.sleep(self._settings.return_after_s)
        self._want_spare()

    async def _keep_spare(self) -> None:
        slot = self._slot(str(self._spare))
        try:
            await self._start_beside(slot, asyncio.timeout(self._settings.come_up_s))
        except Exception as error:
            await self._let_go(slot)
            await self._switch.tell_failed(slot, _told(error), served=False)
        else:
            self._spare_slot = slot

    async def _next(self, name: str) -> Slot:
        """The spare node, if it is this one and well, or will soon be up; else a new one."""
        if name == self._spare and self._spare_comes is not None:
            await asyncio.wait([self._spare_comes])
        slot = self._spare_slot
        if slot is None or slot.name != name or slot.failure is not None:
            return self._slot(name)
        self._spare_slot = None
        return slot

    def _put_back(self, slot: Slot) -> None:
        """Keep a node that gave way as the spare one, if it is; else let go of it."""
        up = slot.node_is_started and slot.failure is None
        if up and slot.name == self._spare and self._spare_slot is None:
            self._spare_slot = slot
        else:
            self.begin(self._let_go(slot))

    async def _moment(self, slot: Slot, order: Order) -> Order:
        """Wait until a node that is up may take over; gives the order by which it does.

        Raises:
            CrossfadeError: It cannot be used any more, or gives way.
        """
        limit_s = None if order.deadline_s is None else _now_s() + order.deadline_s
        while self._state is SwapState.READY and order.when is When.QUIET:
            slot.check()
            self._queue.check_way()
            if (order := self._queue.hurried(order)).when is When.NOW:
                break
            times = [at_s for at_s in (self._switch.quiet_at_s(), limit_s) if at_s is not None]
            if times and min(times) <= _now_s():
                break
            await self._pause(min(times, default=None))
        slot.check()
        return order

    async def _pause(self, until_s: float | None) -> None:
        """Wait until something happens, or until then."""
        loop, news = asyncio.get_running_loop(), self._queue.news
        timer = None if until_s is None else loop.call_at(until_s, news.set)
        try:
            await news.wait()
        finally:
            news.clear()
            if timer is not None:
                timer.cancel()

    async def _take_over(self, slot: Slot, order: Order) -> NodeSwitchedFrame:
        """Have a node that is up serve.

        Raises:
            CrossfadeError: It was lost at once.
        """
        self._happens(Happening.MOMENT)
        before = await self._switch.hand_over(slot, order)
        if before is not None:
            self.begin(self._retire(before))
        moved = await self._switch.catch_up(slot)
        slot.check()
        self._happens(Happening.SERVES)
        self._want_spare()
        return await self._switch.tell_switched(slot, order.why, moved)

    async def _fail_over(self, lost: Slot) -> None:
        """Have the next of the route serve; if there is none, the call ends with its node."""
        assert lost.failure is not None
        await self._switch.tell_ends()
        await self._switch.tell_failed(lost, lost.failure.error, served=True)
        self.begin(self._retire(lost))
        # A spare node does not wait for another one that is coming up.
        spare = self._spare_slot
        order = Order(
            node=lost.name if spare is None else spare.name,
            when=When.NOW,
            why=f"{lost.name} failed",
        )
        async with self._queue.turn(order, rescues=spare is not None):
            if self._state is not SwapState.DOWN:
                return
            for name in self._route.candidates(lost.name, _now_s()):
                if await self._stands_in(replace(order, node=name)):
                    self._go_back()
                    return
            self._happens(Happening.ENDED)
        await self._switch.give_up(lost.failure)

    async def _stands_in(self, order: Order) -> bool:
        slot = await self._next(order.node)
        try:
            await self._bring_up(slot)
            await self._take_over(slot, order)
        except Exception as error:
            # Whatever it is: the next one may do better.
            self._route.failed(order.node, _now_s())
            await self._switch.tell_failed(slot, _told(error), served=False)
            await self._let_go(slot)
            return False
        return True

    def _go_back(self) -> None:
        if self._returning is None or self._returning.done():
            self._returning = self.begin(self._return())

    async def _return(self) -> None:
        """Have the preferred node serve again, at a quiet moment, when it is well."""
        while (better := self._route.preferred(self._switch.serving, _now_s())) is not None:
            name, at_s = better
            await asyncio.sleep(max(_LOOK_AGAIN_S, at_s - _now_s()))
            if not self._goes_back:
                return
            if self._state is SwapState.SERVING:
                order = Order(node=name, when=When.QUIET, why=f"{name} is well again")
                with contextlib.suppress(Exception):  # It was told, and is tried again later.
                    await self._swap(order)

    async def _retire(self, slot: Slot) -> None:
        """Let go of a node that served, once it has told what only it knows."""
        await slot.words(self._settings.linger_s)
        await self._switch.settle_words(slot)
        await self._let_go(slot)

    def _slot(self, name: str) -> Slot:
        switch = self._switch
        slot = Slot(name, self._nodes[name], take=switch.take, hear=switch.hear)
        self._slots.add(slot)
        return slot

    async def _let_go(self, slot: Slot) -> None:
        await slot.close()
        self._slots.discard(slot)

    def _happens(self, happening: Happening) -> None:
        self._state = advance(self._state, happening)
        self.nudge()

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, CrossfadeError):
            logger.error(f"{task.get_name()} failed: {error!r}")


def _told(error: Exception) -> str:
    """What went wrong; of what is no error of ours, what it is, too."""
    return str(error) if isinstance(error, CrossfadeError) else repr(error)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


__all__ = ["SwapKeeper"]
