"""What a client that does not read costs."""

import asyncio
import random

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.openai.identifiers import Identifiers
from crossfade.emulators.openai.outbox import LIMIT_BYTES, ROOM_BYTES, Outbox
from tests.clock import run


def outbox() -> Outbox:
    return Outbox(Identifiers(random.Random(0)))


def test_speech_waits_while_much_is_unsent() -> None:
    async def main() -> None:
        box = outbox()
        await box.room()
        box.send([bytes(ROOM_BYTES + 1)])
        waiting = asyncio.create_task(box.room())
        await asyncio.sleep(1)
        assert not waiting.done()
        box.finish(1000, "")
        await waiting

    run(main())


def test_a_client_that_leaves_too_much_unread_is_disconnected() -> None:
    async def main() -> None:
        box = outbox()
        for _ in range(17):
            box.send([bytes(LIMIT_BYTES // 16)])
        assert box.finished
        box.send([{"type": "late"}])

        async with serve(box.drain, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as client:
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 1008

    run(main())
