"""The hot path's frames against the protocol library's."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from crossfade.emulators.framing import bounds, server_frame, whole_message

_LENGTHS = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70000])


@given(_LENGTHS, st.booleans())
def test_a_servers_frame_is_the_librarys(length: int, binary: bool) -> None:
    content = b"x" * length
    opcode = Opcode.BINARY if binary else Opcode.TEXT
    assert server_frame(content, binary=binary) == Frame(opcode, content).serialize(mask=False)


@given(_LENGTHS, st.sampled_from(list(Opcode)), st.booleans(), st.booleans())
def test_a_clients_frame_is_bounded_and_read(
    length: int, opcode: Opcode, fin: bool, mask: bool
) -> None:
    content = bytes(n % 251 for n in range(length))
    if opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
        content, fin = content[:125], True
    frame = Frame(opcode, content, fin).serialize(mask=mask)
    found = bounds(bytearray(frame + b"more"))
    assert found is not None
    start, end = found
    assert end == len(frame)
    assert end - start == len(content)
    message = whole_message(bytearray(frame + b"more"), start, end)
    if opcode in (Opcode.TEXT, Opcode.BINARY) and fin and mask:
        assert message == (content, opcode is Opcode.BINARY)
    else:
        assert message is None


@given(_LENGTHS, st.integers(0, 13))
def test_of_a_piece_of_a_head_nothing_is_known(length: int, size: int) -> None:
    frame = Frame(Opcode.TEXT, bytes(length)).serialize(mask=True)
    head = len(frame) - length
    found = bounds(bytearray(frame[:size]))
    assert (found is None) or size >= head - 4
