"""Messages and connections between processes."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from crossfade.pipelines.serve_workers_channel import (
    MOST_UNSENT_BYTES,
    PACKET_BYTES,
    Channel,
    channel_pair,
)
from tests.clock import run


class End:
    """One end, and what came there."""

    def __init__(self, end: socket.socket) -> None:
        self.messages: list[Mapping[str, Any]] = []
        self.connections: list[socket.socket] = []
        self.gone, self.came = asyncio.Event(), asyncio.Event()
        self.channel = Channel(end, self._receive, self.gone.set)

    def _receive(self, message: Mapping[str, Any], connections: list[socket.socket]) -> None:
        self.messages.append(message)
        self.connections += connections
        self.came.set()

    async def got(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                self.came.clear()
                await self.came.wait()


def ends() -> tuple[End, End]:
    one, other = channel_pair()
    return End(one), End(other)


def test_messages_come_whole_and_in_order_whatever_their_size() -> None:
    async def scenario() -> None:
        one, other = ends()
        texts = ["a", "b" * PACKET_BYTES, "c" * (10 * PACKET_BYTES + 7), ""]
        for text in texts:
            assert one.channel.send("told", text=text)
        await other.got(len(texts))
        assert [each["text"] for each in other.messages] == texts
        assert {each["kind"] for each in other.messages} == {"told"}
        assert other.channel.send("back")
        await one.got(1)
        one.channel.close()
        await other.gone.wait()

    run(scenario())


def test_a_connection_goes_along_and_is_open_at_one_end_only() -> None:
    async def scenario() -> None:
        one, other = ends()
        near, far = socket.socketpair()
        assert one.channel.send("connection", connection=near, text="x" * (2 * PACKET_BYTES))
        await other.got(1)
        assert near.fileno() == -1
        (given,) = other.connections
        far.send(b"hello")
        assert given.recv(10) == b"hello"
        given.close()
        assert far.recv(10) == b""
        far.close()
        one.channel.close()
        await other.gone.wait()

    run(scenario())


def test_who_does_not_read_loses_messages_and_their_connections() -> None:
    async def scenario() -> None:
        end, other = channel_pair()
        one = End(end)
        near, far = socket.socketpair()
        sent = 0
        while one.channel.send("told", text="x" * 100_000):
            sent += 1
        assert sent >= MOST_UNSENT_BYTES // 110_000
        assert not one.channel.send("connection", connection=near, text="x" * 100_000)
        assert far.recv(10) == b""
        far.close()
        # What was taken comes when it reads at last.
        late = End(other)
        await late.got(sent)
        one.channel.close()
        await late.gone.wait()
        assert not one.channel.send("told")

    run(scenario())


def test_the_end_of_a_process_is_told_and_closes_what_was_on_its_way() -> None:
    async def scenario() -> None:
        one, other = ends()
        near, far = socket.socketpair()
        one.channel.send("connection", connection=near)
        other.channel.close()
        await one.gone.wait()
        far.settimeout(1)
        assert far.recv(10) == b""
        far.close()

    run(scenario())
