"""What is written is what the library reads, and speech comes by a plain call in its order."""

import asyncio

import pytest
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from crossfade.providers import connect
from crossfade.providers.events import AudioChunk, Event, ResponseDone, UserTurnCommitted
from crossfade.providers.websocket import MessageSocket, masked_frame
from tests.clock import run
from tests.providers.loopback import Peer, loopback, settle
from tests.providers.openai_messages import audio, committed, created, done

SPEC = "openai:gpt-realtime-2.1"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1300, 65535, 65536])
@pytest.mark.parametrize("text", [True, False])
def test_the_library_reads_the_frames_that_are_written(size: int, text: bool) -> None:
    message = bytes(number % 128 for number in range(size))
    server = ServerProtocol(state=State.OPEN, max_size=None)
    server.receive_data(masked_frame(message, b"\x01\x80\xfe\x17", text=text))
    (frame,) = server.events_received()
    assert isinstance(frame, Frame)
    assert frame.opcode is (Opcode.TEXT if text else Opcode.BINARY)
    assert bytes(frame.data) == message
    assert frame.fin


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
