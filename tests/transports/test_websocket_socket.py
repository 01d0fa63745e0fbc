"""The server's end of a line: messages in both directions, whole, in order and bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from crossfade.transports.websocket_messages import CloseCode
from crossfade.transports.websocket_socket import MOST_UNREAD_BYTES, ClientSocket
from tests.clock import run


@contextlib.asynccontextmanager
async def lines() -> AsyncIterator[tuple[ClientConnection, ClientSocket]]:
    """Both ends of one."""
    made: asyncio.Future[ClientSocket] = asyncio.get_running_loop().create_future()

    async def handle(connection: ServerConnection) -> None:
        made.set_result(cast(ClientSocket, connection))
        await connection.wait_closed()

    async with serve(
        handle, "127.0.0.1", 0, create_connection=ClientSocket, compression=None, max_size=2**22
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(
            f"ws://127.0.0.1:{port}", compression=None, proxy=None, max_size=None
        ) as client:
            yield client, await made


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 100_000])
def test_messages_of_every_length_are_whole(length: int) -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            server.write(b"x" * length, text=False)
            server.write(b"y" * length, text=True)
            assert await client.recv() == b"x" * length
            assert await client.recv() == "y" * length
            await client.send(b"z" * length)
            assert await server.first(1) == (b"z" * length, False)

    run(scenario())


def test_what_came_before_the_call_took_it_is_delivered_in_order_and_so_is_the_rest() -> None:
    async def scenario() -> None:
        got: list[tuple[bytes, bool]] = []
        async with lines() as (client, server):
            for message in ("hello", b"1", b"2"):
                await client.send(message)
            await asyncio.sleep(0.1)
            assert await server.first(1) == (b"hello", True)
            server.deliver_to(lambda message, text: got.append((message, text)))
            await client.send([b"3", b"4", b"5"])
            await client.send(["a", "b"])
            await asyncio.sleep(0.1)
            assert got == [(b"1", False), (b"2", False), (b"345", False), (b"ab", True)]

    run(scenario())


def test_who_says_nothing_or_goes_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            assert await server.first(0.5) is None
            waiting = asyncio.create_task(server.first(60))
            await client.close()
            async with asyncio.timeout(1):
                assert await waiting is None
            server.write(b"to nobody", text=False)

    run(scenario())


def test_a_flood_before_the_call_is_ready_ends_the_line() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            with contextlib.suppress(ConnectionClosed):
                for _ in range(2 * MOST_UNREAD_BYTES // 2**18):
                    await client.send(bytes(2**18))
            await client.wait_closed()
            assert client.close_code == CloseCode.MALFORMED
            await server.wait_closed()

    run(scenario())


def test_the_line_of_a_client_that_does_not_read_is_cut() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            client.transport.pause_reading()
            for _ in range(2000):
                server.write(bytes(2**16), text=False)
            async with asyncio.timeout(1):
                await server.wait_closed()
            client.transport.abort()

    run(scenario())
