"""Several workers at one port: the process that starts them, and hands connections to them.

It holds no call. It accepts every connection and gives it to the worker with the fewest calls; a
worker whose client wants a call of another worker's gives it back, to be passed on. So a
connection is lost with no worker, and a call is found wherever it is.
"""

import asyncio
import contextlib
import functools
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from crossfade.errors import CrossfadeError

from .serve_caps import Day, day_of, spent_before
from .serve_settings import ServeSettings
from .serve_workers_channel import Channel, Message, channel_pair
from .serve_workers_door import Door
from .serve_workers_table import Worker, Workers

TICK_S = 0.5
"""As often workers tell how they fare, and are told of the others."""
SILENT_S = 3.0
HUNG_S = 30.0
"""A worker that says nothing for so long is killed."""
LEAVE_S = 10.0
"""What a worker may take to end, beside the time for handing its calls over."""
_LAST_WORDS_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_WORKER = """
from crossfade.pipelines.command_line import prepare
prepare()
from crossfade.pipelines.serve_log import log_to_stderr
log_to_stderr()
from crossfade.pipelines.serve_workers_child import main
main()
"""


class Process(Protocol):
    """A worker's."""

    pid: int

    async def wait(self) -> object:
        """Wait for its end."""

    def kill(self) -> None:
        """End it at once."""


Spawn = Callable[[socket.socket], Awaitable[Process]]


async def spawn_worker(end: socket.socket) -> Process:
    """Start a worker that has one end of a channel."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WORKER, str(end.fileno())),
        pass_fds=[end.fileno()],
        stdin=asyncio.subprocess.DEVNULL,
        # Ctrl-C is for this process alone, which tells them.
        start_new_session=True,
    )


class Supervisor:
    """Starts workers, replaces those that end, and gives them connections.

    Args:
        settings: The server's.
        listener: Accepts its connections.
        secret: What the workers share besides, for tickets.
        announce: Told in one line each what a worker announces first.
        spawn: Starts a worker.
    """

    def __init__(
        self,
        settings: ServeSettings,
        listener: socket.socket,
        *,
        secret: str,
        announce: Callable[[str], None] = lambda line: None,
        spawn: Spawn = spawn_worker,
    ) -> None:
        self._settings = settings
        self._door = Door(listener, self._give, announce)
        self._secret = secret
        self._announce = announce
        self._spawn = spawn
        self._workers = Workers(silent_s=SILENT_S)
        self._channels: dict[int, Channel] = {}
        self._processes: dict[int, Process] = {}
        self._ready: dict[int, asyncio.Future[None]] = {}
        self._clients: dict[str, str] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        self._next = 1
        self._announced = False
        self._replaced: set[int] = set()
        """Those in whose place another is there already."""
        self._spares: set[int] = set()
        """Those that are to replace others, and are in nobody's place yet."""
        self._pause_s = _FIRST_PAUSE_S
        self._stopping = False
        self._before = Day()
        """What calls came to that no worker of now has had."""

    @property
    def processes(self) -> dict[int, int]:
        """The process of each worker."""
        return {number: process.pid for number, process in self._processes.items()}

    async def start(self) -> None:
        """Start all workers, and accept connections when they are ready.

        Raises:
            CrossfadeError: One cannot begin.
        """
        self._before = spent_before(self._settings.runs, day_of(time.time()))
        numbers = [await self._begin() for _ in range(self._settings.workers)]
        try:
            await asyncio.gather(*(asyncio.shield(self._ready[number]) for number in numbers))
        except CrossfadeError:
            await self.kill()
            raise
        self._door.open()
        self._keep(self._tick(), "workers")

    async def drain(self) -> None:
        """End all workers; they hand their calls over. New connections are told so."""
        self._stopping = True
        # Nobody begins any more, to be given calls and then to be killed with them.
        for task in self._tasks:
            if task.get_name() == "replacement":
                task.cancel()
        for number in tuple(self._channels):
            self.tell(number, "drain")
        waits = [process.wait() for process in self._processes.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s + LEAVE_S):
                await asyncio.gather(*waits)

    async def restart(self) -> None:
        """Replace the workers one after the other; calls go on with those that are there.

        Raises:
            CrossfadeError: A new one cannot begin; the old ones stay.
        """
        for number in tuple(self._processes):
            if number not in self._processes:
                # It has died since, and another is in its place.
                continue
            spare = await self._begin(spare=True)
            await asyncio.shield(self._ready[spare])
            self._spares.discard(spare)
            self._replaced.add(number)
            process = self._processes.get(number)
            if process is None:
                continue
            self.tell(number, "drain")
            try:
                async with asyncio.timeout(self._settings.drain_s + LEAVE_S):
                    await process.wait()
            except TimeoutError:
                process.kill()

    def tell(self, number: int, kind: str) -> None:
        """Tell a worker something, such as to drain."""
        self._channels[number].send(kind)

    async def kill(self) -> None:
        """End all at once, as a crash would."""
        self._stopping = True
        self._door.close()
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        while self._tasks:
            # Who waits for a process ends with it; all others are told to.
            for task in self._tasks:
                if task.get_name() != "worker":
                    task.cancel()
            await asyncio.wait(self._tasks)

    # Workers

    async def _replace(self, after_s: float = 0.0) -> None:
        """Have another one in the place of one that is gone, however often that is tried."""
        await asyncio.sleep(after_s)
        while True:
            try:
                await self._begin()
                return
            except CrossfadeError as error:
                self._announce(f"{error}; it is tried again")
                await asyncio.sleep(self._longer_pause_s())

    def _longer_pause_s(self) -> float:
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return pause_s

    async def _begin(self, *, spare: bool = False) -> int:
        number, self._next = self._next, self._next + 1
        try:
            ours, process = await self._spawned()
        except OSError as error:
            raise CrossfadeError(f"a worker cannot be started ({error.strerror})") from error
        if spare:
            self._spares.add(number)
        self._processes[number] = process
        self._workers.add(number, time.monotonic())
        self._ready[number] = asyncio.get_running_loop().create_future()
        channel = Channel(
            ours,
            lambda message, connections: self._receive(number, message, connections),
            lambda: None,
        )
        self._channels[number] = channel
        settings = self._settings.model_dump(mode="json")
        channel.send("settings", settings=settings, secret=self._secret, number=number)
        for call_id in self._workers.calls():
            channel.send("begun", call=call_id, client=self._clients.get(call_id, ""))
        self._keep(self._wait(number, process), "worker")
        return number

    async def _spawned(self) -> tuple[socket.socket, Process]:
        ours, theirs = channel_pair()
        try:
            with theirs:
                return ours, await self._spawn(theirs)
        except BaseException:
            ours.close()
            raise

    async def _wait(self, number: int, process: Process) -> None:
        """Wait for a worker's end, and have another in its place."""
        await process.wait()
        # What it said last may still be on its way.
        await asyncio.wait([self._ready[number]], timeout=_LAST_WORDS_S)
        self._failed(number, "a worker ended before it was ready")
        served = self._ready.pop(number).exception() is None
        self._gone(number)
        done_for = number in self._replaced or (number in self._spares and not served)
        self._replaced.discard(number)
        self._spares.discard(number)
        if self._stopping or done_for:
            return
        if served:
            self._pause_s = _FIRST_PAUSE_S
        self._keep(self._replace(0.0 if served else self._longer_pause_s()), "replacement")

    def _failed(self, number: int, told: str) -> None:
        if not self._ready[number].done():
            self._ready[number].set_exception(CrossfadeError(told))
            # Nobody waits for those that come in the place of others.
            self._ready[number].exception()

    def _gone(self, number: int) -> None:
        self._channels.pop(number).close()
        self._processes.pop(number)
        calls = self._workers.calls(number)
        for worker in self._workers:
            if worker.number == number:
                self._before = _sum(self._before, worker.spent)
        self._workers.remove(number)
        for call_id in calls:
            self._clients.pop(call_id, None)
        self._send_others(number, "ended", calls=calls)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            for worker in self._workers:
                others = [each for each in self._workers if each.number != worker.number]
                room = any(each.ready and not (each.busy or each.draining) for each in others)
                day = functools.reduce(_sum, (each.spent for each in others), self._before)
                if (channel := self._channels.get(worker.number)) is not None:
                    channel.send("others", room=room, day=asdict(day))
                hung = worker.ready and now_s - worker.told_s > HUNG_S
                # It may have been stopped; then its calls are others' by now.
                if hung and (process := self._processes.get(worker.number)) is not None:
                    process.kill()

    # What they say

    def _receive(self, number: int, message: Message, connections: list[socket.socket]) -> None:
        worker = next(each for each in self._workers if each.number == number)
        worker.told_s = time.monotonic()
        match message:
            case {"kind": "ready", "lines": lines}:
                self._serves(worker, lines)
            case {"kind": "failed", "message": told}:
                self._failed(number, told)
            case {"kind": "state"}:
                self._fares(worker, message)
            case {"kind": "begun" | "ended", "call": call_id}:
                self._moved(number, call_id, message)
            case {"kind": "pass", "came": came, "call": call_id} if connections:
                self._pass_on(number, connections.pop(), came, call_id)
            case {"kind": "tell", "what": what, "fields": fields}:
                self._send_others(number, "told", what=what, fields=fields)
            case {"kind": "ask", "asked": asked, "what": what}:
                others = self._send_others(number, "question", what=what, to=number, asked=asked)
                self._channels[number].send("asked", asked=asked, count=others)
            case {"kind": "answer", "to": to, "asked": asked, "content": content}:
                if (channel := self._channels.get(to)) is not None:
                    channel.send("answered", asked=asked, content=content)
        for each in connections:
            each.close()

    def _serves(self, worker: Worker, lines: Sequence[str]) -> None:
        worker.ready = True
        self._ready[worker.number].set_result(None)
        if not self._announced:
            self._announced = True
            for line in lines:
                self._announce(line)

    def _fares(self, worker: Worker, message: Message) -> None:
        worker.busy, worker.draining = message["busy"], message["draining"]
        worker.spent = message["day"]
        # It was told to end by somebody else.
        if worker.draining and worker.number not in self._replaced and not self._stopping:
            self._replaced.add(worker.number)
            self._keep(self._replace(), "replacement")

    def _moved(self, number: int, call_id: str, message: Message) -> None:
        if message["kind"] == "begun":
            client = self._clients[call_id] = message["client"]
            self._workers.begun(call_id, number)
            self._send_others(number, "begun", call=call_id, client=client)
        elif self._workers.ended(call_id, number):
            self._clients.pop(call_id, None)
            self._send_others(number, "ended", calls=[call_id])

    def _send_others(self, number: int, kind: str, **fields: Any) -> int:
        """Send all workers but one a message; gives how many those are."""
        others = [each for each in self._workers if each.ready and each.number != number]
        for each in others:
            self._channels[each.number].send(kind, **fields)
        return len(others)

    # Connections

    def _give(self, connection: socket.socket) -> None:
        number = self._workers.choose(time.monotonic())
        if number is None:
            connection.close()
        else:
            self._channels[number].send("connection", connection=connection)

    def _pass_on(
        self, number: int, connection: socket.socket, came: str, call_id: str | None
    ) -> None:
        now_s = time.monotonic()
        to = None if call_id is None else self._workers.holder(call_id, now_s)
        if to is None:
            but = number if call_id is None else None
            to = self._workers.choose(now_s, but=but) or number
        self._channels[to].send("adopt", connection=connection, came=came)

    def _keep(self, work: Coroutine[Any, Any, object], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _sum(day: Day, spent: dict[str, Any]) -> Day:
    """Of both, if they are of one day; else what is of the later one."""
    other = Day(**spent)
    if other.date != day.date:
        return max(day, other, key=lambda each: each.date)
    return Day(date=day.date, calls=day.calls + other.calls, usd=day.usd + other.usd)


__all__ = ["Spawn", "Supervisor", "spawn_worker"]
