"""What a client sends is cut as the library cuts it, however it comes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from crossfade.transports.client_frames import ClientFrames, Cut

MOST_BYTES = 1000
TOO_LONG_A_PING = b"\x89\xfe\x00\x7e" + bytes(4 + 126)


def framed(opcode: int, data: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(Opcode(opcode), data, fin).serialize(mask=mask)


def cut_in(pieces: list[bytes], most_bytes: int = MOST_BYTES) -> list[Cut]:
    frames = ClientFrames(most_bytes)
    return [cut for piece in pieces for cut in frames.cut(piece)]


def in_pieces(data: bytes, at: list[int]) -> list[bytes]:
    cuts = [0, *sorted(each % (len(data) + 1) for each in at), len(data)]
    return [data[a:b] for a, b in pairwise(cuts)]


FRAMES = st.one_of(
    st.builds(framed, st.sampled_from([1, 2]), st.binary(max_size=300)),
    st.builds(framed, st.sampled_from([1, 2]), st.sampled_from([125, 126, 1000]).map(bytes)),
    st.builds(framed, st.sampled_from([0, 1, 2]), st.binary(max_size=9), fin=st.booleans()),
    st.builds(framed, st.sampled_from([8, 9, 10]), st.sampled_from([b"", b"\x03\xe8"])),
    st.builds(framed, st.sampled_from([1, 2, 9]), st.binary(max_size=9), mask=st.booleans()),
    st.sampled_from([framed(2, bytes(MOST_BYTES + 1)), TOO_LONG_A_PING]),
    st.binary(min_size=1, max_size=9),
)


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 2**18), max_size=6))
def test_messages_are_those_of_the_library_alone(frames: list[bytes], at: list[int]) -> None:
    alone, beside = opened(), opened()
    data = b"".join(frames)
    expected = list[tuple[Opcode, bytes, bool]]()
    got = list[tuple[Opcode, bytes, bool]]()
    for piece in in_pieces(data, at):
        alone.receive_data(piece)
        expected += received(alone)
    for text, cut in cut_in(in_pieces(data, at)):
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
    return ServerProtocol(max_size=MOST_BYTES, state=State.OPEN)


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
    unmasked, too_long = framed(2, b"?", mask=False), framed(2, bytes(MOST_BYTES + 1))
    behind = framed(2, b"x")
    for odd in (unmasked, too_long, TOO_LONG_A_PING, framed(8), b"\xc2\x80\0\0\0\0"):
        assert cut_in([behind + odd + behind, behind]) == [
            (False, b"x"),
            (None, odd + behind),
            (None, behind),
        ]
