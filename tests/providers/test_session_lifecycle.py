"""Opening, closing and ending in any order: nothing is left open, and everybody is told."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.errors import CallerError, CredentialsRefused, SettingsError
from crossfade.providers import RealtimeSession, connect
from crossfade.providers.events import SessionOpened
from tests.clock import run
from tests.providers.loopback import Peer, loopback, settle

SPEC = "openai:gpt-realtime-2.1"


def open_sockets() -> list[socket.socket]:
    """Sockets of this process that are connected to somebody."""
    gc.collect()
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, socket.socket) and found.family == socket.AF_INET and _has_peer(found)
    ]


def _has_peer(found: socket.socket) -> bool:
    try:
        found.getpeername()
    except OSError:
        return False
    return True


def tasks() -> set[str]:
    """Tasks of sessions that are not finished."""
    return {
        task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("provider")
    }


async def serve(peer: Peer) -> None:
    with contextlib.suppress(ConnectionClosed):
        await peer.accept()
    await peer.until_closed()


async def never_accept(peer: Peer) -> None:
    await peer.until_closed()


async def opening(session: RealtimeSession) -> asyncio.Task[None]:
    """Begin to open it, and get half-way."""
    task = asyncio.create_task(session.open())
    await settle()
    assert not task.done()
    return task


async def check_closed(session: RealtimeSession) -> None:
    """Nothing of it is left, and it says so."""
    await settle()
    assert not tasks()
    with pytest.raises(CallerError, match="closed"):
        await session.respond()
    left = [event async for event in session]
    assert all(isinstance(event, SessionOpened) for event in left)
    with pytest.raises(CallerError, match="once"):
        await session.open()


def test_closing_while_the_key_is_fetched_dials_nobody() -> None:
    async def endless() -> str:
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    async def main() -> None:
        session = connect(SPEC, base_url="ws://127.0.0.1:1/", api_key=endless)
        task = await opening(session)
        await session.close()
        with pytest.raises(CallerError, match="closed while it was opening"):
            await task
        await check_closed(session)

    run(main())


def test_closing_during_the_handshake_cuts_the_line() -> None:
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            session = connect(SPEC, base_url=f"ws://127.0.0.1:{port}/", api_key="key")
            task = await opening(session)
            await session.close()
            with pytest.raises(CallerError, match="closed while it was opening"):
                await task
            async with asyncio.timeout(1):
                await gone.wait()
            await check_closed(session)
            assert not open_sockets()

    run(main())


def test_closing_before_the_session_began_leaves_nothing_open() -> None:
    async def main() -> None:
        async with loopback(never_accept) as url:
            session = connect(SPEC, base_url=url, api_key="key")
            task = await opening(session)
            assert tasks()
            before = asyncio.get_running_loop().time()
            await session.close()
            assert asyncio.get_running_loop().time() - before < 1
            with pytest.raises(CallerError, match="closed while it was opening"):
                await task
            await check_closed(session)
            assert not open_sockets()

    run(main())


def test_closing_in_the_moment_of_opening() -> None:
    """Whatever step of opening close meets, nothing stays."""

    async def main() -> None:
        async with loopback(serve) as url:
            for steps in range(30):
                session = connect(SPEC, base_url=url, api_key="key")
                task = asyncio.create_task(session.open())
                for _ in range(steps):
                    await asyncio.sleep(0)
                if task.done():
                    await task
                await session.close()
                await asyncio.wait([task])
                assert task.exception() is None or isinstance(task.exception(), CallerError)
                await check_closed(session)
            assert not open_sockets()

    run(main())


def test_a_cancelled_open_leaves_nothing_open() -> None:
    async def main() -> None:
        async with loopback(never_accept) as url:
            session = connect(SPEC, base_url=url, api_key="key")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await session.open()
            await check_closed(session)
            assert not open_sockets()
            await session.close()

    run(main())


def test_the_second_of_two_opens_is_refused_and_dials_nobody() -> None:
    dialled: list[Peer] = []
    asked = 0

    async def script(peer: Peer) -> None:
        dialled.append(peer)
        await serve(peer)

    async def key() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(1)
        return "key"

    async def main() -> None:
        async with loopback(script) as url:
            session = connect(SPEC, base_url=url, api_key=key)
            first = asyncio.create_task(session.open())
            await settle()
            with pytest.raises(CallerError, match="opening already"):
                await session.open()
            with pytest.raises(CallerError, match="opening"):
                await session.respond()
            with pytest.raises(CallerError, match="opening"):
                await anext(session)
            await first
            assert isinstance(await anext(session), SessionOpened)
            await session.close()

    run(main())
    assert (len(dialled), asked) == (1, 1)


def test_a_session_closed_before_it_was_opened_stays_closed() -> None:
    async def main() -> None:
        session = connect(SPEC, api_key="key")
        await session.close()
        await check_closed(session)

    run(main())


def deaf(peer: Peer) -> None:
    """Have the server neither read nor answer any more."""
    peer.websocket.transport.pause_reading()


def test_a_cancelled_close_is_cancelled_and_cuts_the_line() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        deaf(peer)
        await asyncio.sleep(5)
        peer.websocket.transport.abort()

    async def main() -> None:
        async with loopback(script) as url:
            session = connect(SPEC, base_url=url, api_key="key")
            await session.open()
            await settle()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await session.close()
            await check_closed(session)
            assert len(open_sockets()) == 1, "the server's"
            await asyncio.sleep(5)

    run(main())


def test_two_close_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        deaf(peer)
        await asyncio.sleep(5)
        peer.websocket.transport.abort()

    async def main() -> None:
        async with loopback(script) as url:
            session = connect(SPEC, base_url=url, api_key="key")
            await session.open()
            await settle()
            first = asyncio.create_task(session.close())
            await settle()
            with pytest.raises(CallerError, match="closed"):
                await session.respond()
            await session.close()
            assert first.done() or not tasks()
            await first
            await check_closed(session)
            await asyncio.sleep(5)

    run(main())


def test_a_peer_that_reads_nothing_does_not_hold_up_closing() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        deaf(peer)
        await asyncio.sleep(10)
        peer.websocket.transport.abort()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with loopback(script) as url:
            session = connect(SPEC, base_url=url, api_key="key")
            await session.open()
            await settle()
            for _ in range(300):
                await session.send_audio(bytes(48_000))
            assert session.statistics().waiting_messages
            before = loop.time()
            await session.close()
            assert loop.time() - before < 3
            await check_closed(session)
            await asyncio.sleep(10)

    run(main())


async def _none() -> None:
    return None


@pytest.mark.parametrize(
    ("key", "given"),
    [
        (lambda: None, "None"),
        (_none, "None"),
        (lambda: b"planted-key", "bytes"),
        (lambda: "", "empty"),
        (lambda: " \n", "empty"),
        (b"planted-key", "bytes"),
    ],
)
def test_what_gives_no_key_is_told_what_to_give(key: Any, given: str) -> None:
    async def main() -> None:
        session = connect(SPEC, base_url="ws://127.0.0.1:1/", api_key=key)
        with pytest.raises(SettingsError, match=f"{given}.*must (be|return) .*str") as caught:
            await session.open()
        assert "planted" not in str(caught.value)
        await check_closed(session)

    run(main())


def test_a_key_is_asked_for_again_for_each_connection() -> None:
    shown: list[str] = []
    given = iter(["first", "second", "third"])

    async def script(peer: Peer) -> None:
        assert peer.websocket.request is not None
        shown.append(peer.websocket.request.headers["Authorization"])
        await serve(peer)

    async def key() -> str:
        return next(given)

    async def main() -> None:
        async with loopback(script) as url:
            for _ in range(3):
                async with connect(SPEC, base_url=url, api_key=key):
                    pass

    run(main())
    assert shown == ["Bearer first", "Bearer second", "Bearer third"]


def test_what_a_key_function_raises_is_raised() -> None:
    def key() -> str:
        raise LookupError("the vault is shut")

    async def main() -> None:
        session = connect(SPEC, base_url="ws://127.0.0.1:1/", api_key=key)
        with pytest.raises(LookupError, match="vault"):
            await session.open()
        await check_closed(session)

    run(main())


def test_a_key_that_is_refused_leaves_nothing_open() -> None:
    async def script(peer: Peer) -> None:
        await peer.websocket.close(3000)

    async def main() -> None:
        async with loopback(script) as url:
            session = connect(SPEC, base_url=url, api_key="key")
            with pytest.raises(CredentialsRefused):
                await session.open()
            await check_closed(session)
            assert not open_sockets()

    run(main())


@pytest.mark.parametrize("reads", [anext, lambda session: session.__anext__()])
def test_a_second_reader_is_told_to_share_the_first(
    reads: Callable[[RealtimeSession], Awaitable[object]],
) -> None:
    async def main() -> None:
        async with loopback(serve) as url, connect(SPEC, base_url=url, api_key="key") as session:
            await anext(session)
            waiting = asyncio.ensure_future(reads(session))
            await settle()
            with pytest.raises(CallerError, match="one task"):
                await anext(session)
            assert not waiting.done(), "the first reads on"
            waiting.cancel()
            await asyncio.wait([waiting])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await anext(session)

    run(main())
