"""What comes behind the handshake is heard, and speech comes by a plain call in its order."""

import asyncio
import contextlib
from typing import cast

import pytest
from websockets.asyncio.client import connect as dialled
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.uri import parse_uri
from websockets.utils import accept_key

from crossfade.providers import connect
from crossfade.providers.events import AudioChunk, Event, ResponseDone, UserTurnCommitted
from crossfade.providers.websocket import MessageSocket
from tests.clock import run
from tests.providers.loopback import Peer, loopback, settle
from tests.providers.openai_messages import audio, committed, created, done
from tests.providers.test_websocket_frames import written

MOST_WRITTEN_BYTES = 64 * 2**20
"""The system's own buffers are smaller."""
MOST_UNSENT_BYTES = 100_000
SPEC = "openai:gpt-realtime-2.1"


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_speech_that_is_taken_is_not_iterated_and_never_out_of_order(
    takes: bool, pause_s: float
) -> None:
    pieces = [bytes([number, 0] * 480) for number in range(40)]

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(created())
        for number, piece in enumerate(pieces):
            await peer.send(audio(piece))
            if number in (3, 20):
                await peer.send(committed(f"user_{number}"))
            await asyncio.sleep(pause_s)
        await peer.send(done())
        await settle()

    async def main() -> None:
        heard: list[Event] = []
        taken = 0

        def take(speech: AudioChunk) -> bool:
            nonlocal taken
            if takes:
                heard.append(speech)
                taken += 1
            return takes

        async with loopback(script) as url, connect(SPEC, base_url=url, api_key="k") as session:
            session.on_speech = take
            async for event in session:
                heard.append(event)
                await asyncio.sleep(0)
                if isinstance(event, ResponseDone):
                    break
        kinds = [type(event) for event in heard]
        assert [event.pcm for event in heard if isinstance(event, AudioChunk)] == pieces
        first = kinds.index(AudioChunk)
        assert [at - first for at, kind in enumerate(kinds) if kind is UserTurnCommitted] == [4, 22]
        # A reader that never waits, as without pauses, may have iterated everything.
        assert (taken > 0) is takes or not pause_s

    run(main())


def test_who_does_not_read_is_noticed_in_the_turn_in_which_much_is_written() -> None:
    async def script(peer: Peer) -> None:
        peer.websocket.transport.pause_reading()
        await asyncio.sleep(1)

    async def main() -> None:
        async with (
            loopback(script) as url,
            dialled(url, create_connection=MessageSocket, proxy=None) as dialled_socket,
        ):
            socket = cast(MessageSocket, dialled_socket)
            written_bytes = 0
            while socket.write(bytes(10_000), text=False):
                written_bytes += 10_000
                assert written_bytes < MOST_WRITTEN_BYTES
            assert socket.transport.get_write_buffer_size() < MOST_UNSENT_BYTES
            socket.transport.abort()

    run(main())


def test_what_the_library_writes_goes_behind_what_was_written_before() -> None:
    heard: list[str | bytes] = []

    async def script(peer: Peer) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                heard.append(await peer.websocket.recv())

    async def main() -> None:
        async with loopback(script) as url:
            socket = cast(
                MessageSocket, await dialled(url, create_connection=MessageSocket, proxy=None)
            )
            assert socket.write(b"1", text=True)
            assert socket.write(b"2", text=True)
            pong = await socket.ping()
            assert socket.write(b"3", text=False)
            await socket.send("4")
            assert socket.write(b"5", text=True)
            await socket.close()
            await pong
            assert not socket.write(b"6", text=True)
            assert heard == ["1", "2", b"3", "4", "5"]

    run(main())


@pytest.mark.parametrize(
    ("dates", "answered_at"),
    [
        (["Thu, 01 Jan 2026 00:00:07 GMT"], 1767225607.0),
        (["Thu, 01 Jan 2026 00:00:07 GMT", "tomorrow"], 1767225607.0),
        (["tomorrow"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_servers_clock(dates: list[str], answered_at: float | None) -> None:
    async def main() -> None:
        socket = MessageSocket(ClientProtocol(parse_uri("ws://localhost")))
        assert socket.answered_at is None
        headers = Headers([("Date", date) for date in dates])
        socket.response = Response(101, "Switching Protocols", headers)
        assert socket.answered_at == answered_at

    asyncio.run(main())


@pytest.mark.parametrize("accepted", [True, False])
def test_what_comes_behind_the_handshake_wherever_it_is_cut(accepted: bool) -> None:
    async def main() -> None:
        for cut in range(1, 500, 3):
            socket, head = _shaking_hands("101 OK" if accepted else "403 No")
            came = head + (written(1, b"early") + written(1, b"bird") if accepted else b"no!!")
            for piece in (came[:cut], came[cut:]):
                if piece:
                    socket.data_received(piece)
            if accepted:
                assert [socket.take(), socket.take(), socket.take()] == [b"early", b"bird", None]
            else:
                assert socket.response is not None
                assert (socket.response.status_code, socket.response.body) == (403, b"no!!")

    asyncio.run(main())


def _shaking_hands(status: str) -> tuple[MessageSocket, bytes]:
    """A socket that has asked, and the head of the answer."""
    protocol = ClientProtocol(parse_uri("ws://localhost"))
    socket = MessageSocket(protocol)
    socket.connection_made(_Transport())
    protocol.send_request(protocol.connect())
    head = (
        f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Content-Length: {0 if status.startswith('101') else 4}\r\n"
        f"Sec-WebSocket-Accept: {accept_key(protocol.key)}\r\n\r\n"
    )
    return socket, head.encode()


class _Transport(asyncio.Transport):
    """Leads nowhere."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass
