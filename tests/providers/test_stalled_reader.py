"""What becomes of a call whose reader stalls, and of a line that sends more than is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from crossfade.errors import ConnectionLost
from crossfade.providers import RealtimeSession, connect, websocket
from crossfade.providers.events import AudioChunk, ResponseDone, SessionOpened
from tests.clock import run
from tests.providers.loopback import Peer
from tests.providers.openai_messages import audio_ms, created, done

SPEC = "openai:gpt-realtime-2.1"
SPEECH_S = 300
"""14 MB as samples, 19 MB as it comes."""


class Service:
    """It answers each request by a burst, and looks whether we are alive as often as we do."""

    def __init__(self, speech_s: int = SPEECH_S) -> None:
        self._speech_s = speech_s
        self.sent_all = asyncio.Event()
        self.ended: int | None = None

    async def handle(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        await peer.accept()
        await peer.expect("response.create")
        await peer.send(created())
        for _ in range(self._speech_s * 10):
            await peer.send(audio_ms(100))
        await peer.send(done())
        self.sent_all.set()
        await peer.until_closed()
        self.ended = connection.close_code

    @asynccontextmanager
    async def session(self) -> AsyncIterator[RealtimeSession]:
        async with serve(
            self.handle, "127.0.0.1", 0, compression=None, ping_interval=20, ping_timeout=20
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            url = f"ws://127.0.0.1:{port}/"
            async with connect(SPEC, base_url=url, continuity=None, api_key="key") as session:
                assert isinstance(await anext(session), SessionOpened)
                await session.respond()
                yield session


async def unread(session: RealtimeSession, at_least_bytes: float) -> int:
    """Wait until so much waits to be read, however long the machine takes; give how much."""
    for _ in range(1_000_000):
        if (waiting_bytes := session.statistics().unread_bytes) >= at_least_bytes:
            return waiting_bytes
        await asyncio.sleep(0)
    raise AssertionError(f"only {waiting_bytes} bytes wait to be read")


async def heard_ms(session: RealtimeSession) -> float:
    """Listen until the answer is over."""
    heard = 0
    async for event in session:
        if isinstance(event, AudioChunk):
            heard += len(event.pcm)
        if isinstance(event, ResponseDone):
            break
    return heard / 48


@pytest.mark.parametrize("stall_s", [30, 600])
def test_a_reader_that_stalls_keeps_the_line_and_loses_nothing(stall_s: int) -> None:
    async def main() -> int | None:
        service = Service()
        async with service.session() as session:
            await asyncio.sleep(stall_s)
            assert service.sent_all.is_set()
            waiting_bytes = session.statistics().unread_bytes
            assert 18e6 < waiting_bytes < 24e6
            assert await heard_ms(session) == SPEECH_S * 1000
            assert session.statistics().unread_bytes == 0
        return service.ended

    assert run(main()) == 1000


def test_beyond_the_limit_the_provider_must_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MOST_UNREAD_BYTES", 1_000_000)

    async def main() -> None:
        service = Service()
        async with service.session() as session:
            # One piece that was read from the socket may be above the limit.
            assert await unread(session, 1e6) < 1.4e6
            await asyncio.sleep(4)
            assert session.statistics().unread_bytes < 1.4e6
            assert not service.sent_all.is_set()
            assert await heard_ms(session) == SPEECH_S * 1000
            await service.sent_all.wait()

    run(main())


def test_who_stays_beyond_the_limit_is_lost_by_the_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MOST_UNREAD_BYTES", 1_000_000)

    async def main() -> None:
        async with Service().session() as session:
            await asyncio.sleep(60)
            with pytest.raises(ConnectionLost):
                await heard_ms(session)

    run(main())


def test_a_reader_of_much_that_waits_lets_others_run() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def main() -> None:
        async with Service(speech_s=30).session() as session:
            await asyncio.sleep(1)
            counting = asyncio.create_task(count())
            await heard_ms(session)
            counting.cancel()

    run(main())
    assert turns >= 5


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_messages_in_fragments_are_put_together(pieces: int) -> None:
    delta = orjson.dumps(audio_ms(100))
    size = -(-len(delta) // pieces)

    async def handle(connection: ServerConnection) -> None:
        peer = Peer(connection)
        await peer.accept()
        await peer.expect("response.create")
        await peer.send(created())
        await connection.send(
            [delta[at : at + size] for at in range(0, len(delta), size)], text=True
        )
        await peer.send(done())
        await peer.until_closed()

    async def main() -> None:
        service = Service()
        service.handle = handle  # type: ignore[method-assign]
        async with service.session() as session:
            assert await heard_ms(session) == 100

    run(main())


def test_messages_without_content_take_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MOST_UNREAD_BYTES", 200_000)

    sessions: list[RealtimeSession] = []

    async def handle(connection: ServerConnection) -> None:
        peer = Peer(connection)
        await peer.accept()
        await peer.expect("response.create")
        for number in range(60):
            # What is read at once may be above the limit: it is to be no more than one of these.
            await unread(sessions[0], min(200_000, 128_000 * number))
            connection.transport.write(b"\x81\x00" * 1000)
        await peer.send(created(), audio_ms(100), done())
        await peer.until_closed()

    async def main() -> None:
        service = Service()
        service.handle = handle  # type: ignore[method-assign]
        async with service.session() as session:
            sessions.append(session)
            assert await unread(session, 200_000) == 256_000
            await asyncio.sleep(4)
            assert session.statistics().unread_bytes == 256_000
            assert await heard_ms(session) == 100
            assert session.statistics().unread_bytes == 0

    run(main())
