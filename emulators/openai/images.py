"""What an image costs. Its size is read from the first bytes of the file, nothing is decoded.

Rates: https://platform.openai.com/docs/guides/images-vision, for GPT-4o; the realtime models have
none published. An image is fitted into 2048 x 2048, its short side then into 768, and counted by
tiles of 512 x 512.
"""

import re
from math import ceil

import pybase64

_BASE_TOKENS = 85
_TILE_TOKENS = 170
_LONGEST, _SHORT_SIDE, _TILE = 2048, 768, 512
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{4})(.{4})", re.DOTALL)
# The frame header of a JPEG: its marker, a length and a precision before height and width.
_JPEG_FRAME = re.compile(
    rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..\x08(.{2})(.{2})", re.DOTALL
)


def image_size(url: str) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG in a base64 data URI; None where it tells none."""
    encoded = url.partition(",")[2]
    data = pybase64.b64decode(encoded)
    if found := _PNG.match(data):
        return int.from_bytes(found[1]), int.from_bytes(found[2])
    if data.startswith(b"\xff\xd8") and (found := _JPEG_FRAME.search(data)):
        return int.from_bytes(found[2]), int.from_bytes(found[1])
    return None


def image_tokens(url: str, detail: str) -> int:
    """What an image costs as input.

    Args:
        url: A base64 data URI.
        detail: low, high, or auto, which is high.
    """
    if detail == "low":
        return _BASE_TOKENS
    # One of no size counts as a tile, as does one that does not tell.
    width, height = (side or _TILE for side in image_size(url) or (_TILE, _TILE))
    fit = min(1.0, _LONGEST / max(width, height))
    fit *= min(1.0, _SHORT_SIDE / (min(width, height) * fit))
    tiles = ceil(width * fit / _TILE) * ceil(height * fit / _TILE)
    return _BASE_TOKENS + _TILE_TOKENS * tiles
