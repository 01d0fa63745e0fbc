"""What is cut out of the stream of a WebSocket, beside a library that reads all of it."""

import random
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from crossfade.providers.websocket_frames import FrameCutter
from tests.fuzz.target import Finding

_MOST_BYTES = 5000
_MOST_PIECES = 4
_NEVER_A_FRAME = b"\xff" * (_MOST_BYTES + 20)
"""Ends every frame that is waited for: the library may refuse one before it is whole."""

Message = tuple[Opcode, bytes, bool]


def streams(*, masked: bool) -> Sequence[bytes]:
    """Whole streams, by a client, whose frames are masked, or by a server."""

    def written(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
        return Frame(opcode, data, fin).serialize(mask=masked)

    sound = written(Opcode.BINARY, bytes(640))
    text = written(Opcode.TEXT, b'{"type":"ping"}')
    ping, close = written(Opcode.PING, b"?"), written(Opcode.CLOSE, b"\x03\xe8bye")
    pieces = (
        written(Opcode.TEXT, b"a", fin=False)
        + ping
        + written(Opcode.CONT, b"b", fin=False)
        + written(Opcode.CONT, b"c")
    )
    long = written(Opcode.BINARY, bytes(_MOST_BYTES))
    return [sound * 3 + text, text + pieces + sound, sound + ping + long + text, text + close]


class Stream:
    """Feeds both with the same, and holds what the one makes of it to what the other does."""

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._dice = random.Random(1)

    def __call__(self, data: bytes) -> None:
        data += _NEVER_A_FRAME
        alone, beside = self._library(), self._library()
        alone.receive_data(data)
        expected, got = _received(alone), list[Message]()
        cutter = FrameCutter(_MOST_BYTES, masked=self._masked)
        for piece in self._pieces(data):
            for text, cut in cutter.cut(piece):
                if text is None:
                    beside.receive_data(cut)
                    got += _received(beside)
                elif beside.state is State.OPEN:
                    got.append((Opcode.TEXT if text else Opcode.BINARY, cut, True))
        if got != expected:
            raise Finding(f"{len(got)} messages and not {len(expected)} of {data[:2000]!r}")
        if beside.close_sent != alone.close_sent:
            raise Finding(f"{beside.close_sent} and not {alone.close_sent} by {data[:2000]!r}")

    def _library(self) -> Protocol:
        if self._masked:
            return ServerProtocol(state=State.OPEN, max_size=_MOST_BYTES)
        return ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=_MOST_BYTES)

    def _pieces(self, data: bytes) -> Sequence[bytes]:
        ends = sorted(self._dice.randrange(len(data) + 1) for _ in range(_MOST_PIECES - 1))
        return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def _received(library: Protocol) -> list[Message]:
    return [
        (event.opcode, bytes(event.data), event.fin)
        for event in library.events_received()
        if isinstance(event, Frame)
    ]


__all__ = ["Stream", "streams"]
