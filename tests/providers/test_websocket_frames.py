"""Frames are cut as a library reads them, however they come, and written as it writes them."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from crossfade.providers.websocket_frames import Cut, FrameCutter, masked_frame, plain_frame

MOST_BYTES = 70_000
MOST_CLIENT_BYTES = 1000
SIZES = (0, 1, 125, 126, 127, 1300, 65_535, 65_536)
TOO_LONG_A_PING = b"\x89\xfe\x00\x7e" + bytes(4 + 126)


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
    frames = FrameCutter(MOST_BYTES, masked=False)
    library = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
    heard: list[bytes] = []
    for piece in pieces(stream, cuts):
        for text, cut in frames.cut(piece):
            if text is not None:
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
    frames = FrameCutter(MOST_BYTES, masked=False)
    library = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=MOST_BYTES)
    for text, cut in frames.cut(written(1, b"before") + wrong + b"behind"):
        assert text is None or cut == b"before"
        if text is None and library.state is State.OPEN:
            library.receive_data(cut)
    assert library.state is State.CLOSING


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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", [True, False])
def test_a_server_writes_what_the_library_writes(size: int, text: bool) -> None:
    message = _message(size)
    assert plain_frame(message, text=text) == written(1 if text else 2, message)


def framed(opcode: int, data: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(Opcode(opcode), data, fin).serialize(mask=mask)


def cut_in(came: Sequence[bytes], most_bytes: int = MOST_CLIENT_BYTES) -> list[Cut]:
    frames = FrameCutter(most_bytes, masked=True)
    return [cut for piece in came for cut in frames.cut(piece)]


FRAMES = st.one_of(
    st.builds(framed, st.sampled_from([1, 2]), st.binary(max_size=300)),
    st.builds(framed, st.sampled_from([1, 2]), st.sampled_from([125, 126, 1000]).map(bytes)),
    st.builds(framed, st.sampled_from([0, 1, 2]), st.binary(max_size=9), fin=st.booleans()),
    st.builds(framed, st.sampled_from([8, 9, 10]), st.sampled_from([b"", b"\x03\xe8"])),
    st.builds(framed, st.sampled_from([1, 2, 9]), st.binary(max_size=9), mask=st.booleans()),
    st.sampled_from([framed(2, bytes(MOST_CLIENT_BYTES + 1)), TOO_LONG_A_PING]),
    st.binary(min_size=1, max_size=9),
)


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 2**18), max_size=6))
def test_messages_are_those_of_the_library_alone(frames: list[bytes], at: list[int]) -> None:
    alone, beside = opened(), opened()
    data = b"".join(frames)
    expected = list[tuple[Opcode, bytes, bool]]()
    got = list[tuple[Opcode, bytes, bool]]()
    for piece in pieces(data, at):
        alone.receive_data(piece)
        expected += received(alone)
    for text, cut in cut_in(pieces(data, at)):
        if text is None:
            beside.receive_data(cut)
            got += received(beside)
        elif beside.state is State.OPEN:
            got.append((Opcode.TEXT if text else Opcode.BINARY, cut, True))
    assert got == expected
    assert beside.state is alone.state
    assert beside.close_sent == alone.close_sent or (beside.close_sent and alone.close_sent)
    if alone.close_sent is not None and beside.close_sent is not None:
        assert beside.close_sent.code == alone.close_sent.code


def opened() -> ServerProtocol:
    return ServerProtocol(max_size=MOST_CLIENT_BYTES, state=State.OPEN)


def received(protocol: ServerProtocol) -> list[tuple[Opcode, bytes, bool]]:
    return [
        (event.opcode, bytes(event.data), event.fin)
        for event in protocol.events_received()
        if isinstance(event, Frame)
    ]


def test_a_message_that_comes_byte_by_byte_is_whole() -> None:
    data = framed(2, b"x" * 300) + framed(1, b"y") + framed(9, b"?")
    found = cut_in([bytes([each]) for each in data])
    assert found == [(False, b"x" * 300), (True, b"y"), (None, data[-7:])]


def test_nothing_is_cut_behind_a_close_or_what_no_client_may_send() -> None:
    unmasked, too_long = framed(2, b"?", mask=False), framed(2, bytes(MOST_CLIENT_BYTES + 1))
    behind = framed(2, b"x")
    for odd in (unmasked, too_long, TOO_LONG_A_PING, framed(8), b"\xc2\x80\0\0\0\0"):
        assert cut_in([behind + odd + behind, behind]) == [
            (False, b"x"),
            (None, odd + behind),
            (None, behind),
        ]
