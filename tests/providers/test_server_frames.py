"""Frames are cut as a library reads them, however they come."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri
from websockets.utils import accept_key

from crossfade.providers.server_frames import ServerFrames
from crossfade.providers.websocket import MessageSocket

MOST_BYTES = 70_000
SIZES = (0, 1, 125, 126, 127, 1300, 65_535, 65_536)


def written(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), data, fin=fin).serialize(mask=False)


def _message(size: int) -> bytes:
    return bytes(number % 251 for number in range(size))


plain = st.builds(
    lambda opcode, size: written(opcode, _message(size)),
    st.sampled_from((1, 2)),
    st.sampled_from(SIZES),
)
control = st.builds(written, st.sampled_from((9, 10)), st.binary(max_size=20))


@st.composite
def fragmented(draw: st.DrawFn) -> bytes:
    """A message in pieces, with control frames between them."""
    middle = draw(st.lists(st.one_of(control, st.just(written(0, b"middle", fin=False)))))
    end = written(0, b"end")
    return b"".join((written(1, b"first", fin=False), *middle, end))


streams = st.lists(st.one_of(plain, plain, control, fragmented()), max_size=6).map(b"".join)


def pieces(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(at % (len(stream) + 1) for at in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(places) if a < b]


@given(stream=streams, cuts=st.lists(st.integers(0, 10**6), max_size=8))
def test_all_bytes_come_out_in_order_and_plain_messages_are_known(
    stream: bytes, cuts: Sequence[int]
) -> None:
    frames = ServerFrames(MOST_BYTES)
    library = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
    heard: list[bytes] = []
    for piece in pieces(stream, cuts):
        for plain, cut in frames.cut(piece):
            if plain:
                heard.append(cut)
            else:
                library.receive_data(cut)
                heard += _data(library)
    alone = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
    alone.receive_data(stream)
    assert heard == _data(alone)
    assert library.state is State.OPEN


def _data(library: ClientProtocol) -> list[bytes]:
    return [bytes(event.data) for event in library.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize(
    "wrong",
    [
        b"\xc1\x02ab",
        b"\x81\x82keysab",
        b"\x82\x7f" + (MOST_BYTES + 1).to_bytes(8, "big"),
        b"\x83\x00",
        b"\x80\x00",
        b"\x01\x01a\x81\x01b",
        b"\x89\x7e\x00\x7e" + bytes(126),
    ],
    ids=[
        "reserved bits",
        "masked",
        "too long",
        "unknown opcode",
        "continues nothing",
        "begins within another",
        "long ping",
    ],
)
def test_what_no_server_may_send_ends_the_line(wrong: bytes) -> None:
    frames = ServerFrames(MOST_BYTES)
    library = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=MOST_BYTES)
    for plain, cut in frames.cut(written(1, b"before") + wrong + b"behind"):
        assert not plain or cut == b"before"
        if not plain and library.state is State.OPEN:
            library.receive_data(cut)
    assert library.state is State.CLOSING


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
