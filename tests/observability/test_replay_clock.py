import asyncio
import time

import pytest

from crossfade.observability.replay_clock import run_paced

_real = time.monotonic


@pytest.mark.realtime
def test_a_paced_loop_takes_as_much_less_as_it_is_faster() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for _ in range(200):
            await asyncio.sleep(0.02)
        return loop.time() - began_s

    began_s = _real()
    assert run_paced(main(), speed=20) == pytest.approx(4)
    assert 0.19 < _real() - began_s < 2


@pytest.mark.realtime
def test_what_comes_from_outside_comes_at_its_time() -> None:
    async def main() -> float:
        reading, writing = await asyncio.open_connection("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        # The other end is on the same loop, and answers when its timer is due.
        writing.write(b"?")
        async with asyncio.timeout(60):
            await reading.readexactly(1)
        writing.close()
        await writing.wait_closed()
        return loop.time() - began_s

    async def answer(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        await reading.readexactly(1)
        await asyncio.sleep(3)
        writing.write(b"!")
        await writing.drain()
        writing.close()

    port = 0

    async def both() -> float:
        nonlocal port
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await main()
        finally:
            server.close()
            await server.wait_closed()

    assert run_paced(both(), speed=30) == pytest.approx(3, abs=0.5)
