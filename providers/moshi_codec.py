"""Sound on Moshi's wire: one continuous Ogg/Opus stream each way, by the `sphn` package.

Sources: RFC 3533 (Ogg pages), RFC 7845 (Opus in Ogg).
"""

import importlib
from itertools import pairwise
from typing import Any, Protocol

from crossfade.audio.pcm import to_float, to_pcm
from crossfade.errors import SettingsError

RATE_HZ = 24000

_PAGE_START = b"OggS\x00"
_HEADER_BYTES = 27
_CONTINUED = 0x01
# Eight seconds of the server's own frames; a packet is 120 ms at most.
_MOST_PACKETS = 100


class Codec(Protocol):
    """Both directions of one connection. Sound is s16le mono at `RATE_HZ`, whole samples."""

    def encode(self, pcm: bytes) -> bytes:
        """Encode one frame, an even part of 120 ms such as 1920 samples."""
        ...

    def decode(self, data: bytes) -> bytes:
        """Decode what one message brought.

        Raises:
            ValueError: It cannot be decoded. What comes next can be.
        """
        ...


class OpusCodec:
    """Implements `Codec`.

    Args:
        sphn: The package of this name.
    """

    def __init__(self, sphn: Any) -> None:
        self._new_reader = sphn.OpusStreamReader
        self._reader = sphn.OpusStreamReader(RATE_HZ)
        self._writer = sphn.OpusStreamWriter(RATE_HZ)
        self._serial = b""

    def encode(self, pcm: bytes) -> bytes:
        return bytes(self._writer.append_pcm(to_float(pcm)))

    def decode(self, data: bytes) -> bytes:
        if not data:
            return b""
        serial = _check_pages(data)
        if serial != self._serial:
            # RFC 7845, 3: a new stream has a decoder of its own.
            self._serial = serial
            self._reader = self._new_reader(RATE_HZ)
        try:
            return to_pcm(self._reader.append_bytes(data))
        except ValueError:
            # A reader that failed keeps the rest; one in mid-stream needs no headers.
            self._reader = self._new_reader(RATE_HZ)
            raise


def opus_codec() -> OpusCodec:
    """Make the codec of a new connection.

    Raises:
        SettingsError: The `sphn` package is not installed.
    """
    try:
        return OpusCodec(importlib.import_module("sphn"))
    except ImportError as error:
        raise SettingsError(
            "Moshi speaks Ogg/Opus, and the package for it is missing. "
            'Install it by: pip install "crossfade[moshi]"'
        ) from error


def _check_pages(data: bytes) -> bytes:
    """Check that a message is whole Ogg pages of one stream, with whole packets not too many.

    The decoder would keep what is cut off without bound, and take an empty packet for seconds of
    lost sound.

    Returns:
        The serial number of the stream.

    Raises:
        ValueError: It is not.
    """
    serial = data[14:18]
    packets = 0
    at = 0
    while at < len(data):
        header = data[at : at + _HEADER_BYTES]
        if len(header) < _HEADER_BYTES or not header.startswith(_PAGE_START):
            raise ValueError("no Ogg page where one should begin")
        lengths = data[at + _HEADER_BYTES : at + _HEADER_BYTES + header[26]]
        at += _HEADER_BYTES + header[26] + sum(lengths)
        if at > len(data):
            raise ValueError("an Ogg page is cut off")
        if header[5] & _CONTINUED or lengths[-1:] == b"\xff":
            raise ValueError("an Opus packet spans Ogg pages")
        if any(length == 0 and before < 255 for before, length in pairwise(b"\x00" + lengths)):
            raise ValueError("an Opus packet is empty")
        if header[14:18] != serial:
            raise ValueError("two Ogg streams are mixed")
        packets += sum(length < 255 for length in lengths)
    if packets > _MOST_PACKETS:
        raise ValueError(f"{packets} Opus packets at once")
    return serial


__all__ = ["RATE_HZ", "Codec", "OpusCodec", "opus_codec"]
