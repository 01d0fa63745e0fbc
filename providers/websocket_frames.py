"""WebSocket frames as they lie in the stream (RFC 6455, 5.2): whole messages out of what comes,
and one frame of each message that goes. Pure: no socket.

Nearly all messages are plain: one frame that is no part of a longer message, fifty a second of
each call. Such need no parser, and a library's costs more than hearing the sound does.
"""

import struct

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

_PLAIN = {0x81: True, 0x82: False}
"""Whether a message of one frame is text."""
_FRAGMENTS = {0x00: True, 0x01: True, 0x02: True, 0x80: False}
"""Whether more of the message follows."""
_SIGNS_OF_LIFE = (0x89, 0x8A)
_LONGEST_SIGN_BYTES = 125
_MASKED = 0x80
_MASK_BYTES = 4
_MIDDLE_HEAD = struct.Struct("!BBH")

Cut = tuple[bool | None, bytes]
"""Whether it is text, and a plain message, unmasked; else None, and the frame as it came."""


class FrameCutter:
    """The frames that come over one connection, in order.

    What the other end may not send, or sends too much of, and all from a close on, is left to
    whoever else reads frames: it is cut no more, and given as it comes.

    Args:
        most_bytes: The longest message that is waited for.
        masked: Whether frames are masked, as a client's are and no server's.
    """

    def __init__(self, most_bytes: int, *, masked: bool) -> None:
        # What a frame that begins so may be long; no other may begin one.
        self._longest = dict.fromkeys((*_PLAIN, *_FRAGMENTS), most_bytes)
        self._longest |= dict.fromkeys(_SIGNS_OF_LIFE, _LONGEST_SIGN_BYTES)
        self._masked = _MASKED if masked else 0
        self._mask_bytes = _MASK_BYTES if masked else 0
        self._rest = bytearray()
        self._whole_bytes = 0
        """So long must the rest become before there is a frame in it."""
        self._fragmented = False
        self._left_alone = False

    def cut(self, data: bytes) -> list[Cut]:
        """Take what has come; the frames that it completes."""
        if self._left_alone:
            return [(None, data)]
        if self._rest:
            self._rest += data
            if len(self._rest) < self._whole_bytes:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        cuts: list[Cut] = []
        at, size = 0, len(data)
        while size - at >= 2:
            first, length, mask = data[at], data[at + 1] ^ self._masked, at + 2
            if 125 < length < _MASKED:
                mask += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : mask], "big") if mask <= size else 0
            elif length >= _MASKED:
                length = -1
            if not 0 <= length <= self._longest.get(first, -1):
                self._left_alone = True
                return [*cuts, (None, data[at:])]
            start = mask + self._mask_bytes
            end = start + length
            if end > size:
                self._whole_bytes = end - at
                break
            text = None if self._fragmented else _PLAIN.get(first)
            if text is None:
                self._fragmented = _FRAGMENTS.get(first, self._fragmented)
                cuts.append((None, data[at:end]))
            elif self._masked:
                cuts.append((text, apply_mask(data[start:end], data[mask:start])))
            else:
                cuts.append((text, data[start:end]))
            at = end
        else:
            self._whole_bytes = 2
        if at < size:
            self._rest += data[at:]
        return cuts


def plain_frame(message: bytes, *, text: bool) -> bytes:
    """A whole message of a server in one frame."""
    return _head(len(message), text=text, masked=0) + message


def masked_frame(message: bytes, key: bytes, *, text: bool) -> bytes:
    """A whole message of a client in one frame."""
    head = _head(len(message), text=text, masked=_MASKED)
    return b"".join((head, key, apply_mask(message, key)))


def _head(length: int, *, text: bool, masked: int) -> bytes:
    first = 0x81 if text else 0x82
    if length < 126:
        return bytes((first, masked | length))
    if length < 65536:
        return _MIDDLE_HEAD.pack(first, masked | 126, length)
    return struct.pack("!BBQ", first, masked | 127, length)


__all__ = ["Cut", "FrameCutter", "masked_frame", "plain_frame"]
