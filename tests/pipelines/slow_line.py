"""A line between client and server on which every byte takes its time, both ways."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

_Bytes = asyncio.Queue[tuple[float, bytes]]


@contextlib.asynccontextmanager
async def slow_line(url: str, one_way_s: float) -> AsyncIterator[str]:
    """The address at which a server at `url` is that much further away."""
    far = urlsplit(url)
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(far.hostname, far.port)
        writers.extend((writer, far_writer))
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            way: _Bytes = asyncio.Queue()
            tasks.add(asyncio.create_task(_take(source, way, one_way_s)))
            tasks.add(asyncio.create_task(_give(sink, way)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield far._replace(netloc=f"127.0.0.1:{port}").geturl()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _take(source: asyncio.StreamReader, way: _Bytes, one_way_s: float) -> None:
    while True:
        data = await source.read(65536)
        way.put_nowait((asyncio.get_running_loop().time() + one_way_s, data))
        if not data:
            return


async def _give(sink: asyncio.StreamWriter, way: _Bytes) -> None:
    while True:
        due_s, data = await way.get()
        await asyncio.sleep(due_s - asyncio.get_running_loop().time())
        if not data:
            sink.close()
            return
        sink.write(data)
