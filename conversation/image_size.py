"""How large the picture in a JPEG or PNG file is, from its first bytes."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
# The JPEG markers that hold the size: all SOFn. C4, C8 and CC are others.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_size(data: bytes) -> tuple[int, int] | None:
    """Give width and height in pixels; None if the file does not tell."""
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    return _jpeg_size(data) if data.startswith(b"\xff\xd8") else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker < 0xFF00 or length < 2:
            return None
        if marker & 0xFF in _SOF:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return None


__all__ = ["image_size"]
