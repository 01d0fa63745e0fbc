import asyncio
import socket

import pytest

from tests.clock import run


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "2001:db8::1"])
def test_a_test_cannot_reach_the_network(host: str) -> None:
    async def dial() -> None:
        await asyncio.open_connection(host, 443)

    with pytest.raises(AssertionError, match=host):
        run(dial())


def test_a_test_cannot_send_datagrams_to_the_network() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        pytest.raises(AssertionError, match=r"192\.0\.2\.1"),
    ):
        sock.sendto(b"", ("192.0.2.1", 53))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_test_can_reach_its_own_machine(host: str) -> None:
    async def echo() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(2))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(serve, host, 0, family=socket.AF_INET) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(host, port, family=socket.AF_INET)
            writer.write(b"hi")
            echoed = await reader.read()
            writer.close()
            await writer.wait_closed()
        return echoed

    assert run(echo()) == b"hi"
