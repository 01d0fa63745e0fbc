"""One worker of a server, started by `serve_workers`.

It serves as a server of one process does, but for its connections, which another process accepts.
When that process is gone, it hands its calls over and ends.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from crossfade.errors import CrossfadeError

from .serve_settings import ServeSettings
from .serve_workers_channel import Channel, Message
from .serve_workers_peers import WorkerPeers, came_of

if TYPE_CHECKING:
    from .http_server import Take
    from .serve_server import CallServer

TELL_S = 0.5
_LAST_WORDS_S = 0.1


class Worker:
    """What the process that started this one says, and is told.

    Args:
        end: Of the channel to it.
    """

    def __init__(self, end: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._channel = Channel(end, self._receive, self._alone)
        self.peers = WorkerPeers(self._channel)
        self.stopped: asyncio.Future[None] = loop.create_future()
        self.settings: asyncio.Future[Message] = loop.create_future()
        self.number = 0
        """Which of the workers it is."""
        self._take: Take | None = None
        self._server: CallServer | None = None
        self._taking: set[asyncio.Task[None]] = set()

    def stop(self) -> "asyncio.Future[None]":
        """Ends when this worker is to end."""
        return self.stopped

    def end(self) -> None:
        """Hand the calls over, and end."""
        if self._server is not None:
            self._state(self._server, draining=True)
        if not self.stopped.done():
            self.stopped.set_result(None)

    @contextlib.asynccontextmanager
    async def answering(self, server: "CallServer", take: "Take") -> AsyncIterator[None]:
        """Answer connections, and tell how this worker fares, for as long as the block runs."""
        self._server, self._take = server, take
        telling = asyncio.create_task(self._tell(server), name="tell the others")
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def ready(self, lines: list[str]) -> None:
        """This worker serves now.

        Args:
            lines: What a server would announce.
        """
        self._channel.send("ready", lines=lines)

    async def failed(self, error: CrossfadeError) -> None:
        """This worker cannot begin."""
        self._channel.send("failed", message=str(error))
        await asyncio.sleep(_LAST_WORDS_S)

    def close(self) -> None:
        """Say nothing more."""
        self._channel.close()

    def _alone(self) -> None:
        if not self.settings.done():
            self.settings.cancel()
        self.end()

    async def _tell(self, server: "CallServer") -> None:
        while True:
            self._state(server, draining=server.calls.draining)
            await asyncio.sleep(TELL_S)

    def _state(self, server: "CallServer", *, draining: bool) -> None:
        calls = server.calls
        calls.day.others = self.peers.others_day
        self.peers.state(
            calls=calls.count, busy=calls.refusal is not None, draining=draining, day=calls.day.own
        )

    def _receive(self, message: Message, connections: list[socket.socket]) -> None:
        match message:
            case {"kind": "settings"}:
                self.number = message["number"]
                self.settings.set_result(message)
            case {"kind": "connection"} if connections and self._take is not None:
                self._keep(self._take(connections.pop()))
            case {"kind": "adopt"} if connections and self._server is not None:
                self._keep(self._server.adopt(connections.pop(), came_of(message)))
            case {"kind": "drain"}:
                self.end()
            case _:
                self.peers.receive(message)
        for each in connections:
            each.close()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="connection")
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)


async def work(end: socket.socket, *, own_process: bool = True) -> None:
    """Serve until told to end.

    Args:
        end: Of the channel to the process that accepts the connections.
        own_process: Whether the process does nothing else; SIGTERM ends it then.
    """
    from crossfade.pipelines.serve import run_server

    worker = Worker(end)
    if own_process:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.end)
    try:
        told = await worker.settings
        await run_server(
            ServeSettings(**told["settings"]),
            announce=lambda line: None,
            stop=worker.stop,
            worker=worker,
            secret=told["secret"],
            own_process=own_process,
        )
    except CrossfadeError as error:
        await worker.failed(error)
    finally:
        worker.close()


def main() -> None:
    """Be a worker, in a process that has nothing else to do; the descriptor is its argument."""
    asyncio.run(work(socket.socket(fileno=int(sys.argv[1]))))


__all__ = ["Worker", "main", "work"]
