"""The server's end of a line: messages in both directions, whole, in order and bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request

from crossfade.emulators.certificate import client_context, server_context
from crossfade.providers.websocket import MessageSocket
from crossfade.transports.client_socket import (
    CLOSE_S,
    MOST_PARTS_A_SECOND,
    MOST_PARTS_AT_ONCE,
    MOST_UNREAD_BYTES,
    MOST_UNREAD_MESSAGES,
    OPEN_S,
    PING_S,
    ClientSocket,
    Refusal,
)
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run


@contextlib.asynccontextmanager
async def server_of(
    handle: Callable[[ClientSocket], Coroutine[Any, Any, None]],
    refuse: Callable[[Request], Refusal | None] = lambda request: None,
) -> AsyncIterator[str]:
    """A server of such lines; gives its address."""
    server = await asyncio.get_running_loop().create_server(
        lambda: ClientSocket(handle, refuse=refuse), "127.0.0.1", 0
    )
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def lines() -> AsyncIterator[tuple[ClientConnection, ClientSocket]]:
    """Both ends of one."""
    made: asyncio.Future[ClientSocket] = asyncio.get_running_loop().create_future()

    async def handle(socket: ClientSocket) -> None:
        made.set_result(socket)
        await socket.wait_closed()

    async with (
        server_of(handle) as url,
        connect(url, compression=None, proxy=None, max_size=None) as client,
    ):
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


def test_what_is_written_in_one_turn_comes_in_order_and_before_the_end() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            client.transport.write(PARTS["ping"])
            for number in range(50):
                server.write(bytes([number]) * 1000, text=False)
                if number % 10 == 0:
                    server.write(b"%d" % number, text=True)
            server.close_soon(CloseCode.OVER)
            server.write(b"too late", text=False)
            got = [message async for message in client]
            assert [each[0] for each in got if isinstance(each, bytes)] == list(range(50))
            assert [at for at, each in enumerate(got) if isinstance(each, str)] == [
                1,
                12,
                23,
                34,
                45,
            ]
            assert client.close_code == 1000

    run(scenario())


def test_what_was_written_before_the_line_is_cut_comes() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            server.write(b"last words", text=False)
            server.abort()
            assert await client.recv() == b"last words"
            with pytest.raises(ConnectionClosed):
                await client.recv()

    run(scenario())


def test_what_is_written_in_the_turn_in_which_the_client_goes_comes() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            server.deliver_to(lambda message, text: server.write(message, text=text))
            # In one piece with the end of what it sends; its side is read on.
            client.transport.write(b"\x82\x84\0\0\0\0last")
            client.transport.write_eof()
            assert await client.recv() == b"last"

    run(scenario())


@pytest.mark.realtime
def test_an_encrypted_line_between_both_of_our_ends(tmp_path: Path) -> None:
    context = server_context("127.0.0.1", tmp_path / "certificate.pem")
    sizes = [0, 1, 125, 126, 20_000, 65_536, *[960] * 100]

    async def echo(socket: ClientSocket) -> None:
        socket.deliver_to(lambda message, text: socket.write(message, text=text))
        await socket.wait_closed()

    async def scenario() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: ClientSocket(echo), "127.0.0.1", 0, ssl=context
        )
        async with server:
            socket = cast(
                MessageSocket,
                await connect(
                    f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                    ssl=client_context(tmp_path / "certificate.pem"),
                    compression=None,
                    proxy=None,
                    create_connection=MessageSocket,
                ),
            )
            for number, size in enumerate(sizes):
                message = bytes([number]) * size
                if not socket.write(message, text=False):
                    await socket.send(message)
            for number, size in enumerate(sizes):
                while (message_back := socket.take()) is None:
                    await socket.wait()
                assert message_back == bytes([number]) * size
            await socket.close()

    asyncio.run(scenario())


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


def test_a_flood_of_empty_messages_before_the_call_is_ready_ends_the_line() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            client.transport.write(b"\x82\x80\0\0\0\0" * (MOST_UNREAD_MESSAGES + 1))
            await client.wait_closed()
            assert client.close_code == CloseCode.MALFORMED
            await server.wait_closed()
            assert not server._messages

    run(scenario())


PARTS = {
    "ping": b"\x89\x80\0\0\0\0",
    "pong": b"\x8a\x80\0\0\0\0",
    "part": b"\x00\x80\0\0\0\0",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_who_sends_signs_of_life_or_parts_without_end_is_sent_away(part: bytes) -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            server.deliver_to(lambda message, text: None)
            client.transport.write(b"\x02\x80\0\0\0\0" + part * (MOST_PARTS_AT_ONCE - 1))
            await asyncio.sleep(1)
            assert server.is_open
            client.transport.write(part * MOST_PARTS_A_SECOND)
            await asyncio.sleep(0.1)
            assert server.is_open
            client.transport.write(part * MOST_PARTS_AT_ONCE)
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


def test_who_asks_for_signs_of_life_and_reads_none_is_cut() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            client.transport.pause_reading()
            ping = b"\x89\xfd" + bytes(4) + b"x" * 125
            for _ in range(100):
                client.transport.write(ping * 2000)
                await asyncio.sleep(0.01)
                if not server.is_open:
                    break
            assert not server.is_open
            client.transport.abort()

    run(scenario())


def test_what_is_kept_for_another_process_is_bounded() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            for _ in range(3 * MOST_UNREAD_BYTES // 200_000):
                await client.send(b"x" * 200_000)
                assert await server.first(1) is not None
            assert len(server._so_far or b"") <= MOST_UNREAD_BYTES
            assert server.give_away() is None
            await client.send("still here")
            assert await server.first(1) == (b"still here", True)

    run(scenario())


def test_a_request_is_refused_before_the_line_opens() -> None:
    async def handle(socket: ClientSocket) -> None:
        raise AssertionError("nobody comes in")

    def refuse(request: Request) -> Refusal | None:
        return (HTTPStatus.FORBIDDEN, "not you") if request.path == "/ws" else None

    async def scenario() -> None:
        async with server_of(handle, refuse) as url:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{url}/ws", proxy=None)
            assert refused.value.response.status_code == 403
            assert refused.value.response.body == b"not you"

    run(scenario())


def test_an_error_of_the_server_ends_the_line_and_is_told() -> None:
    async def handle(socket: ClientSocket) -> None:
        raise ValueError("broken")

    async def scenario() -> None:
        async with server_of(handle) as url, connect(url, proxy=None) as client:
            await client.wait_closed()
            assert client.close_code == 1011

    run(scenario())


@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_a_reason_that_is_too_long_is_cut(letter: str) -> None:
    async def scenario() -> None:
        reason = letter * 1000
        async with lines() as (client, server):
            await server.close(CloseCode.MALFORMED, reason)
            await client.wait_closed()
            assert client.close_code == CloseCode.MALFORMED
            assert client.close_reason
            assert reason.startswith(client.close_reason)

    run(scenario())


def test_the_close_is_waited_for_but_not_long() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            await server.close(CloseCode.OVER, "the call is over")
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (1000, "the call is over")
        async with lines() as (client, server):
            client.transport.pause_reading()
            began_s = asyncio.get_running_loop().time()
            await server.close(CloseCode.OVER)
            assert asyncio.get_running_loop().time() - began_s == pytest.approx(CLOSE_S, abs=0.1)
            client.transport.abort()

    run(scenario())


def test_who_goes_on_sending_signs_of_life_does_not_put_off_the_end() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            client.transport.pause_reading()
            server.close_soon(CloseCode.OVER)
            async with asyncio.timeout(CLOSE_S + 0.5):
                while server.is_open or not server._gone.is_set():
                    client.transport.write(PARTS["ping"])
                    await asyncio.sleep(CLOSE_S / 4)
            client.transport.abort()

    run(scenario())


def test_a_client_without_a_sign_of_life_is_dropped() -> None:
    async def scenario() -> None:
        async with lines() as (client, server):
            await asyncio.sleep(5 * PING_S)
            client.transport.pause_reading()
            async with asyncio.timeout(2 * PING_S + 1):
                await server.wait_closed()
            client.transport.abort()

    run(scenario())


def test_who_connects_and_says_nothing_is_dropped() -> None:
    async def handle(socket: ClientSocket) -> None:
        raise AssertionError("nobody comes in")

    async def scenario() -> None:
        async with server_of(handle) as url:
            host, _, port = url.removeprefix("ws://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            async with asyncio.timeout(OPEN_S + 1):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()

    run(scenario())


@pytest.mark.parametrize("request_bytes", [b"GET / HTTP/1.1\r\n\r\n", b"\xff\x00" * 9000])
def test_what_is_no_handshake_is_answered_or_dropped(request_bytes: bytes) -> None:
    async def handle(socket: ClientSocket) -> None:
        raise AssertionError("nobody comes in")

    async def scenario() -> None:
        async with server_of(handle) as url:
            host, _, port = url.removeprefix("ws://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request_bytes)
            async with asyncio.timeout(OPEN_S + 1):
                with contextlib.suppress(ConnectionResetError):
                    answer = await reader.read()
                    assert not answer or answer.startswith(b"HTTP/1.1 4")
            writer.close()

    run(scenario())


@pytest.mark.parametrize("text", ["hello", "h" * 70_000])
def test_a_line_is_given_to_another_process_and_goes_on_there(text: str) -> None:
    """Here to another socket of the same loop; the client notices nothing."""

    async def scenario() -> None:
        loop, here = asyncio.get_running_loop(), list[ClientSocket]()
        arrived = asyncio.Event()

        async def given(client: ClientSocket) -> None:
            first = await client.first(5)
            assert first == (text.encode(), True)
            client.write(b"one moment", text=True)
            passed = client.give_away()
            assert passed is not None
            there = ClientSocket(taken)
            there.replay(passed[1])
            assert there.given
            here.append(there)
            await loop.connect_accepted_socket(lambda: there, passed[0])
            arrived.set()

        async def taken(client: ClientSocket) -> None:
            first = await client.first(5)
            assert first == (text.encode(), True)
            client.deliver_to(lambda message, is_text: client.write(message, text=is_text))
            # A call has its messages by now: it is nobody else's.
            assert client.give_away() is None
            await client.wait_closed()

        async with server_of(given) as url, connect(url, compression=None, proxy=None) as client:
            await client.send(text)
            await arrived.wait()
            assert await client.recv() == "one moment"
            await client.send(b"\x01\x02")
            assert await client.recv() == b"\x01\x02"
            await client.ping()
            await client.send("more")
            assert await client.recv() == "more"
        await here[0].wait_closed()

    run(scenario())


def test_what_a_client_sends_with_its_request_and_in_pieces_is_heard() -> None:
    async def scenario() -> None:
        heard: list[tuple[bytes, bool]] = []

        async def handle(socket: ClientSocket) -> None:
            socket.deliver_to(lambda message, text: heard.append((message, text)))
            await socket.wait_closed()

        key = b"Sec-WebSocket-Key: " + b"A" * 22 + b"==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        request = b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        message = b"\x82\x84\0\0\0\0wide"
        async with server_of(handle) as url:
            host, _, port = url.removeprefix("ws://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            for piece in (request + key[:-2], key[-2:] + message + message[:3], message[3:]):
                writer.write(piece)
                await asyncio.sleep(0.1)
            assert heard == [(b"wide", False)] * 2
            # Behind a close nothing is heard.
            writer.write(b"\x88\x80\0\0\0\0" + message)
            assert (await reader.read()).endswith(b"\x88\x00")
            assert len(heard) == 2
            writer.close()

    run(scenario())
