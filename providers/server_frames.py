"""Cuts what a WebSocket's server sends into whole frames (RFC 6455, 5.2). Pure: no socket.

A provider's messages are nearly all plain: one frame that is no part of a longer message. Such
need no parser, and a library's costs more than reading the message does.
"""

_TEXT, _BINARY = 0x81, 0x82
_FIRST_FRAGMENTS = (0x01, 0x02)
_LAST_FRAGMENT = 0x80
_RESERVED = 0x70
_MASKED = 0x80

Cut = tuple[bool, bytes]
"""Whether it is a plain message, and then the message; else the frame as it came."""


class ServerFrames:
    """The frames of one connection, in order.

    What no server may send, or sends too much of, is left to whoever else reads frames: it is cut
    no more, and given as it comes.

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
            return [(False, data)]
        if self._rest:
            self._rest += data
            if len(self._rest) < self._whole_bytes:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        cuts: list[Cut] = []
        at, size = 0, len(data)
        while size - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if first & _RESERVED or length & _MASKED:
                return self._leave_alone(cuts, data[at:])
            if length > 125:
                start += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : start], "big") if start <= size else 0
            if length > self._most_bytes:
                return self._leave_alone(cuts, data[at:])
            end = start + length
            if end > size:
                self._whole_bytes = end - at
                break
            if first in (_TEXT, _BINARY) and not self._fragmented:
                cuts.append((True, data[start:end]))
            else:
                self._fragmented = first in _FIRST_FRAGMENTS or (
                    self._fragmented and first != _LAST_FRAGMENT
                )
                cuts.append((False, data[at:end]))
            at = end
        else:
            self._whole_bytes = 2
        if at < size:
            self._rest += data[at:]
        return cuts

    def _leave_alone(self, cuts: list[Cut], rest: bytes) -> list[Cut]:
        self._left_alone = True
        return [*cuts, (False, rest)]


__all__ = ["Cut", "ServerFrames"]
