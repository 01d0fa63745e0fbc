"""Cuts what a WebSocket's client sends into whole messages (RFC 6455, 5.2). Pure: no socket.

Nearly all are plain: one masked frame that is no part of a longer message, fifty a second of each
call. Such need no parser, and a library's costs more than hearing the sound does.
"""

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

Cut = tuple[bool | None, bytes]
"""Whether it is text, and a plain message, unmasked; else None, and the frame as it came."""


class ClientFrames:
    """The frames of one connection, in order.

    What no client may send, or sends too much of, and all from a close on, is left to whoever else
    reads frames: it is cut no more, and given as it comes.

    Args:
        most_bytes: The longest message that is waited for.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
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
            first, length, mask = data[at], data[at + 1] - _MASKED, at + 2
            if length > 125:
                mask += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : mask], "big") if mask <= size else 0
            if not 0 <= length <= self._longest(first):
                self._left_alone = True
                return [*cuts, (None, data[at:])]
            start = mask + _MASK_BYTES
            end = start + length
            if end > size:
                self._whole_bytes = end - at
                break
            text = None if self._fragmented else _PLAIN.get(first)
            if text is None:
                self._fragmented = _FRAGMENTS.get(first, self._fragmented)
                cuts.append((None, data[at:end]))
            else:
                cuts.append((text, apply_mask(data[start:end], data[mask:start])))
            at = end
        else:
            self._whole_bytes = 2
        if at < size:
            self._rest += data[at:]
        return cuts

    def _longest(self, first: int) -> int:
        """What a frame that begins so may be long; less than nothing if none may."""
        if first in _PLAIN or first in _FRAGMENTS:
            return self._most_bytes
        return _LONGEST_SIGN_BYTES if first in _SIGNS_OF_LIFE else -1


__all__ = ["ClientFrames", "Cut"]
