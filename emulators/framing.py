"""Frames of RFC 6455, as far as the hot path needs them: where one ends, and the plainest kind.

All else of the protocol, and every error, is the protocol library's matter.
"""

from websockets.frames import apply_mask  # type: ignore[attr-defined]

_WHOLE_TEXT = 0x81
_WHOLE_BINARY = 0x82
_MASKED = 0x80
_MASK_BYTES = 4


def bounds(data: bytes | bytearray) -> tuple[int, int] | None:
    """Where the payload of the first frame begins and ends; None while its head is not there.

    The mask, if there is one, lies before the payload.
    """
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length > 125:
        start = 4 if length == 126 else 10
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start], "big")
    if data[1] & _MASKED:
        start += _MASK_BYTES
    return start, start + length


def whole_message(data: bytes | bytearray, start: int, end: int) -> tuple[bytes, bool] | None:
    """The content of a frame that is a client's whole message, and whether it is binary."""
    if data[0] not in (_WHOLE_TEXT, _WHOLE_BINARY) or not data[1] & _MASKED:
        return None
    content = apply_mask(data[start:end], data[start - _MASK_BYTES : start])
    return content, data[0] == _WHOLE_BINARY


def server_frame(content: bytes, *, binary: bool) -> bytes:
    """A server's whole message as a frame."""
    first, length = _WHOLE_BINARY if binary else _WHOLE_TEXT, len(content)
    if length < 126:
        head = bytes((first, length))
    elif length < 65536:
        head = bytes((first, 126, length >> 8, length & 0xFF))
    else:
        head = bytes((first, 127)) + length.to_bytes(8, "big")
    return head + content
